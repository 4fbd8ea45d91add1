internal import Base
internal import Glibc
internal import SystemPackage

/// What is done in folders that are open, whatever their paths lead to meanwhile.
enum FolderDescriptor {
    /// AT_REMOVEDIR of fcntl.h.
    static let removesFolder: Int32 = 0x200
    /// O_PATH of fcntl.h, which Swift does not see.
    private static let pathOnly: Int32 = 0o10_000_000
    private static let flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC
    /// Folders in folders; nobody makes as many.
    private static let depth = 16

    /// -1 with `errno` where it cannot be opened. A folder that may be written but not listed is opened as well as it can be.
    static func open(_ path: FilePath) -> Int32 {
        path.withPlatformString { path in
            let folder = SystemCall.retried { Glibc.open(path, flags) }
            return folder >= 0 || errno != EACCES ? folder : SystemCall.retried { Glibc.open(path, pathOnly | O_DIRECTORY | O_CLOEXEC) }
        }
    }

    /// A folder in `folder`; a link is none.
    static func open(_ name: UnsafePointer<CChar>, in folder: Int32) -> Int32 {
        SystemCall.retried { openat(folder, name, flags | O_NOFOLLOW) }
    }

    /// The folder's number within its file system.
    static func number(of folder: Int32) -> UInt64? {
        var status = stat()
        return fstat(folder, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    /// True where the folder belongs to whom files belong that this process makes. Where a file system gives all files to one
    /// user, that is seen by making one.
    static func isOwn(_ folder: Int32) -> Bool {
        var status = stat()
        guard fstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return false }
        if status.st_uid == geteuid() { return true }
        let name = ".solstice-owner-" + String(UInt64.random(in: .min ... .max), radix: 36)
        let file = SystemCall.retried { openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        guard file >= 0 else { return false }
        defer { close(file) }
        SystemCall.retried { unlinkat(folder, name, 0) }
        var made = stat()
        return fstat(file, &made) == 0 && made.st_uid == status.st_uid
    }

    /// Names in the folder, each with a closing zero; nil where it cannot be listed.
    static func names(in folder: Int32) -> [[CChar]]? {
        // Opened anew: a copy of the descriptor would share its place in the list.
        let own = SystemCall.retried { openat(folder, ".", flags) }
        guard own >= 0 else { return nil }
        guard let stream = fdopendir(own) else {
            close(own)
            return nil
        }
        defer { closedir(stream) }
        var names: [[CChar]] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { $0.prefix { $0 != 0 }.map(CChar.init(bitPattern:)) }
            if name != [46], name != [46, 46] { names.append(name + [0]) }
        }
        return names
    }

    /// Removes all that is in the folder, on its own file system.
    static func empty(_ folder: Int32, depth: Int = FolderDescriptor.depth) {
        var own = stat()
        guard depth > 0, fstat(folder, &own) == 0 else { return }
        for name in names(in: folder) ?? [] {
            if SystemCall.retried({ unlinkat(folder, name, 0) }) == 0 || errno != EISDIR && errno != EPERM { continue }
            let inner = open(name, in: folder)
            guard inner >= 0 else { continue }
            var status = stat()
            if fstat(inner, &status) == 0, status.st_dev == own.st_dev { empty(inner, depth: depth - 1) }
            close(inner)
            SystemCall.retried { unlinkat(folder, name, removesFolder) }
        }
    }

    /// Of the files directly in the folder.
    static func bytes(of folder: Int32) -> Int64 {
        (names(in: folder) ?? []).reduce(0) { sum, name in
            var status = stat()
            guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG else { return sum }
            return sum + Int64(status.st_size)
        }
    }

    /// False where the disk has refused; file systems that cannot sync a folder, and folders that may not be read, are let be.
    static func synchronize(_ folder: Int32) -> Bool {
        SystemCall.retried { fsync(folder) } == 0 || [EINVAL, ENOTSUP, EBADF].contains(errno)
    }
}
