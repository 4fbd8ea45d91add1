/// Which style is wanted: one reference, or several that are mixed.
///
/// As text: `REF[:WEIGHT][,REF[:WEIGHT]...]`. A reference is a style file, a picture, or the name of a style that belongs
/// to the model; what it leads to is found out later. Weights count relative to their sum and are 1 where left out. A
/// reference that exists as a file under its whole text, colons and commas included, is that file.
public struct StyleRecipe: Sendable, Equatable, CustomStringConvertible {
    public struct Part: Sendable, Equatable {
        /// A path or a name, not empty.
        public let reference: String
        /// Not negative, finite.
        public let weight: Double
    }

    /// At least one; the sum of their weights is positive and finite.
    public let parts: [Part]

    /// A recipe of one reference alone, whatever characters it holds.
    public init(reference: String) { parts = [Part(reference: reference, weight: 1)] }

    /// Reads a recipe's text.
    ///
    /// - Parameter exists: whether there is a file of that path; default: one that is not a folder.
    /// - Throws: `TSITError` `.badTimeline` for an empty item, a weight that is no number or negative, and weights that are
    ///   all 0.
    public init(
        parsing text: String, exists: (String) -> Bool = { isFile($0) }
    ) throws(TSITError) {
        var parts: [Part] = exists(text) ? [Part(reference: text, weight: 1)] : []
        for item in parts.isEmpty ? Self.items(of: text, exists) : [] { parts.append(try Self.part(item, of: text, exists)) }
        let sum = parts.reduce(0) { $0 + $1.weight }
        guard sum > 0 else {
            throw TSITError(
                .badTimeline, "the weights in \(quoted(text)) are all 0", remedy: "give at least one style a weight above 0")
        }
        guard sum.isFinite else {
            throw TSITError(.badTimeline, "the weights in \(quoted(text)) are too large", remedy: "give smaller ones")
        }
        self.parts = parts
    }

    /// The text that `init(parsing:exists:)` reads as this recipe while the same files exist.
    public var description: String {
        parts.map { part in
            let isPlain = part.weight == 1 && !part.reference.contains(":")
            let weight = part.weight == part.weight.rounded() && part.weight < 1e15 ? "\(Int(part.weight))" : "\(part.weight)"
            return isPlain ? part.reference : "\(part.reference):\(weight)"
        }.joined(separator: ",")
    }

    // MARK: - Reading

    /// The items between commas; commas inside the name of a file that exists do not separate.
    private static func items(of text: String, _ exists: (String) -> Bool) -> [String] {
        let pieces = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        var items: [String] = []
        var next = 0
        // Names with more commas than that are not looked for: the number of looks would grow with their square.
        let mostCommas = 8
        while next < pieces.count {
            let last = (next..<min(pieces.count, next + mostCommas)).last { last in
                guard last > next else { return true }
                let joined = trimmed(pieces[next...last].joined(separator: ","))
                return exists(joined) || weighted(joined).map { exists($0.reference) } ?? false
            }
            let end = last ?? next
            items.append(pieces[next...end].joined(separator: ","))
            next = end + 1
        }
        return items
    }

    private static func part(
        _ item: String, of text: String, _ exists: (String) -> Bool
    ) throws(TSITError) -> Part {
        if exists(item) { return Part(reference: item, weight: 1) }
        let item = trimmed(item)
        guard !item.isEmpty else {
            throw TSITError(
                .badTimeline, text.isEmpty ? "an empty style" : "an empty item in \(quoted(text))",
                remedy: "write STYLE or STYLE:WEIGHT between commas")
        }
        if exists(item) { return Part(reference: item, weight: 1) }
        guard let (reference, weight) = weighted(item) else {
            // A tail with a slash is the rest of a path, not a weight.
            guard let colon = item.lastIndex(of: ":"), !item[colon...].contains("/") else {
                return Part(reference: item, weight: 1)
            }
            throw TSITError(
                .badTimeline,
                "the weight \(quoted(String(item[item.index(after: colon)...]))) of \(quoted(String(item[..<colon]))) is not a number",
                remedy: "write STYLE:WEIGHT, such as dusk.style:0.3", cause: "there is no file \(quoted(item)) either")
        }
        guard !reference.isEmpty else {
            throw TSITError(.badTimeline, "no style before the weight in \(quoted(item))", remedy: "write STYLE:WEIGHT")
        }
        guard weight >= 0 else {
            throw TSITError(.badTimeline, "the weight in \(quoted(item)) is negative", remedy: "give 0 or more")
        }
        return Part(reference: reference, weight: weight)
    }

    /// `item` split at its last colon, where a number follows it.
    private static func weighted(_ item: String) -> (reference: String, weight: Double)? {
        guard let colon = item.lastIndex(of: ":"),
            let weight = MediaTime.number(trimmed(String(item[item.index(after: colon)...])))
        else { return nil }
        return (trimmed(String(item[..<colon])), weight)
    }
}

/// `text` without the white space around it.
func trimmed(_ text: String) -> String {
    guard let first = text.firstIndex(where: { !$0.isWhitespace }), let last = text.lastIndex(where: { !$0.isWhitespace })
    else { return "" }
    return String(text[first...last])
}
