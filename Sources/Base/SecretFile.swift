internal import Glibc

/// A file whose first line is a password or a token.
public enum SecretFile {
    /// Bytes that a first line may have.
    public static let longest = 4096

    /// The first line of the file at `path`, links followed, which may be a pipe; nil where it cannot be read, is no UTF-8, or is longer than
    /// `longest` bytes. No more than that is read, so that a file without an end does no harm.
    public static func firstLine(_ path: String) -> String? {
        let descriptor = SystemCall.retried { open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC) }
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: longest + 1)
        let count = bytes.withUnsafeMutableBytes { SystemCall.readAll($0, from: descriptor) }
        guard count >= 0 else { return nil }
        let line = bytes[..<count].prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        return line.count <= longest ? String(validating: line, as: UTF8.self) : nil
    }
}
