internal import Foundation
internal import Jobs
internal import SystemPackage
internal import Web

/// What the outside sees.
extension ServiceLoop {
    func statusNow(isStopping: Bool) -> ServiceStatus {
        ServiceStatus(
            version: version, uptime: now, isReady: !isStopping, reason: isStopping ? "stopping" : nil,
            folders: configuration.folders.map(folderStatus), relays: relays.states, disks: diskStatus(),
            cpu: figures.sample(children: sessions.values.map(\.pid) + relays.processes), throughput: history.points, counters: counters)
    }

    private func folderStatus(_ configuration: WatchFolder) -> FolderStatus {
        let folder = folders[configuration.name]
        return FolderStatus(
            name: configuration.name, input: configuration.input, output: configuration.output,
            state: folder?.lostReason == nil ? "watching" : "paused", reason: folder?.lostReason, settling: folder?.settlingCount ?? 0)
    }

    /// One entry for each file system that jobs write to.
    private func diskStatus() -> [DiskStatus] {
        var places = [(path: configuration.work, use: "work", room: DiskRoom.of(FilePath(configuration.work)))]
        places += configuration.folders.map { ($0.output, "results of \($0.name)", folders[$0.name]?.outputRoom) }
        var found: [UInt64: DiskStatus] = [:]
        var order: [UInt64] = []
        for place in places {
            guard let room = place.room else { continue }
            if let known = found[room.device] {
                found[room.device]?.use = known.use + ", " + place.use
            } else {
                found[room.device] = DiskStatus(
                    path: place.path, use: place.use, free: room.free, total: room.total, floor: configuration.diskFloor)
                order.append(room.device)
            }
        }
        return order.compactMap { found[$0] }
    }
}

/// Turns the counters of `/proc` into cores that are busy now.
struct FigureSampler {
    private var last: MachineFigures?
    private var status = CPUStatus()
    private let cores = max(1, ProcessInfo.processInfo.activeProcessorCount)

    /// Looks at most once a second: shorter spans are made of few clock ticks.
    mutating func sample(children: [Int32]) -> CPUStatus {
        let next = MachineFigures.read(children: children)
        defer { if last == nil { last = next } }
        guard let last, next.uptime - last.uptime >= 1 else { return status }
        let span = next.uptime - last.uptime
        status = CPUStatus(
            // A child that has ended takes its seconds along.
            own: max(0, next.ownBusy - last.ownBusy) / span, machine: max(0, next.machineBusy - last.machineBusy) / span, cores: cores,
            residentOwn: next.residentOwn, residentChildren: next.residentChildren)
        self.last = next
        return status
    }
}
