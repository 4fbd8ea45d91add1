internal import SystemPackage

/// Watches the leases of others and judges by what it has seen itself when one has expired: clocks of other machines are not
/// believed, and need not agree.
struct LeaseObserver: Sendable {
    private struct Observation {
        var generation: UInt64
        var content: [UInt8]
        /// When this very content was seen for the first time, and for the last.
        var since: Duration
        var last: Duration
    }

    private var observations: [FilePath: Observation] = [:]
    private var nextSweep: Duration = .zero

    /// How long a lease must have been seen without a beat, as a multiple of its time to live: its holder gives up after that
    /// time, and needs some to stop its work.
    static let margin = 1.25
    /// What was not looked at for so long is forgotten.
    static let memory: Duration = .seconds(4 * 3600)

    /// How long the lease is still believed; zero where it has expired.
    ///
    /// - Parameter now: seconds of a clock that stands while the machine sleeps, since nothing is seen then.
    mutating func patience(_ target: FilePath, _ generation: UInt64, _ content: [UInt8], ttl: Duration, at now: Duration) -> Duration {
        sweep(at: now)
        if var known = observations[target], known.generation == generation, known.content == content {
            known.last = now
            observations[target] = known
            return max(.zero, ttl * Self.margin - (now - known.since))
        }
        observations[target] = Observation(generation: generation, content: content, since: now, last: now)
        return ttl * Self.margin
    }

    mutating func forget(_ target: FilePath) { observations[target] = nil }

    private mutating func sweep(at now: Duration) {
        guard now >= nextSweep else { return }
        observations = observations.filter { now - $0.value.last < Self.memory }
        nextSweep = now + Self.memory / 4
    }
}
