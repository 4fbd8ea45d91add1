internal import Base

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A file written beside its final name and renamed when complete, so that no reader ever sees half of it.
///
/// Dropped without `commit`, it removes what it wrote.
final class AtomicFile {
    let path: String
    private let temporaryPath: String
    private var descriptor: Int32
    private static let temporaryNumber = Counter()

    /// Starts a file that will be called `path`.
    ///
    /// - Throws: `TSITError` `.unwritable`.
    init(path: String) throws(TSITError) {
        self.path = path
        // The process id tells two programs apart, the number two writers in one.
        let temporaryPath = "\(path).\(getpid())-\(Self.temporaryNumber.next()).part"
        self.temporaryPath = temporaryPath
        descriptor = SystemCall.retried { open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644) }
        guard descriptor >= 0 else { throw failure(errno) }
    }

    deinit { abandon() }

    /// Writes `values` as they lie in memory, from byte `offset` of the file.
    func write<Element: BitwiseCopyable>(_ values: [Element], at offset: Int) throws(TSITError) {
        let descriptor = descriptor
        let outcome: Int32? = values.withUnsafeBytes { raw in
            var done = 0
            while done < raw.count {
                let rest = UnsafeRawBufferPointer(rebasing: raw[done...])
                let moved = pwrite(descriptor, rest.baseAddress, min(rest.count, 1 << 30), off_t(offset + done))
                if moved < 0, errno == EINTR { continue }
                guard moved > 0 else { return moved == 0 ? ENOSPC : errno }
                done += moved
            }
            return nil
        }
        if let outcome { throw failure(outcome) }
    }

    /// Syncs the file to disk and gives it its final name, over an older file of that name.
    func commit() throws(TSITError) {
        guard SystemCall.retried({ fsync(descriptor) }) == 0 else { throw failure(errno) }
        let closing = close(descriptor) == 0 || errno == EINTR ? 0 : errno
        // Closed in any case.
        descriptor = -1
        guard closing == 0, SystemCall.retried({ rename(temporaryPath, path) }) == 0 else {
            let error = failure(closing == 0 ? errno : closing)
            SystemCall.retried { unlink(temporaryPath) }
            throw error
        }
        syncDirectory()
    }

    /// Removes what was written; nothing happens after `commit`.
    func abandon() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
        SystemCall.retried { unlink(temporaryPath) }
    }

    /// Makes the rename itself survive a power cut; file systems that cannot sync a directory are let be.
    private func syncDirectory() {
        let directory = SystemCall.retried { open(parentDirectory(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard directory >= 0 else { return }
        SystemCall.retried { fsync(directory) }
        close(directory)
    }

    private func failure(_ number: Int32) -> TSITError {
        let remedy =
            number == ENOSPC || number == EDQUOT
            ? "make room on the disk" : "check that the folder exists and may be written to"
        return TSITError(.unwritable, "cannot write \(quoted(path))", remedy: remedy, cause: SystemError.text(number))
    }
}

/// The folder that holds `path`.
public func parentDirectory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// The last component of `path`.
public func fileName(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
}

/// Whether something of that name exists, a dangling link included.
func fileExists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
}

/// Whether `path` leads to something that is there and not a folder.
public func isFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
}
