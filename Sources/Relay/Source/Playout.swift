internal import MediaIO

/// Lets the packets of a source that gives them as fast as they are read - a file, segments over HTTP - pass when they are due.
struct Playout {
    private let clock: RelayClock
    private let stop: StopSign
    private let speed: Double
    /// A packet's time on the timeline and when it passed, from which those after it are counted.
    private var anchor: (time: Double, at: Double)?
    /// The furthest time so far.
    private var head = -Double.infinity

    /// A packet that is due further ahead than this is let through: its time has jumped.
    private static let longest = 10.0

    /// - Parameter speed: seconds of video per second. A live source is played a little faster than it is made, or whatever its
    ///   clock is ahead of this machine's would pile up on the way for as long as the relay runs.
    init(clock: RelayClock, stop: StopSign, speed: Double) {
        self.clock = clock
        self.stop = stop
        self.speed = speed
    }

    /// Waits until `packet`, stamped with the timeline, is due; false where the relay is stopped meanwhile.
    mutating func wait(for packet: Packet) -> Bool {
        guard let tick = packet.timeBase.value, let time = (packet.dts ?? packet.pts).map({ Double($0) * tick }) else { return true }
        // Containers interleave their streams in stretches: what lies behind another stream's packets is not late for that.
        guard time > head else { return true }
        head = time
        let now = clock.now
        guard let anchor, case let due = anchor.at + (time - anchor.time) / speed, due > now else {
            // Late, or the first one: from here on everything is that much later.
            self.anchor = (time, now)
            return true
        }
        guard due - now < Self.longest else { return true }
        return stop.sleep(due - now)
    }
}
