internal import Base

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A regular file, read at any offset, by several threads at once where they like; every read is checked against the file's size.
final class RandomAccessFile: Sendable {
    let path: String
    /// Size in bytes when the file was opened.
    let size: Int
    private let descriptor: Int32

    /// Opens `path` for reading.
    ///
    /// - Throws: `TSITError` `.noSuchFile` where it may not be read or is not a regular file, `.unreadable` where the disk fails.
    init(path: String) throws(TSITError) {
        // Without O_NONBLOCK a named pipe without a writer would hang here.
        let opened = SystemCall.retried { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard opened >= 0 else {
            guard [ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP, EACCES, EPERM].contains(errno) else { throw Self.unreadable(path, errno) }
            throw TSITError(
                .noSuchFile, "cannot read \(quoted(path))", remedy: "check the path and its permissions",
                cause: SystemError.text(errno))
        }
        var status = stat()
        guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(opened)
            throw TSITError(.noSuchFile, "\(quoted(path)) is not a regular file", remedy: "give the path of a file")
        }
        self.path = path
        size = Int(status.st_size)
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// `count` bytes from `offset`.
    ///
    /// - Throws: `TSITError` `.damagedFile` where the file ends before, `.unreadable` where the disk fails.
    func bytes(at offset: Int, count: Int) throws(TSITError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: try checked(offset, count))
        try fill(&result, from: offset)
        return result
    }

    /// The numbers stored from `offset`, in the machine's byte order (little-endian on all that solstice runs on).
    func values<Element: BitwiseCopyable & Numeric>(
        at offset: Int, count: Int, as type: Element.Type = Element.self
    ) throws(TSITError) -> [Element] {
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        guard count >= 0, !overflow else { throw truncated() }
        _ = try checked(offset, byteCount)
        var result = [Element](repeating: 0, count: count)
        try fill(&result, from: offset)
        return result
    }

    /// Calls `body` with the bytes of a range in order, at most 1 MiB at a time.
    func forEachChunk(
        at offset: Int, count: Int, _ body: ([UInt8]) throws(TSITError) -> Void
    ) throws(TSITError) {
        var position = offset
        let end = offset + (try checked(offset, count))
        while position < end {
            let chunk = try bytes(at: position, count: min(1 << 20, end - position))
            try body(chunk)
            position += chunk.count
        }
    }

    /// Whether `path` leads to this very file, whatever it is called there.
    func isSame(as path: String) -> Bool {
        var mine = stat()
        var other = stat()
        guard fstat(descriptor, &mine) == 0, stat(path, &other) == 0 else { return false }
        return mine.st_dev == other.st_dev && mine.st_ino == other.st_ino
    }

    private func checked(_ offset: Int, _ count: Int) throws(TSITError) -> Int {
        guard offset >= 0, count >= 0, offset <= size, count <= size - offset else { throw truncated() }
        return count
    }

    private func truncated() -> TSITError {
        TSITError(
            .damagedFile, "\(quoted(path)) is truncated: it ends before the data that it announces",
            remedy: "download or copy it again")
    }

    private func fill<Element: BitwiseCopyable>(_ buffer: inout [Element], from offset: Int) throws(TSITError) {
        let descriptor = descriptor
        let outcome: Int32? = buffer.withUnsafeMutableBytes { raw in
            var done = 0
            while done < raw.count {
                // One call moves less than 2 GiB on Linux, and may be interrupted by a signal.
                let rest = UnsafeMutableRawBufferPointer(rebasing: raw[done...])
                let moved = pread(descriptor, rest.baseAddress, min(rest.count, 1 << 30), off_t(offset + done))
                if moved < 0, errno == EINTR { continue }
                guard moved > 0 else { return moved == 0 ? 0 : errno }
                done += moved
            }
            return nil
        }
        guard let outcome else { return }
        guard outcome != 0 else { throw truncated() }
        throw Self.unreadable(path, outcome)
    }

    private static func unreadable(_ path: String, _ code: Int32) -> TSITError {
        TSITError(.unreadable, "cannot read \(quoted(path))", remedy: "check its disk or network", cause: SystemError.text(code))
    }
}

/// The system's words for its error numbers.
enum SystemError {
    static func text(_ number: Int32) -> String {
        // strerror's text is copied at once; glibc keeps it per thread.
        strerror(number).map { String(cString: $0) } ?? "error \(number)"
    }
}

/// A name from a file or the command line, made safe to print: control characters escaped, at most 120 characters.
func quoted(_ name: String) -> String {
    var text = ""
    for scalar in name.unicodeScalars.prefix(120) {
        text += scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return name.unicodeScalars.count > 120 ? "'\(text)…'" : "'\(text)'"
}
