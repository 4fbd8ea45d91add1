internal import Synchronization
public import SystemPackage

/// A lease that was taken. It is released with its last reference, if not before.
public final class Lease: Sendable {
    private struct State {
        var validUntil: ContinuousClock.Instant
        var isLost = false
    }

    /// What is guarded while files are read and written, which may take long.
    private struct Holding {
        var file: LeaseFile?
        var record: LeaseRecord
    }

    public let target: FilePath
    private let folder: LeaseFolder
    private let generation: UInt64
    private let ttl: Duration
    private let state: Mutex<State>
    private let holding: Mutex<Holding>
    private let renewals: LeaseRenewals

    init(
        target: FilePath, folder: LeaseFolder, generation: UInt64, file: LeaseFile, record: LeaseRecord,
        since begin: ContinuousClock.Instant, renewals: LeaseRenewals
    ) {
        self.target = target
        self.folder = folder
        self.generation = generation
        self.renewals = renewals
        ttl = record.ttl
        state = Mutex(State(validUntil: begin + record.ttl))
        holding = Mutex(Holding(file: file, record: record))
    }

    deinit { release() }

    /// False once it was released, somebody else has taken it over, or it could not be renewed in time. Costs nothing; to be asked
    /// often while the work goes on. Never true again once it was false.
    public var isHeld: Bool {
        state.withLock { state in
            // This clock goes on while the machine sleeps: others have not slept.
            if ContinuousClock.now >= state.validUntil { state.isLost = true }
            return !state.isLost
        }
    }

    /// As `isHeld`, having looked at the folder; to be asked before the result is put into place.
    public func confirm() -> Bool {
        guard isHeld else { return false }
        if holding.withLock({ $0.file?.isInPlace }) == false { lose() }
        if let all = try? folder.generations(), all.last != generation { lose() }
        return isHeld
    }

    /// Gives it back; may be called more than once, from any thread. Writes files, so it takes as long as these.
    public func release() {
        lose()
        renewals.remove(self)
        holding.withLock { holding in
            holding.file?.remove()
            holding.file = nil
        }
    }

    private func lose() { state.withLock { $0.isLost = true } }

    /// Makes others see that it is still held.
    func renew() {
        // One that has lapsed must not come back: somebody may have seen that it has, and be about to take it.
        guard isHeld else { return }
        let begin = ContinuousClock.now
        let isRenewed = holding.withLock { holding in
            guard let file = holding.file else { return false }
            holding.record.beat += 1
            guard file.write(holding.record.bytes) == nil else { return false }
            if file.isInPlace == false || isOvertaken {
                lose()
                return false
            }
            return true
        }
        guard isRenewed else { return }
        state.withLock { if begin < $0.validUntil { $0.validUntil = begin + ttl } }
    }

    /// Who takes over makes the next generation.
    private var isOvertaken: Bool { (try? FileStatus.of(folder.path(generation + 1))) != nil }
}
