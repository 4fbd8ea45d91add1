internal import Synchronization
public import SystemPackage

/// What became of asking for a lease.
public enum LeaseAttempt: Sendable {
    case acquired(Lease)
    /// Somebody else's, in their own words. It is believed for so long unless it is renewed or given back meanwhile.
    case held(by: String, freeAfter: Duration)
}

/// Takes leases on targets, and renews them on a thread of its own until they are released.
///
/// A lease is a file beside the target, so all that share that folder see it, whatever machine they run on. Nobody's clock is
/// compared with another's: a holder rewrites its file four times in its time to live and gives up where it could not for that
/// long; who waits takes over after having seen no change for a quarter longer. On the same machine a dead process's lease is
/// free at once. A keeper is made for each file system, since one that hangs keeps its thread.
public final class LeaseKeeper: Sendable {
    private let holder: String
    private let ttl: Duration
    private let renewals: LeaseRenewals
    private let observer = Mutex(LeaseObserver())
    private let origin = SuspendingClock.now

    /// - Parameters:
    ///   - holder: who holds the leases, for people; nil for this machine's name and process.
    ///   - ttl: how long a lease is good for without being renewed; a tenth of a second to an hour.
    public init(holder: String? = nil, ttl: Duration = .seconds(60)) {
        self.holder = holder ?? Self.thisProcess
        self.ttl = min(max(ttl, .milliseconds(100)), LeaseRecord.longestTTL)
        renewals = LeaseRenewals(interval: self.ttl / 4)
    }

    deinit { close() }

    private static var thisProcess: String {
        let name = FileContents.text("/proc/sys/kernel/hostname")
        return "\(name.isEmpty ? "unknown machine" : name), process \(HolderProcess.current.pid)"
    }

    /// Tries to get the lease on `target`, whose folder must be there. Does not wait for others; reads and writes files.
    ///
    /// - Throws: `noSuchFolder`, `unreadable`, `unwritable`, `diskFull`.
    public func acquire(for target: FilePath) throws(WatchError) -> LeaseAttempt {
        try acquire(target, LeaseFolder(target: target))
    }

    private func acquire(_ target: FilePath, _ folder: LeaseFolder) throws(WatchError) -> LeaseAttempt {
        var rival = "another solstice"
        // Each turn ends with somebody's lease, unless it was given back between two calls.
        for _ in 0..<3 {
            guard let highest = try folder.generations().last else {
                if let lease = try create(1, over: nil, target, folder) { return acquired(lease) }
                continue
            }
            guard let content = try folder.content(highest) else { continue }
            let record = LeaseRecord(bytes: content)
            if let record { rival = record.holder }
            let left = patience(target, highest, content, record)
            guard left <= .zero else { return .held(by: rival, freeAfter: left) }
            if let lease = try create(highest + 1, over: content, target, folder) { return acquired(lease) }
        }
        return .held(by: rival, freeAfter: min(.seconds(1), ttl))
    }

    private func patience(_ target: FilePath, _ generation: UInt64, _ content: [UInt8], _ record: LeaseRecord?) -> Duration {
        if let record, record.process.isKnownDead { return .zero }
        let now = SuspendingClock.now - origin
        // The holder gives up by its own time to live.
        return observer.withLock { $0.patience(target, generation, content, ttl: record?.ttl ?? ttl, at: now) }
    }

    private func acquired(_ lease: Lease) -> LeaseAttempt {
        observer.withLock { $0.forget(lease.target) }
        renewals.add(lease)
        return .acquired(lease)
    }

    /// Makes the next generation. Nil where somebody else was faster, or where what was judged has changed meanwhile.
    ///
    /// - Parameter expired: content of the generation before, which has expired.
    private func create(
        _ generation: UInt64, over expired: [UInt8]?, _ target: FilePath, _ folder: LeaseFolder
    ) throws(WatchError) -> Lease? {
        let begin = ContinuousClock.now
        let record = LeaseRecord(holder: holder, process: .current, nonce: .random(in: .min ... .max), ttl: ttl)
        guard let file = try folder.create(generation, record.bytes) else { return nil }
        do throws(WatchError) {
            // Who was stopped in between for so long that others may have taken over touches nothing.
            guard let lower = try generationsBelow(generation, over: expired, folder), ContinuousClock.now - begin < ttl else {
                file.remove()
                return nil
            }
            for generation in lower { folder.remove(generation) }
        } catch {
            file.remove()
            throw error
        }
        return Lease(target: target, folder: folder, generation: generation, file: file, record: record, since: begin, renewals: renewals)
    }

    /// The generations below a new one, which are of no more use; nil where the judgement that led to the new one no longer holds.
    ///
    /// A listing of a network file system may be old, but not after a file was made there. The judgement holds where
    /// no higher generation is there, and the one before is as it was: where it was given back meanwhile, somebody may have
    /// begun at 1 anew.
    private func generationsBelow(
        _ generation: UInt64, over expired: [UInt8]?, _ folder: LeaseFolder
    ) throws(WatchError) -> [UInt64]? {
        let all = try folder.generations()
        guard all.last == generation else { return nil }
        let lower = Array(all.dropLast())
        guard let expired else { return lower.isEmpty ? lower : nil }
        guard lower.last == generation - 1, try folder.content(generation - 1) == expired else { return nil }
        return lower
    }

    /// Removes what processes of this machine that died have left directly in `folder`; returns how many leases. Others' are left
    /// alone, and so is what may be another machine's: that is cleaned up when the same target is asked for.
    ///
    /// - Throws: as `acquire`.
    public func removeLeftovers(in folder: FilePath) throws(WatchError) -> Int {
        var count = 0
        for lease in try LeaseFolder.all(in: folder) {
            guard let highest = try lease.generations().last, let content = try lease.content(highest),
                LeaseRecord(bytes: content)?.process.isKnownDead == true
            else { continue }
            // Taken like any other, so that nobody who is about to do the same is disturbed.
            guard case .acquired(let taken) = try acquire(lease.path(highest), lease) else { continue }
            taken.release()
            count += 1
        }
        return count
    }

    /// Ends the renewals and releases all leases that are still held.
    public func close() { renewals.close() }

    /// True where other machines may write what lies at `path`, so that the kernel here hears nothing of it: NFS, SMB, Ceph,
    /// 9p, FUSE and the like. A path that is not there counts as the nearest folder above it that is.
    public static func isNetworkFileSystem(_ path: FilePath) -> Bool {
        var path = path.isEmpty ? FilePath(".") : path
        while true {
            if let mount = Mount.holding(path) { return mount.isRemote }
            guard path.removeLastComponent() else { return false }
            if path.isEmpty { path = "." }
        }
    }
}
