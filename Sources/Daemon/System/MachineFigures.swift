internal import Foundation
internal import Glibc

/// What `/proc` says about the machine and about this process with its children (proc(5)).
struct MachineFigures {
    /// Seconds of processor time since the machine's start: busy, of all cores.
    var machineBusy: Double
    /// Seconds of processor time of this process and of `children`.
    var ownBusy: Double
    /// Bytes of resident memory.
    var residentOwn: Int64
    var residentChildren: Int64
    /// Seconds since the machine's start.
    var uptime: Double

    /// The figures as they are now; 0 for what cannot be read.
    static func read(children: [Int32]) -> MachineFigures {
        let tick = 1 / Double(sysconf(Int32(_SC_CLK_TCK)))
        // user, nice, system, idle, iowait, irq, softirq, steal
        let fields = (text("/proc/stat").split(separator: "\n").first ?? "").split(separator: " ").dropFirst().compactMap { Double($0) }
        let busy = fields.count >= 8 ? (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) * tick : 0
        let own = ProcessFigures.read("self")
        let others = children.map { ProcessFigures.read("\($0)") }
        let uptime = text("/proc/uptime").split(separator: " ").first.flatMap { Double($0) } ?? 0
        return MachineFigures(
            machineBusy: busy, ownBusy: ([own] + others).reduce(0) { $0 + $1.busy } , residentOwn: own.resident,
            residentChildren: others.reduce(0) { $0 + $1.resident }, uptime: uptime)
    }

    /// How often the kernel has killed a process for want of memory since the machine's start.
    static var outOfMemoryKills: Int {
        for line in text("/proc/vmstat").split(separator: "\n") where line.hasPrefix("oom_kill ") {
            return Int(line.dropFirst("oom_kill ".count)) ?? 0
        }
        return 0
    }

    fileprivate static func text(_ path: String) -> String {
        (FileManager.default.contents(atPath: path)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}

/// What `/proc/PID/stat` says.
struct ProcessFigures {
    /// Seconds of processor time, with those of children that have been waited for.
    var busy = 0.0
    /// Bytes.
    var resident: Int64 = 0

    static func read(_ process: String) -> ProcessFigures {
        let text = MachineFigures.text("/proc/\(process)/stat")
        // The name, in brackets, may hold anything.
        guard let end = text.lastIndex(of: ")") else { return ProcessFigures() }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]), let pages = Int64(fields[21]) else {
            return ProcessFigures()
        }
        return ProcessFigures(
            busy: (user + system) / Double(sysconf(Int32(_SC_CLK_TCK))), resident: pages * Int64(sysconf(Int32(_SC_PAGESIZE))))
    }
}
