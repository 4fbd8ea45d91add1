internal import Glibc

/// Calls of the C library, made so that a signal does not count as a failure.
public enum SystemCall {
    /// Makes a call again as long as a signal cuts it off (EINTR): network file systems and FUSE let that happen to any call on a file
    /// or a path. Not for close(2), which on Linux closes the file all the same.
    @discardableResult
    public static func retried<Result: SignedInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }

    /// Writes all of `bytes`, however many calls that takes. Returns 0, or the number of the error.
    public static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let count = retried { write(descriptor, base, rest.count) }
            // A write of nothing is no progress, and nothing says why.
            guard count > 0 else { return count == 0 ? ENOSPC : errno }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return 0
    }

    public static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32 { bytes.withUnsafeBytes { writeAll($0, to: descriptor) } }

    /// Reads until `buffer` is full or the file ends, from where the descriptor stands, or from `offset`. Returns the number of bytes, or
    /// -1 with `errno`.
    public static func readAll(_ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: Int64? = nil) -> Int {
        var filled = 0
        while let base = buffer.baseAddress, filled < buffer.count {
            let count = retried {
                offset.map { pread(descriptor, base + filled, buffer.count - filled, off_t($0) + off_t(filled)) }
                    ?? read(descriptor, base + filled, buffer.count - filled)
            }
            if count < 0 { return -1 }
            if count == 0 { break }
            filled += count
        }
        return filled
    }
}
