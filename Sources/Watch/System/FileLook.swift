internal import Base
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
        guard Mount.holding(path.removingLastComponent())?.isRemote == false else { return .unknown }
        return FileLook.writers(of: path)
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

    /// - Parameters:
    ///   - path: below `root`; see `TrustedPath` for the links that are followed.
    ///   - isRemote: others may write it: then the file is opened, which makes a network file system ask its server anew,
    ///     and nobody is asked about writers, since only this machine's are known here (and NFS answers as if there were some).
    /// - Throws: what keeps it from being looked at, unless it just is not there. `.foreignLink` for a link that is not followed.
    static func at(_ path: FilePath, below root: FilePath, isRemote: Bool) throws(TrustedPath.Failure) -> FileLook {
        do {
            return isRemote ? try remote(path, below: root) : try local(path, below: root)
        } catch {
            guard error.meansAbsent else { throw error }
            return FileLook(facts: nil, writers: .unknown)
        }
    }

    private static func remote(_ path: FilePath, below root: FilePath) throws(TrustedPath.Failure) -> FileLook {
        let named = try TrustedPath.name(path.nameBytes, below: root.nameBytes)
        defer { close(named) }
        let status = try FileStatus.named(named)
        guard status.kind == .regular else { return FileLook(facts: nil, writers: .unknown) }
        // By its name once more where that is no link: only then does a client ask whether the name is still this file's.
        var file = root.pushing(path).withPlatformString { open($0, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC) }
        if file < 0, errno == ELOOP { file = TrustedPath.open(named: named) }
        guard file >= 0 else {
            if Errno(rawValue: errno).meansAbsent { throw .system(errno) }
            return FileLook(facts: status.facts, writers: .unknown)
        }
        defer { close(file) }
        let opened = try FileStatus.named(file)
        return FileLook(facts: opened.kind == .regular ? opened.facts : nil, writers: .unknown)
    }

    private static func local(_ path: FilePath, below root: FilePath) throws(TrustedPath.Failure) -> FileLook {
        let named = try TrustedPath.name(path.nameBytes, below: root.nameBytes)
        defer { close(named) }
        return try look(atNamed: named)
    }

    /// What is no regular file is never opened, whatever happens in between: the descriptor only names it.
    private static func look(atNamed named: Int32) throws(TrustedPath.Failure) -> FileLook {
        let status = try FileStatus.named(named)
        guard status.kind == .regular else { return FileLook(facts: nil, writers: .unknown) }
        let file = TrustedPath.open(named: named)
        guard file >= 0 else { return FileLook(facts: status.facts, writers: .unknown) }
        defer { close(file) }
        return FileLook(facts: status.facts, writers: writers(of: file))
    }

    /// Of a regular file, links followed.
    static func writers(of path: FilePath) -> Writers {
        let named = path.withPlatformString { open($0, GNU.pathOnly | O_CLOEXEC) }
        guard named >= 0 else { return .unknown }
        defer { close(named) }
        return (try? look(atNamed: named).writers) ?? .unknown
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
