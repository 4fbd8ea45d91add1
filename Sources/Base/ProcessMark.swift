import Glibc

/// Tells a process from a later one that has its number, in a few characters for the names of files.
public enum ProcessMark {
    /// The mark of the process that has this number now; nil where there is none, or the kernel does not show it.
    public static func of(_ pid: Int32) -> UInt32? {
        guard pid > 0, let status = text("/proc/\(pid)/stat"), let start = startTime(in: status) else { return nil }
        // FNV-1a of the machine's start and the process's.
        return "\(bootID) \(start)".utf8.reduce(0x811c_9dc5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    }

    /// This process's; 0 where the kernel does not tell.
    public static let own = of(getpid()) ?? 0

    /// The same for all processes until the machine restarts; empty where the kernel does not tell.
    private static let bootID = text("/proc/sys/kernel/random/boot_id") ?? ""

    /// Field 22 of proc_pid_stat(5): clock ticks from the machine's start to the process's. The name of the program, in
    /// parentheses, may hold anything, so fields count from the last one's end, behind which comes the third.
    static func startTime(in status: String) -> Substring? {
        guard let end = status.utf8.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = status[status.utf8.index(after: end)...].split(separator: " ")
        return fields.count > 19 ? fields[19] : nil
    }

    private static func text(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(file, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
