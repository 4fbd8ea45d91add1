import Glibc

/// Opens files in folders that other users may write to, without following links of theirs to what is not theirs.
///
/// Anybody who may write to a folder can make a symbolic link there to a file that only this process may read. So a link is
/// followed only where it belongs to root, to this process's user or to the owner of the file at its end, and a chain of links
/// only where all of them do. (The kernel has the like for sticky folders: protected_symlinks in proc_sys_fs(5). Hard links
/// bear no owner of their own; protected_hardlinks keeps users from making them of files that they may not write.)
public enum TrustedPath {
    public enum Failure: Error, Equatable, Sendable {
        /// A POSIX code; ELOOP where a folder of the path is a link, or too many links lead to each other.
        case system(Int32)
        /// A link of the user `link` leads to a file of the user `file`.
        case foreignLink(link: UInt32, file: UInt32)
    }

    /// O_PATH of fcntl.h, which Swift does not see.
    private static let pathOnly: Int32 = 0o10_000_000

    /// Names the file at `path`, which is relative, below the folder at `root`, whose own path is followed wherever it leads:
    /// folders on the way are no links, the last name may be one. Nothing is opened that waits or has an effect.
    ///
    /// - Returns: a descriptor that names the file (O_PATH), which the caller closes.
    public static func name(_ path: [UInt8], below root: [UInt8]) throws(Failure) -> Int32 {
        let folder = (root.isEmpty ? [UInt8(ascii: ".")] : root).withTerminated { path in
            SystemCall.retried { Glibc.open(path, pathOnly | O_DIRECTORY | O_CLOEXEC) }
        }
        guard folder >= 0 else { throw .system(errno) }
        var walk = Walk(folder: folder, path: path)
        defer { walk.close() }
        return try walk.run()
    }

    /// Opens the regular file that a descriptor of `name` names, for reading; -1 with `errno` where that cannot be done.
    public static func open(named descriptor: Int32) -> Int32 {
        SystemCall.retried { Glibc.open("/proc/self/fd/\(descriptor)", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) }
    }

    /// The way along a path, one name after another.
    private struct Walk {
        /// Where the walk has come to; owned.
        private var folder: Int32
        /// Names still to go, the next one last.
        private var rest: [ArraySlice<UInt8>]
        /// How many of them the caller has given.
        private var given: Int
        private var owners: [uid_t] = []
        /// As many links as Linux follows (path_resolution(7)).
        private static let mostLinks = 40

        init(folder: Int32, path: [UInt8]) {
            self.folder = folder
            rest = Self.names(path)
            given = rest.count
        }

        private static func names(_ path: [UInt8]) -> [ArraySlice<UInt8>] {
            path.split(separator: UInt8(ascii: "/")).filter { $0 != [UInt8(ascii: ".")] }.reversed()
        }

        func close() { Glibc.close(folder) }

        mutating func run() throws(Failure) -> Int32 {
            while let next = rest.popLast() {
                let isGiven = given > rest.count
                given = min(given, rest.count)
                let found = Self.open(Array(next), in: folder, isLast: rest.isEmpty)
                guard found >= 0 else { throw .system(errno) }
                var status = stat()
                guard fstat(found, &status) == 0 else {
                    defer { Glibc.close(found) }
                    throw .system(errno)
                }
                if status.st_mode & S_IFMT == S_IFLNK {
                    defer { Glibc.close(found) }
                    // A folder that the caller has seen as one is replaced by a link.
                    guard !isGiven || rest.isEmpty else { throw .system(ELOOP) }
                    try follow(found, owner: status.st_uid)
                } else if rest.isEmpty {
                    return try judged(found, owner: status.st_uid)
                } else {
                    Glibc.close(folder)
                    folder = found
                }
            }
            // It leads to a folder that the walk has come to already.
            let found = SystemCall.retried { openat(folder, ".", pathOnly | O_DIRECTORY | O_CLOEXEC) }
            var status = stat()
            guard found >= 0, fstat(found, &status) == 0 else { throw .system(errno) }
            return try judged(found, owner: status.st_uid)
        }

        /// -1 with `errno`. Asked for a folder, the kernel mounts what is to be mounted there.
        private static func open(_ name: [UInt8], in folder: Int32, isLast: Bool) -> Int32 {
            name.withTerminated { name in
                let flags = pathOnly | O_NOFOLLOW | O_CLOEXEC
                let found = isLast ? -1 : SystemCall.retried { openat(folder, name, flags | O_DIRECTORY) }
                if found >= 0 || (!isLast && errno != ENOTDIR && errno != ELOOP) { return found }
                return SystemCall.retried { openat(folder, name, flags) }
            }
        }

        private mutating func follow(_ link: Int32, owner: uid_t) throws(Failure) {
            owners.append(owner)
            guard owners.count <= Self.mostLinks else { throw .system(ELOOP) }
            var text = [UInt8](repeating: 0, count: Int(PATH_MAX))
            let count = text.withUnsafeMutableBytes { readlinkat(link, "", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count) }
            guard count > 0 else { throw .system(count < 0 ? errno : ENOENT) }
            if text[0] == UInt8(ascii: "/") {
                let root = SystemCall.retried { Glibc.open("/", pathOnly | O_DIRECTORY | O_CLOEXEC) }
                guard root >= 0 else { throw .system(errno) }
                Glibc.close(folder)
                folder = root
            }
            rest += Self.names(Array(text[..<count]))
        }

        private func judged(_ file: Int32, owner: uid_t) throws(Failure) -> Int32 {
            guard let foreign = owners.first(where: { $0 != 0 && $0 != owner && $0 != geteuid() }) else { return file }
            Glibc.close(file)
            throw .foreignLink(link: foreign, file: owner)
        }
    }
}

extension [UInt8] {
    /// Calls `body` with these bytes and a zero behind them.
    fileprivate func withTerminated<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        (map(CChar.init(bitPattern:)) + [0]).withUnsafeBufferPointer { body($0.baseAddress!) }
    }
}
