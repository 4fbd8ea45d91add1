internal import Foundation
internal import Pipeline
internal import TSIT

/// What `style show` and `style make --json` print.
struct StyleDescription: Encodable, CustomStringConvertible {
    struct Thumbnail: Encodable {
        let width: Int
        let height: Int
    }

    let file: String
    let name: String
    let bytes: Int
    /// Nil where it was not met.
    let model: String?
    let modelDigest: String
    let ngf: Int
    let origin: String
    let sources: [StyleSource]
    let thumbnail: Thumbnail?

    init(_ style: StyleFile, path: String, size: Int, model: String?) {
        file = path
        name = style.name
        bytes = size
        self.model = model
        modelDigest = style.modelDigest
        ngf = style.statistics.means.first?.count ?? 0
        origin = style.origin
        sources = style.sources
        thumbnail = style.thumbnail.map { Thumbnail(width: $0.width, height: $0.height) }
    }

    /// The words come from a file that anybody may have made: nothing in them reaches the terminal as a command.
    var description: String {
        var lines = [
            "name        \(Terminal.printable(name))",
            "for model   \(model.map(Terminal.printable) ?? "not found here")",
            "digest      \(modelDigest)", "base width  \(ngf)", "file size   \(bytes) bytes",
            "origin      \(Terminal.printable(origin))",
        ]
        for source in sources {
            lines.append("from        \(Terminal.printable(source.file))\(Self.part(of: source)), sha256 \(source.sha256)")
        }
        lines.append("thumbnail   \(thumbnail.map { "\($0.width)x\($0.height)" } ?? "none")")
        return lines.joined(separator: "\n")
    }

    private static func part(of source: StyleSource) -> String {
        guard let start = source.start, let end = source.end else { return "" }
        let count = source.frames.map { $0 == 1 ? "1 frame from " : "\($0) frames from " } ?? ""
        return " (\(count)\(MediaTime.text(start)) to \(MediaTime.text(end)))"
    }
}

/// One line of `style list`.
struct StyleRow: Encodable {
    /// What to write after `--style`: the name of an embedded one, else the path.
    let style: String
    let name: String
    let embedded: Bool
    let model: String?
    let modelDigest: String?
    let bytes: Int
    let origin: String?
    /// Why it cannot be used; nil where it can.
    let broken: String?

    init(_ entry: StyleEntry, isEmbedded: Bool, _ shelf: StyleShelf) {
        style = isEmbedded ? entry.name : entry.path
        embedded = isEmbedded
        bytes = entry.size
        switch entry.contents {
        case .success(let file):
            name = file.name
            model = shelf.modelName(digest: file.modelDigest)
            modelDigest = file.modelDigest
            origin = file.origin
            broken = nil
        case .failure(let error):
            name = entry.name
            (model, modelDigest, origin) = (nil, nil, nil)
            broken = "\(error)"
        }
    }

    static func table(_ rows: [StyleRow]) -> String {
        guard !rows.isEmpty else { return "no styles" }
        let cells = [["style", "for model", "size", "what it came from"]] + rows.map(\.cells)
        let widths = (0..<3).map { column in min(48, cells.map { $0[column].count }.max() ?? 0) }
        return cells.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: max(0, $1 - $0.count) + 2) }.joined() + row[3]
        }.joined(separator: "\n")
    }

    private var cells: [String] {
        let size = bytes < 1024 ? "\(bytes) B" : "\((bytes + 512) / 1024) kB"
        if let broken { return [Terminal.printable(style), "broken", size, Terminal.printable(broken)] }
        let model = model.map(Terminal.printable) ?? "\((modelDigest ?? "").prefix(12))…"
        return [Terminal.printable(style), model, size, "\(Terminal.printable(name)): \(Terminal.printable(origin ?? ""))"]
    }
}
