internal import Base
internal import Crypto
import Glibc
internal import SystemPackage
internal import Jobs

/// SHA-256 of a file's content.
enum ContentHash {
    private static let chunk = 4 << 20

    /// In hex; nil after a stop. Throws `.noSuchFile`, `.unreadable`.
    static func of(_ path: FilePath, isStopped: () -> Bool) throws(WorkerError) -> String? {
        let descriptor = WorkFiles.openRegular(path)
        guard descriptor >= 0 else {
            let code: WorkerError.Code = errno == ENOENT || errno == ENOTDIR ? .noSuchFile : .unreadable
            throw WorkerError(code, "\(path.shown) cannot be read", cause: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: chunk)
        while !isStopped() {
            let count = SystemCall.retried { read(descriptor, &buffer, buffer.count) }
            guard count >= 0 else {
                throw WorkerError(.unreadable, "\(path.shown) cannot be read", cause: String(cString: strerror(errno)))
            }
            guard count > 0 else { return hex(hash.finalize()) }
            buffer.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
        return nil
    }

    private static func hex(_ digest: SHA256.Digest) -> String {
        digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
