internal import Foundation
internal import Glibc

/// The process that holds a lease, so that others on this machine see at once that it has died.
struct HolderProcess: Sendable, Equatable {
    var pid: Int32
    /// Clock ticks since the machine's start: /proc/PID/stat, field 22.
    var startTime: UInt64
    /// /proc/sys/kernel/random/boot_id
    var bootID: String
    /// Which numbering `pid` belongs to (pid_namespaces(7)): containers of one machine have each their own.
    var namespace: String

    static let current: HolderProcess = {
        let pid = getpid()
        return HolderProcess(pid: pid, startTime: startTime(of: pid) ?? 0, bootID: bootIDOfThisMachine, namespace: namespaceOfThisProcess)
    }()

    /// True where it certainly no longer runs. Of another machine's, or another container's, nothing is known.
    var isKnownDead: Bool {
        let here = Self.current
        guard !bootID.isEmpty, bootID == here.bootID, !namespace.isEmpty, namespace == here.namespace, pid > 0 else { return false }
        // Signal 0 sees processes that /proc hides from other users.
        if kill(pid, 0) != 0, errno == ESRCH { return true }
        guard startTime > 0, let started = Self.startTime(of: pid) else { return false }
        return started != startTime
    }

    private static let bootIDOfThisMachine = FileContents.text("/proc/sys/kernel/random/boot_id")
    private static let namespaceOfThisProcess =
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid")) ?? ""

    /// The name of the program, in parentheses, may hold anything, so fields count from the last one's end: state is the third.
    private static func startTime(of pid: Int32) -> UInt64? {
        let fields = FileContents.text("/proc/\(pid)/stat")
        guard let end = fields.lastIndex(of: ")") else { return nil }
        let rest = fields[end...].dropFirst().split(separator: " ")
        return rest.count > 19 ? UInt64(rest[19]) : nil
    }
}
