internal import Glibc
internal import Jobs
internal import SystemPackage

/// How much room a file system has, in bytes.
struct DiskRoom: Equatable {
    /// For users other than root.
    var free: Int64
    var total: Int64
    /// Tells file systems apart.
    var device: UInt64

    /// Of the nearest folder of `path` that exists; nil where not even that can be told.
    static func of(_ path: FilePath) -> DiskRoom? {
        var folder = path
        while true {
            var room = statvfs()
            var status = stat()
            let answered = folder.withPlatformString { statvfs($0, &room) == 0 && stat($0, &status) == 0 }
            if answered {
                func bytes(_ blocks: UInt) -> Int64 {
                    // Servers that are over their quota report huge numbers.
                    let (bytes, overflow) = Int64(clamping: blocks).multipliedReportingOverflow(by: Int64(room.f_frsize))
                    return overflow ? 1 << 60 : min(bytes, 1 << 60)
                }
                return DiskRoom(
                    free: bytes(room.f_bavail), total: bytes(room.f_blocks), device: UInt64(status.st_dev))
            }
            guard !folder.isEmpty, folder != FilePath("/"), folder.removeLastComponent() else { return nil }
        }
    }
}

/// Says whether a job may run with the room that there is. Pure.
struct DiskGuard: Equatable {
    /// Bytes that stay free on every file system that a job writes to.
    var floor: Int64

    /// A place that a job writes to, and what is there.
    struct Place {
        var path: String
        var room: DiskRoom?
    }

    /// A result is about as large as its source; the allowance is for sources that are coded better than solstice's default.
    private static let growth = 1.5
    /// Sparse files may claim any size; sums of some of these still fit.
    private static let most = 0x1p58

    /// Bytes that are yet to be written, of the journal and of the result each.
    static func estimate(_ job: Job) -> Int64 {
        let whole = min(Double(job.identity.size) * growth, most)
        guard let total = job.framesTotal, total > 0 else { return Int64(whole) }
        return Int64(whole * Double(max(0, total - job.framesDone)) / Double(total))
    }

    /// Why `job` must not start, in words that name the place; nil where it may.
    /// - Parameter written: bytes of its result that are there already.
    func refusal(toStart job: Job, written: Int64 = 0, work: Place, target: Place) -> String? {
        let left = Self.estimate(job)
        // The result is as large as the whole source, however much of it is rendered; one that is joined only has to be checked.
        let isJoined = written > 0 && left == 0
        let result = isJoined ? 0 : max(0, Int64(min(Double(job.identity.size) * Self.growth, Self.most)) - written)
        let shared = work.room != nil && work.room?.device == target.room?.device
        if let words = Self.shortage(work, needed: shared ? left + result : left, floor: floor) { return words }
        return shared ? nil : Self.shortage(target, needed: result, floor: floor)
    }

    /// Why a running job must pause; nil where it may go on.
    func refusal(toContinue places: [Place]) -> String? {
        places.lazy.compactMap { Self.shortage($0, needed: 0, floor: floor) }.first
    }

    private static func shortage(_ place: Place, needed: Int64, floor: Int64) -> String? {
        guard let room = place.room, room.free - needed < floor else { return nil }
        let need = needed > 0 ? "; this job needs about \(shown(needed)) more" : ""
        return "\(place.path) has \(shown(room.free)) free and \(shown(floor)) are kept\(need)"
    }

    /// Bytes for people, in binary units.
    static func shown(_ bytes: Int64) -> String {
        var value = Double(max(0, bytes))
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1024 { return unit == "B" ? "\(Int(value)) B" : "\((value * 10).rounded() / 10) \(unit)" }
            value /= 1024
        }
        return "\((value * 10).rounded() / 10) TiB"
    }
}
