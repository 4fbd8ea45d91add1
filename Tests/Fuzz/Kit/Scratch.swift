internal import Foundation

/// Files for readers that want a path.
public enum Scratch {
    /// Calls `body` with the path of a file that holds `bytes`; it has no name in any folder, so it goes with the process.
    public static func withFile<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
        var name = Array("\(FileManager.default.temporaryDirectory.path)/solstice-fuzz-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        guard descriptor >= 0 else { throw Violation(description: "no file for the input: error \(errno)") }
        defer { close(descriptor) }
        unlink(name)
        var done = 0
        while done < bytes.count {
            let written = bytes[done...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { throw Violation(description: "the file for the input cannot be written: error \(errno)") }
            done += written
        }
        return try body("/proc/self/fd/\(descriptor)")
    }

    /// Calls `body` with the path of an empty folder, and removes the folder with all that is in it then.
    public static func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("solstice-fuzz-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: url) }
        return try body(url.path)
    }
}
