import Glibc

/// Where a path leads to, for telling whether two outputs would be one file.
public struct OutputPlace: Hashable {
    private let directory: FileIdentity?
    private let name: String

    /// The place of the name itself: a link is one, not what it leads to.
    init(named path: String) {
        let directory = Self.directory(of: path)
        self.directory = FileIdentity(directory.isEmpty ? "." : directory)
        name = String(path.utf8.dropFirst(directory.utf8.count)) ?? path
    }

    /// The place at the end of all links, whether or not anything is there.
    init(_ path: String) {
        var path = path
        // As many links as Linux follows (path_resolution(7)).
        for _ in 0..<40 {
            guard let target = Self.link(at: path) else { break }
            path = target.hasPrefix("/") ? target : Self.directory(of: path) + target
        }
        self.init(named: path)
    }

    /// Throws `.outputExists` where two of `paths` lead to the same file, by their names or through links.
    public static func checkDistinct(_ paths: [String]) throws(MediaError) {
        var places: Set<OutputPlace> = []
        var files: Set<FileIdentity> = []
        for path in paths {
            let isNewFile = FileIdentity(path).map { files.insert($0).inserted } ?? true
            guard places.insert(OutputPlace(path)).inserted, isNewFile else { throw writtenTwice(path) }
        }
    }

    /// True where both paths lead to one file that is there.
    public static func isSameFile(_ first: String, _ second: String) -> Bool {
        FileIdentity(first).map { $0 == FileIdentity(second) } ?? false
    }

    static func writtenTwice(_ path: String) -> MediaError {
        MediaError(.outputExists, "\(path) would be written twice", remedy: "give each output a name of its own")
    }

    private static func directory(of path: String) -> String {
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
    }

    /// What the link at `path` says; nil where there is none.
    private static func link(at path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }
}
