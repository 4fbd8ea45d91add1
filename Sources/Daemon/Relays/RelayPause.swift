/// How long a relay that ended waits for its next start: twice as long each time up to a limit, less a random share.
struct RelayPause: Sendable {
    /// Seconds.
    static let first = 1.0
    static let longest = 60.0
    /// A relay that ran so long has worked: what ended it is a new trouble.
    static let settled = 60.0
    /// The share of a pause that is left to chance.
    static let jitter = 0.25

    /// Ends in a row, each soon after its start.
    private(set) var failures = 0

    /// Seconds to wait now, after a run of so many seconds.
    mutating func next(afterRunning seconds: Double, using generator: inout some RandomNumberGenerator) -> Double {
        if seconds >= Self.settled { failures = 0 }
        let whole = min(Self.longest, Self.first * Double(1 << min(failures, 16)))
        failures += 1
        return whole * (1 - Self.jitter * Double.random(in: 0...1, using: &generator))
    }
}
