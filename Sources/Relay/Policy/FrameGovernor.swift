/// Chooses which frames are worth translating, so that they come evenly: at most as many as the output has, and where the
/// machine gives fewer, as many as it gives. All times are seconds.
struct FrameGovernor: Sendable {
    /// What the user should hear.
    enum Change: Sendable, Equatable {
        /// The machine keeps up with `rate` of `wanted` frames per second.
        case slower(rate: Double, wanted: Double)
        /// It keeps up with all of them again.
        case full
    }

    /// The shortest time between two frames: that of the output's nominal rate.
    private let shortest: Double
    /// The time between two frames that is aimed at.
    private(set) var interval: Double
    /// When the next frame is due.
    private var due: Double?
    /// The newest distances between the source's frames.
    private var distances: [Double] = []
    private var last: Double?
    /// How long the slowest stage works on a frame, smoothed.
    private var service: Double?
    private var admitted = 0
    private var overtaken = 0
    private var judgedAt: Double?
    private var calmSince: Double?
    /// Periods in a row in which the machine was too slow.
    private var badPeriods = 0
    private(set) var isSlow = false

    /// How often the governor judges.
    static let period = 1.0
    /// The share of admitted frames that a newer one may overtake before the machine counts as too slow.
    static let tolerance = 0.1
    /// Room that is left to the machine, as a share of the interval.
    static let reserve = 1.1
    /// Periods in a row that make a slow machine: a hiccup is none.
    static let mostBadPeriods = 2
    /// How long it must be quiet before the rate is raised again.
    static let patience = 5.0

    /// - Parameter rate: the output's frames per second.
    init(rate: Double) {
        shortest = 1 / rate
        interval = 1 / rate
    }

    /// True where the frame at `time` (on the timeline) is to be translated.
    mutating func admits(at time: Double) -> Bool {
        if let last, time > last {
            if distances.count == 15 { distances.removeFirst() }
            distances.append(time - last)
        }
        last = time
        // A source at about the output's rate is taken whole: its frames need not lie on the output's grid.
        let step = sourceInterval ?? shortest
        guard interval > step * 1.02 else { return admit(nextDue: nil) }
        guard let due, time < due + interval, time > due - 2 * interval else { return admit(nextDue: time + interval) }
        guard time >= due - step / 2 else { return false }
        return admit(nextDue: due + interval)
    }

    /// The usual distance between the source's frames: gaps and losses do not count.
    private var sourceInterval: Double? { distances.count < 3 ? nil : distances.sorted()[distances.count / 2] }

    private mutating func admit(nextDue: Double?) -> Bool {
        due = nextDue
        admitted += 1
        return true
    }

    /// An admitted frame was thrown away because a newer one came before it was taken.
    mutating func noteOvertaken() { overtaken += 1 }

    /// A frame kept the slowest stage busy for so long.
    mutating func noteService(_ seconds: Double) { service = service.map { $0 + (seconds - $0) * 0.1 } ?? seconds }

    /// Begins anew at the full rate, as after a change that makes all that was measured void.
    mutating func restart() {
        interval = shortest
        (due, service, judgedAt, calmSince) = (nil, nil, nil, nil)
        (admitted, overtaken, badPeriods, isSlow) = (0, 0, 0, false)
    }

    /// Looks at the last second and changes the rate where it has to; to be called often.
    mutating func judge(now: Double) -> Change? {
        guard let start = judgedAt else {
            judgedAt = now
            return nil
        }
        guard now - start >= Self.period else { return nil }
        defer {
            judgedAt = now
            (admitted, overtaken) = (0, 0)
        }
        guard admitted > 0, let service else { return nil }
        let natural = max(shortest, sourceInterval ?? shortest)
        if Double(overtaken) > Self.tolerance * Double(admitted), admitted >= 3 {
            calmSince = nil
            badPeriods += 1
            return badPeriods < Self.mostBadPeriods ? nil : slowDown(natural, service)
        }
        badPeriods = 0
        return speedUp(natural, service, now)
    }

    private mutating func slowDown(_ natural: Double, _ service: Double) -> Change? {
        // The machine itself says what it takes; a rate that was too high is lowered at least a little.
        interval = max(service * Self.reserve, max(interval, natural) * 1.05)
        guard !isSlow else { return nil }
        isSlow = true
        return .slower(rate: 1 / interval, wanted: 1 / natural)
    }

    private mutating func speedUp(_ natural: Double, _ service: Double, _ now: Double) -> Change? {
        guard isSlow, service * Self.reserve < interval * 0.95 else {
            calmSince = nil
            return nil
        }
        let since = calmSince ?? now
        calmSince = since
        guard now - since >= Self.patience else { return nil }
        calmSince = nil
        interval = max(shortest, service * Self.reserve, interval * 0.8)
        guard interval <= natural * 1.02 else { return nil }
        interval = shortest
        isSlow = false
        return .full
    }
}
