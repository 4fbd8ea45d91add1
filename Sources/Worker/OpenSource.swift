internal import Base
internal import Glibc
internal import Jobs
internal import SystemPackage

/// The source as it is open for a worker's whole life: what its path leads to later is of no account.
///
/// It is found as `TrustedPath` finds it, so that nobody gets a translation of what he may not read by turning a link.
final class OpenSource: Sendable {
    private let descriptor: Int32
    let status: WorkFiles.Status

    /// Throws `.noSuchFile`, `.unreadable`, `.foreignLink`.
    init(_ paths: WorkPaths) throws(WorkerError) {
        let named = try Self.name(paths)
        defer { close(named) }
        status = try Self.status(of: named, paths)
        descriptor = TrustedPath.open(named: named)
        guard descriptor >= 0 else { throw Self.unreadable(paths, errno) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Good in this process only.
    var path: FilePath { FilePath("/proc/self/fd/\(descriptor)") }

    /// What stands at the source's path now. Throws as `init`.
    static func statusNow(_ paths: WorkPaths) throws(WorkerError) -> WorkFiles.Status {
        let named = try name(paths)
        defer { close(named) }
        return try status(of: named, paths)
    }

    private static func name(_ paths: WorkPaths) throws(WorkerError) -> Int32 {
        do throws(TrustedPath.Failure) {
            return try TrustedPath.name(paths.relativePath.bytes, below: paths.root.bytes)
        } catch {
            switch error {
            case .system(ENOENT), .system(ENOTDIR), .system(ELOOP):
                throw WorkerError(.noSuchFile, "\(paths.source.shown) is not there any more", remedy: "put it back")
            case .system(let code): throw unreadable(paths, code)
            case .foreignLink(let link, let file):
                throw WorkerError(
                    .foreignLink, "\(paths.source.shown) is a link of user \(link) to a file of user \(file), and is not followed",
                    remedy: "give the link to the file's owner (chown -h) where it is meant")
            }
        }
    }

    /// Throws `.noSuchFile` for what is no file, such as a pipe, which would be waited for.
    private static func status(of named: Int32, _ paths: WorkPaths) throws(WorkerError) -> WorkFiles.Status {
        var status = stat()
        guard fstat(named, &status) == 0 else { throw unreadable(paths, errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw WorkerError(.noSuchFile, "\(paths.source.shown) is no file any more", remedy: "put it back")
        }
        return WorkFiles.Status(status)
    }

    private static func unreadable(_ paths: WorkPaths, _ code: Int32) -> WorkerError {
        WorkerError(.unreadable, "\(paths.source.shown) cannot be read", cause: String(cString: strerror(code)))
    }
}
