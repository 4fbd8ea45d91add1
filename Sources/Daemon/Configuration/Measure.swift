internal import Foundation

/// Lengths of time and sizes as people write them.
enum Measure {
    /// Seconds of `500ms`, `10s`, `10min`, `24h`, `2d`, or of a number alone; nil for anything else.
    static func seconds(_ text: String) -> Double? {
        scaled(text, [("ms", 0.001), ("min", 60), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400), ("", 1)]).flatMap { $0 < 1e9 ? $0 : nil }
    }

    /// Bytes of `500MB`, `2GiB`, `2G`, or of a number alone; nil for anything else. A unit without `B` is a power of 1024.
    static func bytes(_ text: String) -> Int64? {
        var units: [(String, Double)] = []
        for (power, letter) in ["K", "M", "G", "T"].enumerated() {
            let (binary, decimal) = (pow(1024, Double(power + 1)), pow(1000, Double(power + 1)))
            units += [("\(letter)iB", binary), ("\(letter)B", decimal), ("\(letter)", binary)]
            if letter == "K" { units += [("kB", decimal), ("k", binary)] }
        }
        return scaled(text, units + [("B", 1), ("", 1)]).flatMap { $0 < 9e18 ? Int64($0) : nil }
    }

    static func text(_ seconds: Double) -> String {
        for (unit, scale) in [("d", 86400.0), ("h", 3600), ("min", 60)] where seconds >= scale && seconds.truncatingRemainder(dividingBy: scale) == 0 {
            return "\(Int(seconds / scale))\(unit)"
        }
        return seconds > 0 && seconds < 1 ? String(format: "%gms", seconds * 1000) : String(format: "%gs", seconds)
    }

    private static func scaled(_ text: String, _ units: [(name: String, scale: Double)]) -> Double? {
        guard let unit = units.first(where: { text.hasSuffix($0.name) }) else { return nil }
        let digits = text.dropLast(unit.name.count).drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
        // `Double` also reads hexadecimal numbers and words such as nan.
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let number = Double(String(digits)) else { return nil }
        return number * unit.scale
    }
}

/// The word that somebody may have meant.
enum Nearest {
    /// The one of `words` with the fewest changes from `word`; nil where that would be a third of it or more.
    static func of(_ word: String, in words: [String]) -> String? {
        // Nobody types a word of that length by mistake, and the distance costs its square.
        guard word.count <= 64 else { return nil }
        let best = words.map { (word: $0, distance: distance(Array(word.lowercased()), Array($0))) }.min { $0.distance < $1.distance }
        guard let best, best.distance <= max(1, min(word.count, best.word.count) / 3) else { return nil }
        return best.word
    }

    /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
    static func distance(_ a: [Character], _ b: [Character]) -> Int {
        var rows = [Array(0...b.count)]
        for i in 1..<(a.count + 1) {
            var row = [i]
            for j in 1..<(b.count + 1) {
                var best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, rows[i - 2][j - 2] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
