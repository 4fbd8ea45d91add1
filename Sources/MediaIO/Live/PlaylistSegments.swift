internal import Base
import Glibc

/// The segments of a playlist that this program has written, as a list of its own beside the playlist says:
/// `.night.m3u8.segments` beside `night.m3u8`, one name a line.
///
/// libavformat removes only the segments that it has written itself, and forgets the newest ones that its playlist had already
/// dropped. What an earlier run has left of them is removed here, and nothing else, however alike its name may be.
final class PlaylistSegments {
    private let target: OutputTarget
    private let prefix: String
    private var recorded: [String]
    /// -1 where the folder cannot be opened.
    private let folder: Int32

    /// Of the playlist at `path`; nil for what is no file's name.
    init?(path: String) {
        guard let target = try? OutputTarget(path: path, isPattern: false) else { return nil }
        self.target = target
        prefix = SegmentNames.split(target.name).stem + "-"
        let path = target.directory.isEmpty ? "." : target.directory
        folder = SystemCall.retried { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        recorded = []
        recorded = (lines(of: listName, mustBeOwn: true) ?? []).filter { number(of: $0) != nil }
    }

    deinit { if folder >= 0 { close(folder) } }

    private var listName: String { ".\(target.name).segments" }

    /// False where the playlist there names what no run of this program has written, or cannot be read: libavformat would go on with
    /// it, and remove those files in their turn.
    var isOwn: Bool { lines(of: target.name, mustBeOwn: false)?.allSatisfy { $0.hasPrefix("#") || number(of: $0) != nil } ?? false }

    /// Removes the recorded segments that the playlist does not name, and unfinished ones.
    func removeLeftovers() {
        let kept = Set(listed())
        for name in recorded {
            if !kept.contains(name) { remove(name) }
            remove(name + ".tmp")
        }
        note()
    }

    /// Records what the playlist names, and the segment that comes next. Called after each key frame, as libavformat writes the
    /// playlist then.
    func note() {
        let names = listed()
        let next = (names.last.flatMap(number(of:)) ?? -1) + 1
        let now = recorded.filter { !names.contains($0) && isThere($0) } + names + [name(next)]
        guard now != recorded else { return }
        recorded = now
        write(now)
    }

    // MARK: - Names

    private func name(_ number: Int) -> String {
        let digits = String(number)
        return prefix + String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".ts"
    }

    /// The number of a segment with a name exactly as this program writes it; nil for every other name.
    private func number(of name: String) -> Int? {
        guard name.hasPrefix(prefix), name.hasSuffix(".ts"), let number = Int(name.dropFirst(prefix.count).dropLast(3)),
            number >= 0, self.name(number) == name
        else { return nil }
        return number
    }

    /// The segments that the playlist names.
    private func listed() -> [String] { (lines(of: target.name, mustBeOwn: false) ?? []).filter { number(of: $0) != nil } }

    // MARK: - Files

    private func isThere(_ name: String) -> Bool {
        var status = stat()
        return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    private func remove(_ name: String) { if isThere(name) { SystemCall.retried { unlinkat(folder, name, 0) } } }

    /// The lines of a small file that are not empty; none where there is no such file, nil where it cannot be read. A playlist of six
    /// segments has far less than 64 KiB.
    private func lines(of name: String, mustBeOwn: Bool) -> [String]? {
        let descriptor = SystemCall.retried { openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
        guard descriptor >= 0 else { return [ENOENT, ELOOP, EBADF].contains(errno) ? [] : nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, !mustBeOwn || status.st_uid == geteuid() else { return [] }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = bytes.withUnsafeMutableBytes { SystemCall.readAll($0, from: descriptor) }
        guard count >= 0 else { return nil }
        return String(decoding: bytes[..<count], as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
    }

    /// A list that cannot be written leaves segments behind, and no more.
    private func write(_ names: [String]) {
        let temporary = listName + ".tmp"
        SystemCall.retried { unlinkat(folder, temporary, 0) }
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let descriptor = SystemCall.retried { openat(folder, temporary, flags, 0o644) }
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array((names.joined(separator: "\n") + "\n").utf8)
        if SystemCall.writeAll(bytes, to: descriptor) == 0 { SystemCall.retried { renameat(folder, temporary, folder, listName) } }
    }
}
