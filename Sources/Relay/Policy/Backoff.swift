/// How long to wait before the next attempt: twice as long each time up to a limit, less a random share, so that many
/// relays of one camera do not come back in step.
struct Backoff: Sendable {
    static let first: Duration = .milliseconds(500)
    static let longest: Duration = .seconds(15)
    /// The share of a pause that is left to chance.
    static let jitter = 0.25

    /// Attempts that have failed since the last success.
    private(set) var failures = 0

    /// The pause after one more failure.
    mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let doublings = min(failures, 16)
        failures += 1
        let whole = min(Self.longest, Self.first * (1 << doublings))
        return whole * (1 - Self.jitter * Double.random(in: 0...1, using: &generator))
    }

    mutating func succeeded() { failures = 0 }
}
