internal import Foundation

/// Small files that the system makes up, such as those below /proc.
enum FileContents {
    static func bytes(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map { [UInt8]($0) } }

    /// Without white space at both ends; empty where it cannot be read.
    static func text(_ path: String) -> String {
        String(decoding: bytes(path) ?? [], as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
