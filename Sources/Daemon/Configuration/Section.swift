internal import Foundation
internal import Yams

/// The keys and values of one mapping, whose every key is known.
struct Section {
    private let file: String
    /// What it is, as in "a folder has no key 'ot'".
    private let what: String
    private var entries: [String: (key: Mark?, value: Node)] = [:]
    let mark: Mark?

    /// Throws `.wrongType` where `node` is no mapping, `.unknownKey` for a key that is not in `keys`.
    init(_ node: Node, file: String, what: String, keys: [String]) throws(ConfigurationError) {
        (self.file, self.what, mark) = (file, what, node.mark)
        guard case .mapping(let mapping) = node else {
            throw Self.error(.wrongType, file, node.mark, "\(what) is a list of keys with values", remedy: "write it as 'key: value' lines")
        }
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else { throw Self.error(.wrongType, file, key.mark, "a key is one word") }
            guard keys.contains(scalar.string) else {
                let near = Nearest.of(scalar.string, in: keys)
                throw Self.error(
                    .unknownKey, file, scalar.mark, "\(what) has no key '\(scalar.string)'",
                    remedy: near.map { "did you mean '\($0)'?" } ?? "the keys are \(keys.joined(separator: ", "))")
            }
            entries[scalar.string] = (scalar.mark, value)
        }
    }

    func has(_ key: String) -> Bool { entries[key] != nil }

    /// Where the value of `key` stands; the section itself where it is not given.
    func mark(of key: String) -> Mark? { entries[key]?.value.mark ?? mark }

    func error(_ code: ConfigurationError.Code, _ key: String, _ message: String, remedy: String? = nil) -> ConfigurationError {
        Self.error(code, file, mark(of: key), message, remedy: remedy)
    }

    static func error(
        _ code: ConfigurationError.Code, _ file: String, _ mark: Mark?, _ message: String, remedy: String? = nil
    ) -> ConfigurationError {
        ConfigurationError(code, file: file, line: mark?.line, column: mark?.column, message, remedy: remedy)
    }

    // MARK: - Values

    func node(_ key: String) -> Node? { entries[key]?.value }

    /// The value as it is written; nil where the key is not given. Throws `.wrongType` for nothing, a list, a mapping, a tag.
    func text(_ key: String) throws(ConfigurationError) -> String? {
        guard let node = entries[key]?.value else { return nil }
        return try Self.text(node, "'\(key)'", file)
    }

    func required(_ key: String) throws(ConfigurationError) -> String {
        guard let text = try text(key) else {
            throw error(.missingKey, key, "\(what) needs '\(key)'", remedy: "add '\(key): …'")
        }
        return text
    }

    /// A list of texts, or one text.
    func texts(_ key: String) throws(ConfigurationError) -> [String]? {
        guard let node = entries[key]?.value else { return nil }
        guard case .sequence(let sequence) = node else { return [try Self.text(node, "'\(key)'", file)] }
        var texts: [String] = []
        for item in sequence { texts.append(try Self.text(item, "an item of '\(key)'", file)) }
        return texts
    }

    /// The items of a list; none where the key is not given or has no value.
    func items(_ key: String) throws(ConfigurationError) -> [Node] {
        guard let node = entries[key]?.value else { return [] }
        if case .sequence(let sequence) = node { return Array(sequence) }
        if case .scalar(let scalar) = node, Self.isNull(scalar) { return [] }
        throw error(.wrongType, key, "'\(key)' is a list", remedy: "begin each item with '- '")
    }

    func flag(_ key: String) throws(ConfigurationError) -> Bool? {
        guard let text = try text(key) else { return nil }
        switch text.lowercased() {
        case "yes", "true", "on": return true
        case "no", "false", "off": return false
        default: throw error(.wrongType, key, "'\(key)' is yes or no, not '\(text)'")
        }
    }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
        guard let text = try text(key) else { return nil }
        guard let number = Int(text) else { throw error(.wrongType, key, "'\(key)' is a whole number, not '\(text)'") }
        guard range.contains(number) else {
            throw error(.badValue, key, "'\(key)' is \(range.lowerBound) to \(range.upperBound), not \(number)")
        }
        return number
    }

    /// A length of time in seconds.
    func seconds(_ key: String, in range: ClosedRange<Double>) throws(ConfigurationError) -> Double? {
        guard let text = try text(key) else { return nil }
        guard let seconds = Measure.seconds(text) else {
            throw error(.wrongType, key, "'\(key)' is a length of time, not '\(text)'", remedy: "write such as 500ms, 10s, 5min, 1h")
        }
        guard range.contains(seconds) else {
            throw error(.badValue, key, "'\(key)' is \(Measure.text(range.lowerBound)) to \(Measure.text(range.upperBound)), not \(text)")
        }
        return seconds
    }

    func bytes(_ key: String) throws(ConfigurationError) -> Int64? {
        guard let text = try text(key) else { return nil }
        guard let bytes = Measure.bytes(text) else {
            throw error(.wrongType, key, "'\(key)' is a number of bytes, not '\(text)'", remedy: "write such as 500MB, 2GiB")
        }
        return bytes
    }

    /// One of the words of an enumeration.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _: Choice.Type = Choice.self
    ) throws(ConfigurationError) -> Choice? where Choice.RawValue == String {
        guard let text = try text(key) else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        let words = Choice.allCases.map(\.rawValue)
        let near = Nearest.of(text, in: words)
        throw error(
            .badValue, key, "'\(key)' is \(words.dropLast().joined(separator: ", ")) or \(words.last ?? ""), not '\(text)'",
            remedy: near.map { "did you mean '\($0)'?" })
    }

    private static func text(_ node: Node, _ name: String, _ file: String) throws(ConfigurationError) -> String {
        guard case .scalar(let scalar) = node else {
            let found = if case .sequence = node { "a list" } else { "a list of keys" }
            throw error(.wrongType, file, node.mark, "\(name) is one value, not \(found)")
        }
        guard !isNull(scalar) else { throw error(.wrongType, file, scalar.mark, "\(name) has no value") }
        guard ["", "!", "tag:yaml.org,2002:str"].contains(scalar.tag.description) else {
            throw error(.wrongType, file, scalar.mark, "\(name) has a tag, '\(scalar.tag.description)'", remedy: "write the value alone")
        }
        guard !scalar.string.unicodeScalars.contains("\0") else { throw error(.badValue, file, scalar.mark, "\(name) holds a zero byte") }
        return scalar.string
    }

    /// The ways in which YAML writes nothing; in quotes they are texts.
    private static func isNull(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }
}
