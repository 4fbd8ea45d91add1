internal import Foundation
internal import Jobs
internal import SystemPackage

/// Where the system's administrator wants file systems mounted (fstab(5)), and where some are (proc_pid_mountinfo(5)).
struct ExpectedMounts {
    private let wanted: [FilePath]
    private let mounted: Set<FilePath>

    init(fstab: String, mountinfo: String) {
        wanted = Self.fields(fstab).compactMap { fields in
            // Those that nobody mounts by itself say nothing about this moment.
            guard fields.count > 3, fields[1].hasPrefix("/"), !fields[3].split(separator: ",").contains("noauto") else { return nil }
            return Self.path(fields[1])
        }
        mounted = Set(Self.fields(mountinfo).compactMap { $0.count > 4 ? Self.path($0[4]) : nil })
    }

    /// As the system is now.
    static var now: ExpectedMounts {
        func text(_ path: String) -> String { FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? "" }
        return ExpectedMounts(fstab: text("/etc/fstab"), mountinfo: text("/proc/self/mountinfo"))
    }

    /// The mount point at or above `path` that is to be there and is not; nil where nothing is missing.
    func missing(for path: FilePath) -> FilePath? {
        guard path.isAbsolute else { return nil }
        let path = path.lexicallyNormalized()
        return wanted.filter { path.starts(with: $0) && !mounted.contains($0) }.max { $0.components.count < $1.components.count }
    }

    private static func fields(_ table: String) -> [[Substring]] {
        table.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { $0.split { $0 == " " || $0 == "\t" } }
    }

    /// Space, tab, newline and backslash are written as `\040` and so on.
    private static func path(_ field: Substring) -> FilePath? {
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3, let value = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8) {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return FilePath(bytes: bytes)?.lexicallyNormalized()
    }
}
