internal import Base
internal import CSpawn
internal import Glibc
internal import Jobs
internal import SystemPackage
internal import Watch

/// A file in a folder that is held open: what is done to it is done there, wherever the folder's path leads meanwhile.
final class FolderEntry {
    /// What tells a file from another one behind the same name.
    struct Facts: Equatable {
        /// Of the entry itself: of a link, not of what it leads to.
        var device: UInt64
        var number: UInt64
        /// Of the file, links followed.
        var size: Int64
        /// Nanoseconds since 1970.
        var modified: Int64
    }

    let folder: FileDescriptor
    let name: [UInt8]

    init(folder: FileDescriptor, name: [UInt8]) { (self.folder, self.name) = (folder, name) }

    deinit { try? folder.close() }

    /// A job's source. Folders below the watched one are not opened through links, as the watcher lists none.
    /// Throws `Errno`.
    static func source(of job: Job) throws(Errno) -> FolderEntry {
        let components = Array(job.relativePath.components)
        guard let name = job.source.lastComponent else { throw .noSuchFileOrDirectory }
        var folder = job.source.removingLastComponent()
        let inner = job.source.components.suffix(components.count).elementsEqual(components) ? components.dropLast() : []
        for _ in inner { folder.removeLastComponent() }
        var opened = try Folders.open(folder)
        for component in inner {
            let outer = opened
            defer { try? outer.close() }
            opened = try Folders.open(FilePath(root: nil, [component]), in: outer)
        }
        return FolderEntry(folder: opened, name: FilePath(root: nil, [name]).bytes)
    }

    /// Another name in the same folder.
    func renamed(_ name: [UInt8]) throws(Errno) -> FolderEntry {
        let copy = fcntl(folder.rawValue, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw Errno(rawValue: errno) }
        return FolderEntry(folder: FileDescriptor(rawValue: copy), name: name)
    }

    private func withName<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        (name.map(CChar.init(bitPattern:)) + [0]).withUnsafeBufferPointer { body($0.baseAddress!) }
    }

    /// Good in this process only.
    var path: FilePath { FilePath(bytes: Array("/proc/self/fd/\(folder.rawValue)/".utf8) + name) ?? "/proc/self/fd/-1" }

    /// Its name for people.
    var shownName: String { FilePath(bytes: name)?.shown ?? "" }

    /// Nil where no regular file is there, links followed.
    var facts: Facts? {
        var entry = stat(), file = stat()
        let isThere = withName { fstatat(folder.rawValue, $0, &entry, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(folder.rawValue, $0, &file, 0) == 0 }
        guard isThere, file.st_mode & S_IFMT == S_IFREG else { return nil }
        return Facts(
            device: UInt64(entry.st_dev), number: UInt64(entry.st_ino), size: Int64(file.st_size),
            modified: Int64(file.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(file.st_mtim.tv_nsec))
    }

    /// True where anything has the name.
    var isThere: Bool {
        var status = stat()
        return withName { fstatat(folder.rawValue, $0, &status, AT_SYMLINK_NOFOLLOW) } == 0
    }

    var writers: Writers { Writers.of(path) }

    /// Gives it another name, which is not taken from anybody. Throws `Errno`, `.fileExists` where there is one.
    func move(to other: FolderEntry) throws(Errno) {
        let code = withName { from -> Int32 in
            other.withName { to -> Int32 in
                if SystemCall.retried({ shim_rename_without_replacing(folder.rawValue, from, other.folder.rawValue, to) }) == 0 { return 0 }
                guard [EINVAL, ENOSYS, ENOTSUP].contains(errno) else { return errno }
                // A file system without such a rename: a second name does not replace either.
                if SystemCall.retried({ linkat(folder.rawValue, from, other.folder.rawValue, to, 0) }) == 0 {
                    return SystemCall.retried { unlinkat(folder.rawValue, from, 0) } == 0 ? 0 : errno
                }
                guard errno == EPERM || errno == ENOTSUP else { return errno }
                // One without those, such as exFAT.
                if other.isThere { return EEXIST }
                return SystemCall.retried { renameat(folder.rawValue, from, other.folder.rawValue, to) } == 0 ? 0 : errno
            }
        }
        if code != 0 { throw Errno(rawValue: code) }
    }

    /// False, with `errno` set, where it is still there.
    @discardableResult
    func remove() -> Bool { withName { name in SystemCall.retried { unlinkat(folder.rawValue, name, 0) } } == 0 }

    /// Opens the regular file for reading, no link and nothing that would be waited for. Throws `Errno`.
    func open(followsLink: Bool) throws(Errno) -> FileDescriptor {
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (followsLink ? 0 : O_NOFOLLOW)
        let file = withName { name in SystemCall.retried { openat(folder.rawValue, name, flags) } }
        guard file >= 0 else { throw Errno(rawValue: errno) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(file)
            throw .invalidArgument
        }
        return FileDescriptor(rawValue: file)
    }

    /// Makes the file, which must not be there. Throws `Errno`.
    func create() throws(Errno) -> FileDescriptor {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let file = withName { name in SystemCall.retried { openat(folder.rawValue, name, flags, 0o644) } }
        guard file >= 0 else { throw Errno(rawValue: errno) }
        return FileDescriptor(rawValue: file)
    }

    /// False, with `errno` set, where the disk has refused to keep the folder's names.
    @discardableResult
    func synchronizeFolder() -> Bool { Folders.synchronize(folder) }
}
