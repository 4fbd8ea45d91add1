import Glibc

/// Segments that an earlier run has left beside a playlist: libavformat removes only those that it has written itself, and
/// forgets the newest ones that its list had already dropped.
enum PlaylistLeftovers {
    /// Removes the segments named like those of the playlist at `path` that are not in its list, and unfinished ones.
    static func remove(of path: String) {
        guard let target = try? OutputTarget(path: path, isPattern: false) else { return }
        let prefix = SegmentNames.split(target.name).stem + "-"
        let listed = Set(lines(of: path))
        for name in (try? SourceFile.names(inDirectory: target.directory.isEmpty ? "." : target.directory)) ?? []
        where name.hasPrefix(prefix) && !listed.contains(name) {
            let rest = name.dropFirst(prefix.count)
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard digits.count >= 6, [".ts", ".ts.tmp"].contains(rest.dropFirst(digits.count)) else { continue }
            unlink(target.directory + name)
        }
    }

    /// The lines of a playlist; none where it cannot be read. One of six segments has far less than 64 KiB.
    private static func lines(of path: String) -> [String] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return [] }
        return String(decoding: bytes[..<count], as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
    }
}
