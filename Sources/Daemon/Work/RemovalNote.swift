internal import Base
internal import Glibc
internal import SystemPackage

/// Which source is under its hidden name at this moment, for the life after a sudden end. Only the daemon's user may write
/// where it lies.
struct RemovalNote {
    let path: String

    func write(job: Int64, hidden: [UInt8]) {
        let file = SystemCall.retried { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600) }
        guard file >= 0 else { return }
        defer { close(file) }
        let bytes = Array("\(job)\n".utf8) + hidden
        if SystemCall.writeAll(bytes, to: file) == 0 { SystemCall.retried { fsync(file) } }
    }

    /// Nil where nothing was being removed.
    func read() -> (job: Int64, hidden: [UInt8])? {
        let file = SystemCall.retried { open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = bytes.withUnsafeMutableBytes { SystemCall.readAll($0, from: file) }
        guard count > 0 else { return nil }
        let parts = bytes[..<count].split(separator: UInt8(ascii: "\n"), maxSplits: 1)
        guard parts.count == 2, let job = Int64(String(decoding: parts[0], as: UTF8.self)), !parts[1].contains(UInt8(ascii: "/")) else { return nil }
        return (job, Array(parts[1]))
    }

    func remove() { SystemCall.retried { unlink(path) } }
}
