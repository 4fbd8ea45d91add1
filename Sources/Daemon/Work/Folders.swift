internal import Base
internal import Glibc
internal import SystemPackage

/// Folders, and names in them, that are to last.
enum Folders {
    /// Makes a folder with all above it, and syncs their names. Throws `Errno`.
    static func make(_ folder: FilePath) throws(Errno) {
        if folder.isEmpty || FileStatus(folder)?.isFolder == true { return }
        let parent = folder.removingLastComponent()
        if parent != folder { try make(parent) }
        if folder.withPlatformString({ path in SystemCall.retried { mkdir(path, 0o777) } }) != 0 {
            guard errno == EEXIST else { throw Errno(rawValue: errno) }
            return
        }
        guard synchronize(parent) else { throw Errno(rawValue: errno) }
    }

    /// False, with `errno` set, where the disk has refused; file systems that cannot sync a folder are let be.
    @discardableResult
    static func synchronize(_ folder: FilePath) -> Bool {
        guard let descriptor = try? FileDescriptor.open(folder.isEmpty ? "." : folder, .readOnly, options: [.closeOnExec, .directory]) else {
            return errno == EACCES
        }
        let isSafe = synchronize(descriptor)
        let code = errno
        try? descriptor.close()
        errno = code
        return isSafe
    }

    static func synchronize(_ folder: FileDescriptor) -> Bool {
        SystemCall.retried { fsync(folder.rawValue) } == 0 || errno == EINVAL || errno == ENOTSUP
    }

    /// Opens a folder, links followed.
    static func open(_ folder: FilePath) throws(Errno) -> FileDescriptor {
        try opened((folder.isEmpty ? "." : folder).withPlatformString { path in SystemCall.retried { Glibc.open(path, flags) } })
    }

    /// Opens a folder in one that is open; a link is none.
    static func open(_ name: FilePath, in folder: FileDescriptor) throws(Errno) -> FileDescriptor {
        try opened(name.withPlatformString { name in SystemCall.retried { openat(folder.rawValue, name, flags | O_NOFOLLOW) } })
    }

    private static let flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC

    private static func opened(_ descriptor: Int32) throws(Errno) -> FileDescriptor {
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        return FileDescriptor(rawValue: descriptor)
    }
}

/// What stat(2) says of a path, links followed.
struct FileStatus: Equatable {
    var size: Int64
    /// Nanoseconds since 1970.
    var modified: Int64
    var isFile: Bool
    var isFolder: Bool
    /// Tells file systems apart, and the number files within one.
    var device: UInt64
    var number: UInt64

    /// Nil where nothing is there, or it may not be asked.
    init?(_ path: FilePath) {
        var status = stat()
        guard path.withPlatformString({ stat($0, &status) }) == 0 else { return nil }
        size = Int64(status.st_size)
        modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
        isFile = status.st_mode & S_IFMT == S_IFREG
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
    }
}
