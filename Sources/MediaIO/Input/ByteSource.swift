import Glibc

/// Random access to the bytes of a file, or of a test's array.
protocol ByteSource {
    /// Bytes in all.
    var size: Int64 { get }
    /// The bytes from `offset` on: `count` of them, fewer at the end or where they cannot be read.
    func read(at offset: Int64, count: Int) -> [UInt8]
}

/// A file, read by `pread`.
final class FileBytes: ByteSource {
    let size: Int64
    private let descriptor: Int32

    /// nil where the file cannot be opened.
    init?(path: String) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        var status = stat()
        size = fstat(descriptor, &status) == 0 ? Int64(status.st_size) : 0
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func read(at offset: Int64, count: Int) -> [UInt8] {
        guard offset >= 0, offset < size, count > 0 else { return [] }
        let wanted = Int(min(Int64(count), size - offset))
        return [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
            filled = 0
            while filled < wanted, let base = buffer.baseAddress {
                let got = pread(descriptor, base + filled, wanted - filled, off_t(offset) + off_t(filled))
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { return }
                filled += got
            }
        }
    }
}
