internal import Foundation

extension ProcessIdentity {
    /// This process.
    public static let current: ProcessIdentity =
        ProcessIdentity.of(getpid()) ?? ProcessIdentity(pid: getpid(), startTime: 0, bootID: bootID)

    /// The process that has this number now; nil where there is none, or only what is left of one that has ended.
    public static func of(_ pid: Int32) -> ProcessIdentity? {
        guard let (state, startTime) = stat(of: pid), state != "Z", state != "X" else { return nil }
        return ProcessIdentity(pid: pid, startTime: startTime, bootID: bootID)
    }

    /// False once the process has ended, also where another one has its number, and after a restart of the machine.
    public var isAlive: Bool { bootID == Self.bootID && Self.of(pid)?.startTime == startTime }

    /// The same for all processes until the machine restarts; empty where the kernel does not tell.
    static let bootID: String = {
        let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    }()

    /// Fields 3 and 22 of `/proc/PID/stat`; proc_pid_stat(5).
    private static func stat(of pid: Int32) -> (state: Substring, startTime: UInt64)? {
        guard pid > 0, let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
        // The name, in parentheses, may hold anything, further parentheses and spaces too.
        let text = String(decoding: data, as: UTF8.self)
        guard let name = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard fields.count > 19, let startTime = UInt64(fields[19]) else { return nil }
        return (fields[0], startTime)
    }
}
