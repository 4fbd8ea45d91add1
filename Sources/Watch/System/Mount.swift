internal import Glibc
internal import SystemPackage

/// A mounted file system, as /proc/self/mountinfo (proc_pid_mountinfo(5)) describes it.
struct Mount: Sendable, Equatable {
    /// Where it is mounted, links resolved.
    var point: FilePath
    /// Such as `ext4`, `nfs4` or `fuse.sshfs`.
    var type: String

    /// The mount that holds `path`; nil where the system does not tell.
    static func holding(_ path: FilePath) -> Mount? {
        let file = path.withPlatformString { open($0, 0o10_000_000 | O_CLOEXEC) }  // O_PATH, which Swift does not see
        guard file >= 0 else { return nil }
        defer { close(file) }
        guard let id = mountID(FileContents.text("/proc/self/fdinfo/\(file)")),
            let table = FileContents.bytes("/proc/self/mountinfo")
        else { return nil }
        return find(id, in: table)
    }

    private static func mountID(_ text: String) -> String? {
        text.split(separator: "\n").first { $0.hasPrefix("mnt_id:") }?.split(whereSeparator: \.isWhitespace).last.map(String.init)
    }

    /// A line: ID, parent's ID, device, root, mount point, options, tags up to `-`, type, source, options of the type.
    static func find(_ id: String, in table: [UInt8]) -> Mount? {
        for line in table.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "))
            guard fields.count > 6, fields[0].elementsEqual(id.utf8), let mark = fields[6...].firstIndex(of: [UInt8(ascii: "-")]),
                mark + 1 < fields.count
            else { continue }
            let point = unescaped(fields[4]).map(CChar.init(bitPattern:)) + [0]
            return Mount(point: FilePath(platformString: point), type: String(decoding: fields[mark + 1], as: UTF8.self))
        }
        return nil
    }

    /// Space, tab, newline and backslash are written as `\040` and so on.
    private static func unescaped(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            let digits = String(decoding: rest.prefix(3), as: UTF8.self)
            if byte == UInt8(ascii: "\\"), digits.utf8.count == 3, let value = UInt8(digits, radix: 8), value > 0 {
                result.append(value)
                rest = rest.dropFirst(3)
            } else {
                result.append(byte)
            }
        }
        return result
    }

    /// Other machines, or other kernels, may write here without this one hearing of it.
    var isRemote: Bool { Self.remoteTypes.contains(type) || type.hasPrefix("fuse.") }

    private static let remoteTypes: Set<String> = [
        "9p", "afs", "autofs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
        "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
    ]
}
