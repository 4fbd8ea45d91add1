internal import Web

/// Frames a second, all jobs together, of the last hour. Pure: the caller brings the clock.
struct ThroughputHistory {
    /// Seconds from one point to the next.
    static let interval = 10.0
    private static let length = 360

    private(set) var points: [ThroughputPoint] = []
    private var frames = 0
    private var since: Double

    /// `now` in seconds by a clock that nobody sets.
    init(now: Double) { since = now }

    mutating func count(frames: Int) { self.frames += max(0, frames) }

    /// Closes the interval where it is over; `wall` in seconds since 1970 is what the point is labelled with.
    mutating func tick(now: Double, wall: Double) {
        guard now - since >= Self.interval else { return }
        points.append(ThroughputPoint(time: wall, framesPerSecond: Double(frames) / (now - since)))
        if points.count > Self.length { points.removeFirst(points.count - Self.length) }
        frames = 0
        since = now
    }
}
