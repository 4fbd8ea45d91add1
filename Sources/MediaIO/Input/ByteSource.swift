internal import Base
import Glibc

/// Random access to the bytes of a file, or of a test's array.
protocol ByteSource {
    /// Bytes in all.
    var size: Int64 { get }
    /// The bytes from `offset` on: `count` of them, fewer only at the end. Throws `.unreadable`.
    func read(at offset: Int64, count: Int) throws(MediaError) -> [UInt8]
}

/// A file, read by `pread`.
final class FileBytes: ByteSource {
    let size: Int64
    private let path: String
    private let descriptor: Int32

    /// Throws `.unreadable` where the file cannot be opened.
    init(path: String) throws(MediaError) {
        self.path = path
        descriptor = SystemCall.retried { open(path, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw Self.failure(path, errno) }
        var status = stat()
        size = fstat(descriptor, &status) == 0 ? Int64(status.st_size) : 0
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func read(at offset: Int64, count: Int) throws(MediaError) -> [UInt8] {
        guard offset >= 0, offset < size, count > 0 else { return [] }
        let wanted = Int(min(Int64(count), size - offset))
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
            filled = 0
            while filled < wanted, let base = buffer.baseAddress {
                let got = pread(descriptor, base + filled, wanted - filled, off_t(offset) + off_t(filled))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                guard got > 0 else { return }
                filled += got
            }
        }
        guard failure == 0 else { throw Self.failure(path, failure) }
        return bytes
    }

    private static func failure(_ path: String, _ code: Int32) -> MediaError {
        MediaError(.unreadable, "\(path) cannot be read", remedy: "check its disk or network", cause: String(cString: strerror(code)))
    }
}
