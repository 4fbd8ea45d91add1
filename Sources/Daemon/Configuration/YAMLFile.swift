internal import Foundation
internal import Yams

/// A YAML file read into nodes that know their place.
enum YAMLFile {
    /// Bytes of the largest file that is read.
    static let most = 1 << 20

    /// The file's one document. Throws `.unreadable`, `.badSyntax`, `.duplicate`.
    static func read(_ path: String) throws(ConfigurationError) -> Node {
        try parse(try text(of: path), file: path)
    }

    private static func text(of path: String) throws(ConfigurationError) -> String {
        var data = Data()
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            while data.count <= most, let piece = try handle.read(upToCount: most), !piece.isEmpty { data += piece }
        } catch {
            let cause = (error as NSError).userInfo[NSUnderlyingErrorKey].map { " (\(($0 as? NSError)?.localizedDescription ?? "\($0)"))" }
            throw ConfigurationError(.unreadable, file: path, "the file cannot be read\(cause ?? "")", remedy: "name a YAML file with --config")
        }
        guard data.count <= most else {
            throw ConfigurationError(.unreadable, file: path, "the file is larger than \(most >> 20) MiB", remedy: "name a YAML file with --config")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            let line = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil }
            throw ConfigurationError(.badSyntax, file: path, line: line.map { $0 + 1 }, column: line.map { _ in 1 }, "the line is not UTF-8")
        }
        return text
    }

    static func parse(_ text: String, file: String) throws(ConfigurationError) -> Node {
        // Aliases are looked for before they are followed: as a key one is hashed, and with it all that it stands for.
        if text.utf8.contains(UInt8(ascii: "&")), text.utf8.contains(UInt8(ascii: "*")) {
            _ = try compose(String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "*" ? standIn : $0 })), file: file)
        }
        guard let root = try compose(text, file: file) else {
            throw ConfigurationError(.missingKey, file: file, "the file is empty", remedy: "give it 'folders:' or 'relays:'")
        }
        return root
    }

    /// Takes the place of `*`: a character of no meaning in YAML, nor anywhere else (Unicode's private use area).
    private static let standIn: Unicode.Scalar = "\u{E000}"

    /// The nodes of the one document, none of which has an anchor.
    private static func compose(_ text: String, file: String) throws(ConfigurationError) -> Node? {
        do {
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            let root = try parser.singleRoot()
            // Nodes know their anchors only as long as the parser lives.
            try withExtendedLifetime(parser) { if let root { try refuseAnchors(in: root, file: file) } }
            return root
        } catch let error as ConfigurationError {
            throw error
        } catch {
            throw failure(error, file: file)
        }
    }

    /// An alias stands for a copy of what its anchor marks, so that a small file may become endless. Anchors come before their
    /// aliases: the walk ends before it meets a copy.
    private static func refuseAnchors(in node: Node, file: String) throws(ConfigurationError) {
        if node.anchor != nil {
            throw ConfigurationError(
                .badSyntax, file: file, line: node.mark?.line, column: node.mark?.column, "anchors and aliases (& and *) are not understood",
                remedy: "write the values out, or put a value that begins with & or * in quotes")
        }
        switch node {
        case .mapping(let mapping):
            for pair in mapping {
                try refuseAnchors(in: pair.key, file: file)
                try refuseAnchors(in: pair.value, file: file)
            }
        case .sequence(let sequence): for item in sequence { try refuseAnchors(in: item, file: file) }
        case .scalar, .alias: break
        }
    }

    private static func failure(_ error: any Error, file: String) -> ConfigurationError {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _):
            return ConfigurationError(.badSyntax, file: file, line: mark.line, column: mark.column, "this is no YAML: \(problem)")
        case .composer(_, let problem, let mark, _):
            return ConfigurationError(.badSyntax, file: file, line: mark.line, column: mark.column, problem)
        case .reader(let problem, let offset, _, let yaml):
            let before = yaml.prefix(offset ?? 0)
            let line = before.reduce(1) { $0 + ($1.isNewline ? 1 : 0) }
            let column = before.reversed().prefix { !$0.isNewline }.count + 1
            return ConfigurationError(.badSyntax, file: file, line: line, column: column, "this is no YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.map { "'\($0.replacing(String(standIn), with: "*"))'" }.joined(separator: ", ")
            return ConfigurationError(
                .duplicate, file: file, line: context.mark.line, column: context.mark.column,
                "\(keys) \(duplicates.count == 1 ? "is" : "are") given twice, first here", remedy: "keep one of them")
        default:
            return ConfigurationError(.badSyntax, file: file, "this is no YAML: \(error)")
        }
    }
}
