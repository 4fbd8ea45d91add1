/// A numbered sequence of picture files: `directory/prefix%04dsuffix`, as libav's image2 format writes it.
struct PictureSequence: Equatable {
    /// Up to and including the last slash; empty for the current directory.
    var directory: String
    var prefix: String
    /// Digits that the number is padded to with zeros; 0 for none.
    var width: Int
    var suffix: String

    /// nil unless the file name (not its directory) has exactly one `%d` or `%0Nd`; `%%` is not supported.
    init?(pattern: String) {
        let slash = pattern.lastIndex(of: "/")
        directory = slash.map { String(pattern[...$0]) } ?? ""
        let name = slash.map { pattern[pattern.index(after: $0)...] } ?? pattern[...]
        guard !directory.contains("%"), let percent = name.firstIndex(of: "%") else { return nil }
        let rest = name[name.index(after: percent)...]
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard rest.dropFirst(digits.count).first == "d", digits.count <= 3 else { return nil }
        guard digits.isEmpty || digits.first == "0" else { return nil }
        prefix = String(name[..<percent])
        width = Int(digits) ?? 0
        suffix = String(rest.dropFirst(digits.count + 1))
        guard width <= 20, !suffix.contains("%") else { return nil }
    }

    /// The number of a file of this sequence; nil for a file that is none.
    func number(ofFile name: String) -> Int? {
        guard name.utf8.count > prefix.utf8.count + suffix.utf8.count, name.hasPrefix(prefix), name.hasSuffix(suffix) else {
            return nil
        }
        let digits = name.dropFirst(prefix.count).dropLast(suffix.count)
        guard digits.count >= max(width, 1), digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        // Without the padding a longer number starts with no zero.
        guard digits.count == max(width, 1) || digits.first != "0" else { return nil }
        return Int32(digits).map(Int.init)
    }

    /// The run of consecutive numbers that starts at the smallest, and how many files lie behind its end.
    func range(ofFiles names: [String]) -> (first: Int, count: Int, beyond: Int)? {
        let numbers = Set(names.compactMap(number(ofFile:))).sorted()
        guard let first = numbers.first else { return nil }
        var count = 0
        while count < numbers.count, numbers[count] == first + count { count += 1 }
        return (first, count, numbers.count - count)
    }
}
