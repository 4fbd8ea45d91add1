/// Moments and numbers as people write them.
public enum MediaTime {
    /// Seconds of `text`: seconds, or `[h:]m:s`, the last part with a fraction where wanted; nil for anything else.
    ///
    /// Minutes and seconds that follow a colon are less than 60.
    public static func seconds(_ text: String) -> Double? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...3).contains(parts.count) else { return nil }
        var total = 0.0
        for (place, part) in parts.enumerated() {
            let isLast = place == parts.count - 1
            guard part.utf8.first.map(isDigit) ?? false, part.utf8.allSatisfy({ isDigit($0) || isLast && $0 == 0x2E }),
                let value = Double(part), value.isFinite, place == 0 || value < 60
            else { return nil }
            total = total * 60 + value
        }
        return total.isFinite ? total : nil
    }

    /// `seconds` as `s` or `[h:]m:s`, without a fraction that is zero.
    public static func text(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 0x1p40 else { return "\(seconds)" }
        let milliseconds = Int((seconds * 1000).rounded())
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let (whole, rest) = (milliseconds / 1000, milliseconds % 1000)
        var fraction = rest == 0 ? "" : "." + padded(rest, 3)
        while fraction.hasSuffix("0") { fraction.removeLast() }
        let (hours, minutes, last) = (whole / 3600, whole / 60 % 60, padded(whole % 60, 2) + fraction)
        return hours > 0 ? "\(hours):\(padded(minutes, 2)):\(last)" : "\(minutes):\(last)"
    }

    /// The finite number that `text` spells in decimal digits; nil for `nan`, `inf`, hexadecimal and anything else.
    static func number(_ text: some StringProtocol) -> Double? {
        guard text.utf8.contains(where: isDigit), text.utf8.allSatisfy({ isDigit($0) || ".eE+-".utf8.contains($0) }),
            let value = Double(text), value.isFinite
        else { return nil }
        return value
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
