internal import MediaIO
internal import Synchronization

/// The relay's own time: seconds since it began, and the one timeline that everything it sends is stamped with.
final class RelayClock: Sendable {
    private let origin = ContinuousClock.now
    private let rebaser = Mutex(TimestampRebaser())

    /// What the parts of a relay call the two kinds of packets.
    static let video = 0
    static let audio = 1

    /// Seconds between a picture's decoding and its being shown, at most: no codec reorders over more, and one damaged time
    /// would move everything behind it.
    static let largestReordering = 10.0

    /// Seconds since the relay began.
    var now: Double { (ContinuousClock.now - origin).inSeconds }

    func beginConnection() { rebaser.withLock { $0.beginConnection() } }

    var jumps: Int { rebaser.withLock { $0.jumps } }

    /// A packet of the source on the timeline: video in ticks of `LiveFormat.timeBase`, audio in those of its own time base.
    ///
    /// One without any time, as the first of an RTSP camera often is, counts as of the moment when it came; nil where that
    /// would not even say which time base.
    func stamp(_ packet: Packet, as stream: Int, at now: Double) throws(MediaError) -> Packet? {
        let base = packet.timeBase
        guard base.isPositive, let tick = base.value else { return nil }
        guard let reference = packet.dts ?? packet.pts else { return try arrived(packet, as: stream, at: now) }
        let offset = rebaser.withLock { $0.offset(stream: stream, time: Double(reference) * tick, now: now) }
        // Rounded once for a whole epoch, so that the distances between packets stay exact.
        let ticks = Self.whole(offset / tick)
        let target = stream == Self.video ? LiveFormat.timeBase : base
        func moved(_ time: Int64?) -> Int64? { time.map { base.rescale($0 &+ ticks, to: target) } }
        return try packet.restamped(
            streamIndex: stream, pts: moved(shown(packet, reference, tick)), dts: moved(packet.dts),
            duration: base.rescale(packet.duration, to: target), timeBase: target)
    }

    private func shown(_ packet: Packet, _ reference: Int64, _ tick: Double) -> Int64 {
        guard let pts = packet.pts, abs(Double(pts) - Double(reference)) * tick <= Self.largestReordering else { return reference }
        return pts
    }

    /// Rounded; what no integer can say is brought as near as can be.
    private static func whole(_ value: Double) -> Int64 {
        Int64(exactly: value.rounded()) ?? (value < 0 ? .min : .max)
    }

    private func arrived(_ packet: Packet, as stream: Int, at now: Double) throws(MediaError) -> Packet? {
        let target = stream == Self.video ? LiveFormat.timeBase : packet.timeBase
        guard let tick = target.value else { return nil }
        let time = Self.whole(fill(stream, at: now) / tick)
        return try packet.restamped(
            streamIndex: stream, pts: time, dts: time, duration: packet.timeBase.rescale(packet.duration, to: target),
            timeBase: target)
    }

    private func fill(_ stream: Int, at now: Double) -> Double {
        rebaser.withLock { rebaser in
            let head = rebaser.head(at: now)
            rebaser.fill(stream: stream, to: head, now: now)
            return head
        }
    }

    /// The pts, in ticks of `LiveFormat.timeBase`, of a picture that stands in for the source's at `now`.
    func fillIn(at now: Double) -> Int64 {
        Self.whole(fill(Self.video, at: now) * Double(LiveFormat.timeBase.denominator))
    }
}

extension Duration {
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
