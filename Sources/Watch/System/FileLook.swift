internal import Glibc
public import SystemPackage

/// Whether a process has a file open for writing.
public enum Writers: Sendable {
    case none, some
    /// The kernel does not say: the file is another user's and this process has no CAP_LEASE (capabilities(7)), or its file
    /// system has no leases, or other machines may write to it. It may be open.
    case unknown

    /// Those of the file at `path` now.
    public static func of(_ path: FilePath) -> Writers {
        let isRemote = Mount.holding(path.removingLastComponent())?.isRemote ?? true
        return (try? FileLook.at(path, isRemote: isRemote).writers) ?? .unknown
    }
}

/// A look at a file that may be complete.
struct FileLook: Sendable {
    /// Nil where no regular file is there.
    var facts: FileFacts?
    var writers: Writers

    /// Values of <fcntl.h> that Swift does not see: they are GNU's own. The same on x86-64 and arm64.
    private enum GNU {
        static let setLease: Int32 = 1024
        static let setSignal: Int32 = 10
        static let pathOnly: Int32 = 0o10_000_000
    }

    /// - Parameter isRemote: others may write it: then the file is opened, which makes a network file system ask its server anew,
    ///   and nobody is asked about writers, since only this machine's are known here (and NFS answers as if there were some).
    /// - Throws: what keeps it from being looked at, unless it just is not there.
    static func at(_ path: FilePath, isRemote: Bool) throws(Errno) -> FileLook {
        do {
            return isRemote ? try remote(path) : try local(path)
        } catch {
            guard error.meansAbsent || error == .tooManySymbolicLinkLevels else { throw error }
            return FileLook(facts: nil, writers: .unknown)
        }
    }

    private static func remote(_ path: FilePath) throws(Errno) -> FileLook {
        let status = try FileStatus.of(path)
        guard status.kind == .regular else { return FileLook(facts: nil, writers: .unknown) }
        let file = path.withPlatformString { open($0, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) }
        guard file >= 0 else {
            if Errno(rawValue: errno).meansAbsent { throw Errno(rawValue: errno) }
            return FileLook(facts: status.facts, writers: .unknown)
        }
        defer { close(file) }
        let opened = try FileStatus.of(descriptor: file)
        return FileLook(facts: opened.kind == .regular ? opened.facts : nil, writers: .unknown)
    }

    /// What is no regular file is never opened, whatever happens in between: the first descriptor only names it.
    private static func local(_ path: FilePath) throws(Errno) -> FileLook {
        let named = path.withPlatformString { open($0, GNU.pathOnly | O_CLOEXEC) }
        guard named >= 0 else { throw Errno(rawValue: errno) }
        defer { close(named) }
        let status = try FileStatus.of(descriptor: named)
        guard status.kind == .regular else { return FileLook(facts: nil, writers: .unknown) }
        let file = open("/proc/self/fd/\(named)", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard file >= 0 else { return FileLook(facts: status.facts, writers: .unknown) }
        defer { close(file) }
        return FileLook(facts: status.facts, writers: writers(of: file))
    }

    /// A read lease (fcntl(2)) is granted only where nobody has the file open for writing. It is given back at once.
    private static func writers(of file: Int32) -> Writers {
        // Somebody who opens the file meanwhile makes the kernel send a signal; the usual one would end this process.
        guard fcntl(file, GNU.setSignal, SIGURG) == 0 else { return .unknown }
        guard fcntl(file, GNU.setLease, Int32(F_RDLCK)) == 0 else { return errno == EAGAIN ? .some : .unknown }
        _ = fcntl(file, GNU.setLease, Int32(F_UNLCK))
        return .none
    }
}
