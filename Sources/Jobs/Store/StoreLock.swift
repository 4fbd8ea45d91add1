internal import Foundation

/// A file beside the database by which processes agree who may open it, and who may move it away.
///
/// Byte 0 is held while a process opens the database, byte 1 is shared by all that have it open. The locks belong to the open file
/// (fcntl_locking(2), open file description locks), so they also keep two stores of one process apart, and end with the process.
final class StoreLock: Sendable {
    private let descriptor: Int32

    /// - Parameter database: whose owner is to own the file too, so that root's commands do not shut the service out.
    /// - Throws: `.databaseUnavailable`, `.diskFull`.
    init(path: String, database: String, readOnly: Bool) throws(JobError) {
        descriptor = open(path, (readOnly ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw JobError(fileError: errno, "cannot open '\(path)'") }
        var status = stat()
        if !readOnly, geteuid() == 0, stat(database, &status) == 0 { _ = fchown(descriptor, status.st_uid, status.st_gid) }
    }

    deinit { close(descriptor) }

    /// Waits until no other process is opening the database.
    /// - Returns: false where that takes longer than `patience` seconds.
    func beginOpening(patience: Double) -> Bool { take(byte: 0, F_WRLCK, patience: patience) }

    func endOpening() { _ = set(byte: 0, F_UNLCK) }

    /// Says that this process has the database open.
    func share() -> Bool { take(byte: 1, F_RDLCK, patience: 1) }

    /// True where nobody else has the database open; nobody can open it then until `share` or the end.
    func isolate() -> Bool { set(byte: 1, F_WRLCK) }

    private func take(byte: off_t, _ kind: Int32, patience: Double) -> Bool {
        let end = ContinuousClock.now + .seconds(patience)
        while !set(byte: byte, kind) {
            guard ContinuousClock.now < end else { return false }
            usleep(2000)
        }
        return true
    }

    private func set(byte: off_t, _ kind: Int32) -> Bool {
        var lock = flock()
        lock.l_type = Int16(kind)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = byte
        lock.l_len = 1
        return fcntl(descriptor, Self.setLock, &lock) == 0
    }

    /// F_OFD_SETLK, which the C library shows only to those that ask for its own extensions.
    private static let setLock: Int32 = 37
}

extension JobError {
    /// A system call's failure.
    init(fileError number: Int32, _ message: String) {
        let isFull = number == ENOSPC || number == EDQUOT
        self.init(
            isFull ? .diskFull : .databaseUnavailable, message,
            remedy: number == EACCES || number == EPERM ? "run it as the user that the service runs as" : nil, cause: String(cString: strerror(number)))
    }
}
