internal import FoundationEssentials

/// A file that a style was taken from.
public struct StyleSource: Sendable, Equatable, Codable {
    /// Its name, without the folders it lay in.
    public var file: String
    /// Digest of its content in lower-case hexadecimal.
    public var sha256: String
    /// Of a video: the part that frames were taken from, in seconds from its start.
    public var start: Double?
    public var end: Double?
    /// Of a video: how many frames were taken.
    public var frames: Int?

    /// - Parameter path: where the file lies; only the last component is kept.
    public init(path: String, sha256: String, start: Double? = nil, end: Double? = nil, frames: Int? = nil) {
        file = fileName(of: path)
        self.sha256 = sha256
        self.start = start
        self.end = end
        self.frames = frames
    }

    /// Most that a style file may list.
    private static let most = 10_000

    /// A list as JSON text.
    static func text(_ sources: [StyleSource]) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Only a number that is not finite could fail, and no file has such a time.
        return (try? encoder.encode(sources)).map { String(decoding: $0, as: UTF8.self) } ?? "[]"
    }

    /// The list that `text` wrote; nil for anything else.
    static func list(_ text: String) -> [StyleSource]? {
        guard let sources = try? JSONDecoder().decode([StyleSource].self, from: Data(text.utf8)), sources.count <= most,
            sources.allSatisfy(\.isSound)
        else { return nil }
        return sources
    }

    private var isSound: Bool {
        let times = [start, end].compactMap(\.self)
        return !file.isEmpty && isSHA256(sha256) && (frames ?? 1) > 0 && times.allSatisfy { $0.isFinite && $0 >= 0 }
    }
}
