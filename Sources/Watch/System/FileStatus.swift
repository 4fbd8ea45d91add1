internal import Base
internal import Glibc
internal import SystemPackage

/// What tells one content of a file from another without reading it.
struct FileFacts: Sendable, Hashable {
    /// Bytes.
    var size: Int64
    /// Nanoseconds since 1970. Only compared for being the same: clocks, this one's and the file system's, may say anything.
    var modified: Int64
    var device: UInt64
    var inode: UInt64
}

/// What stat(2) says of a file.
struct FileStatus {
    enum Kind { case regular, folder, other }

    var kind: Kind
    var facts: FileFacts
    /// Names that lead to it.
    var links: UInt64

    init(_ raw: stat) {
        switch raw.st_mode & S_IFMT {
        case S_IFREG: kind = .regular
        case S_IFDIR: kind = .folder
        default: kind = .other
        }
        let (seconds, nanoseconds) = (Int64(raw.st_mtim.tv_sec), Int64(raw.st_mtim.tv_nsec))
        // A damaged file system may say any number of seconds.
        facts = FileFacts(
            size: Int64(raw.st_size), modified: seconds &* 1_000_000_000 &+ nanoseconds, device: UInt64(raw.st_dev),
            inode: UInt64(raw.st_ino))
        links = UInt64(raw.st_nlink)
    }

    /// Follows links.
    static func of(_ path: FilePath) throws(Errno) -> FileStatus {
        var raw = stat()
        guard path.withPlatformString({ stat($0, &raw) }) == 0 else { throw Errno(rawValue: errno) }
        return FileStatus(raw)
    }

    static func of(descriptor: Int32) throws(Errno) -> FileStatus {
        var raw = stat()
        guard fstat(descriptor, &raw) == 0 else { throw Errno(rawValue: errno) }
        return FileStatus(raw)
    }

    /// Of a descriptor of `TrustedPath`.
    static func named(_ descriptor: Int32) throws(TrustedPath.Failure) -> FileStatus {
        do throws(Errno) { return try of(descriptor: descriptor) } catch { throw .system(error.rawValue) }
    }

    /// Of a file below a watched folder, as `TrustedPath` finds it.
    static func of(_ path: FilePath, below root: FilePath) throws(TrustedPath.Failure) -> FileStatus {
        let named = try TrustedPath.name(path.nameBytes, below: root.nameBytes)
        defer { close(named) }
        return try self.named(named)
    }

    /// Of a name in the folder that is open as `folder`; nil for a link.
    static func ofEntry(_ name: FilePath.Component, in folder: Int32) throws(Errno) -> FileStatus? {
        var raw = stat()
        guard name.withPlatformString({ fstatat(folder, $0, &raw, AT_SYMLINK_NOFOLLOW) }) == 0 else { throw Errno(rawValue: errno) }
        return raw.st_mode & S_IFMT == S_IFLNK ? nil : FileStatus(raw)
    }
}

extension Errno {
    /// The name is not there, or what should be a folder on the way to it is none.
    var meansAbsent: Bool { self == .noSuchFileOrDirectory || self == .notDirectory }
}

extension TrustedPath.Failure {
    /// Nothing is there, or it is only reached through a folder that is a link by now.
    var meansAbsent: Bool {
        if case .system(let code) = self { Errno(rawValue: code).meansAbsent || code == ELOOP } else { false }
    }
}
