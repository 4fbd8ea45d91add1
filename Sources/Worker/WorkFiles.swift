internal import Base
import Glibc
internal import Jobs
internal import SystemPackage

/// System calls on paths of any bytes, with errors in plain words.
enum WorkFiles {
    /// What tells a file from a changed one.
    struct Status: Equatable {
        let device: UInt64
        let number: UInt64
        let size: Int64
        /// Nanoseconds since 1970.
        let modified: Int64

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            number = UInt64(status.st_ino)
            size = Int64(status.st_size)
            modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
        }
    }

    static func error(_ code: Int32, _ message: String) -> WorkerError {
        let cause = String(cString: strerror(code))
        switch code {
        case ENOSPC, EDQUOT, EFBIG:
            return WorkerError(.diskFull, message, remedy: "make room on the disk", cause: cause)
        case ENOMEM: return WorkerError(.outOfMemory, message, cause: cause)
        case ENAMETOOLONG: return WorkerError(.nameTooLong, message, remedy: "give the source a shorter name", cause: cause)
        default: return WorkerError(.unwritable, message, cause: cause)
        }
    }

    // MARK: - Looking

    /// Through links; nil where nothing is there. Throws `.unreadable`.
    static func status(_ path: FilePath) throws(WorkerError) -> Status? {
        var status = stat()
        guard path.withPlatformString({ stat($0, &status) }) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw WorkerError(.unreadable, "\(path.shown) cannot be looked at", cause: String(cString: strerror(errno)))
        }
        return Status(status)
    }

    /// The name itself: a link counts, wherever it leads.
    static func isThere(_ path: FilePath) -> Bool {
        var status = stat()
        return path.withPlatformString { lstat($0, &status) } == 0
    }

    /// A file of that name itself, no link to one.
    static func isRegular(_ path: FilePath) -> Bool {
        var status = stat()
        return path.withPlatformString { lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    // MARK: - Folders

    /// Makes a folder with all above it, and makes their names last.
    static func makeFolder(_ path: FilePath) throws(WorkerError) {
        guard try status(path) == nil else { return }
        let parent = path.removingLastComponent()
        if !parent.isEmpty, parent != path { try makeFolder(parent) }
        guard path.withPlatformString({ path in SystemCall.retried { mkdir(path, 0o777) } }) == 0 || errno == EEXIST else {
            throw error(errno, "the folder \(path.shown) cannot be made")
        }
        synchronizeFolder(parent)
    }

    /// File systems that cannot sync a folder are let be.
    /// Returns false where the disk has refused: the names in the folder may be lost then.
    @discardableResult
    static func synchronizeFolder(_ path: FilePath) -> Bool {
        let descriptor = (path.isEmpty ? "." : path).withPlatformString { path in
            SystemCall.retried { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        }
        guard descriptor >= 0 else { return errno == EACCES }
        defer { close(descriptor) }
        return SystemCall.retried { fsync(descriptor) } == 0 || errno == EINVAL || errno == ENOTSUP
    }

    static func remove(_ path: FilePath) { _ = path.withPlatformString { path in SystemCall.retried { unlink(path) } } }

    // MARK: - Placing

    static func makeLink(to target: FilePath, at path: FilePath) throws(WorkerError) {
        remove(path)
        let result = target.withPlatformString { target in
            path.withPlatformString { path in SystemCall.retried { symlink(target, path) } }
        }
        guard result == 0 else { throw error(errno, "\(path.shown) cannot be made") }
    }

    /// Gives a file its final name. Throws `.outputExists` unless `replacing`.
    static func move(_ from: FilePath, to path: FilePath, replacing: Bool) throws(WorkerError) {
        if !replacing {
            // A second name never replaces anything, on network file systems neither.
            let linked = from.withPlatformString { from in path.withPlatformString { path in SystemCall.retried { link(from, path) } } }
            if linked == 0 { return remove(from) }
            guard errno == EPERM || errno == ENOTSUP || errno == ENOSYS else { throw moveError(errno, path) }
            guard !isThere(path) else { throw exists(path) }
        }
        let renamed = from.withPlatformString { from in path.withPlatformString { path in SystemCall.retried { rename(from, path) } } }
        guard renamed == 0 else { throw moveError(errno, path) }
    }

    private static func moveError(_ code: Int32, _ path: FilePath) -> WorkerError {
        code == EEXIST ? exists(path) : error(code, "\(path.shown) cannot be put in place")
    }

    static func exists(_ path: FilePath) -> WorkerError {
        WorkerError(.outputExists, "\(path.shown) is there already and is no result of this folder", remedy: "move it away, then retry")
    }

    // MARK: - Content

    /// Replaces a small file at once, and makes it last.
    static func write(_ bytes: [UInt8], to path: FilePath, mode: mode_t = 0o600) throws(WorkerError) {
        let temporary = FilePath(bytes: path.bytes + Array(".tmp".utf8)) ?? path
        let descriptor = temporary.withPlatformString { path in
            SystemCall.retried { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode) }
        }
        guard descriptor >= 0 else { throw error(errno, "\(path.shown) cannot be written") }
        defer { close(descriptor) }
        let code = SystemCall.writeAll(bytes, to: descriptor)
        guard code == 0, SystemCall.retried({ fsync(descriptor) }) == 0 else {
            throw error(code == 0 ? errno : code, "\(path.shown) cannot be written")
        }
        try move(temporary, to: path, replacing: true)
        synchronizeFolder(path.removingLastComponent())
    }

    /// Opens a file for reading; -1 with `errno` for what is none, such as a pipe, which would be waited for.
    /// - Parameter followsLink: a link at the path's end is followed; else it is none.
    static func openRegular(_ path: FilePath, followsLink: Bool = true) -> Int32 {
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (followsLink ? 0 : O_NOFOLLOW)
        let descriptor = path.withPlatformString { path in SystemCall.retried { open(path, flags) } }
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) != 0 || status.st_mode & S_IFMT != S_IFREG else { return descriptor }
        close(descriptor)
        errno = EINVAL
        return -1
    }

    /// A whole small file; nil where there is none, or it is larger than `most` bytes. Throws `.unreadable` where the disk fails.
    static func read(_ path: FilePath, followsLink: Bool = true, most: Int = 64 << 20) throws(WorkerError) -> [UInt8]? {
        let descriptor = openRegular(path, followsLink: followsLink)
        guard descriptor >= 0 else {
            if [ENOENT, ENOTDIR, ELOOP, EINVAL, EACCES, EPERM].contains(errno) { return nil }
            throw unreadable(path, errno)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= most {
            let count = SystemCall.retried { Glibc.read(descriptor, &chunk, chunk.count) }
            if count == 0 { return bytes }
            guard count > 0 else { throw unreadable(path, errno) }
            bytes += chunk[..<count]
        }
        return nil
    }

    /// Copies the content of a file, which is no link, as shared storage where the file system has that (ioctl_ficlone(2)), and syncs it. False after a
    /// stop, which `isStopped` tells.
    static func copy(_ from: FilePath, to path: FilePath, isStopped: () -> Bool) throws -> Bool {
        let input = openRegular(from, followsLink: false)
        guard input >= 0 else { throw unreadable(from, errno) }
        defer { close(input) }
        let output = path.withPlatformString { path in SystemCall.retried { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666) } }
        guard output >= 0 else { throw error(errno, "\(path.shown) cannot be written") }
        defer { close(output) }
        if ioctl(output, cloneRequest, input) != 0 {
            guard try copyBytes(from: input, from, to: output, path, isStopped: isStopped) else { return false }
        }
        guard SystemCall.retried({ fsync(output) }) == 0 else { throw error(errno, "\(path.shown) cannot be written to the disk") }
        return true
    }

    /// FICLONE of linux/fs.h.
    private static let cloneRequest: UInt = 0x4004_9409

    private static func copyBytes(
        from input: Int32, _ from: FilePath, to output: Int32, _ path: FilePath, isStopped: () -> Bool
    ) throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 4 << 20)
        while !isStopped() {
            let count = SystemCall.retried { Glibc.read(input, &chunk, chunk.count) }
            if count == 0 { return true }
            guard count > 0 else { throw unreadable(from, errno) }
            let code = chunk.withUnsafeBytes { SystemCall.writeAll(UnsafeRawBufferPointer(rebasing: $0[..<count]), to: output) }
            guard code == 0 else { throw error(code, "\(path.shown) cannot be written") }
        }
        return false
    }

    static func unreadable(_ path: FilePath, _ code: Int32) -> WorkerError {
        WorkerError(.unreadable, "\(path.shown) cannot be read", remedy: "it is tried again", cause: String(cString: strerror(code)))
    }
}

/// A lock on a job's folder (flock(2)), held as long as this object lives.
final class FolderLock: Sendable {
    private let descriptor: Int32

    /// Waits up to 10 s for a predecessor that is about to end. Throws `.busy`, `.unwritable`.
    init(_ folder: String, isStopped: () -> Bool) throws(WorkerError) {
        descriptor = SystemCall.retried { open(folder + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { throw WorkFiles.error(errno, "\(folder) cannot be written") }
        for _ in 0..<200 where !isStopped() {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
            usleep(50_000)
        }
        // The object is whole, so that its end closes the file.
        throw WorkerError(.busy, "another worker is at the job in \(folder)", remedy: "it is tried again")
    }

    deinit { close(descriptor) }
}
