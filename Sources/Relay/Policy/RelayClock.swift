internal import MediaIO
internal import Synchronization

/// The relay's own time: seconds since it began, and the one timeline that everything it sends is stamped with.
final class RelayClock: Sendable {
    private let origin = ContinuousClock.now
    private let rebaser = Mutex(TimestampRebaser())

    /// What the parts of a relay call the two kinds of packets.
    static let video = 0
    static let audio = 1

    /// Seconds since the relay began.
    var now: Double { (ContinuousClock.now - origin).inSeconds }

    func beginConnection() { rebaser.withLock { $0.beginConnection() } }

    var jumps: Int { rebaser.withLock { $0.jumps } }

    /// A packet of the source on the timeline: video in ticks of `LiveFormat.timeBase`, audio in those of `timeBase`; nil for
    /// one without any time.
    func stamp(_ packet: Packet, as stream: Int, at now: Double) throws(MediaError) -> Packet? {
        let base = packet.timeBase
        guard base.isPositive, let tick = base.value, let reference = packet.dts ?? packet.pts else { return nil }
        let offset = rebaser.withLock { $0.offset(stream: stream, time: Double(reference) * tick, now: now) }
        // Rounded once for a whole epoch, so that the distances between packets stay exact.
        let ticks = Int64((offset / tick).rounded())
        let target = stream == Self.video ? LiveFormat.timeBase : base
        func moved(_ time: Int64?) -> Int64? { time.map { base.rescale($0 &+ ticks, to: target) } }
        return try packet.restamped(
            streamIndex: stream, pts: moved(packet.pts ?? packet.dts), dts: moved(packet.dts),
            duration: base.rescale(packet.duration, to: target), timeBase: target)
    }

    /// The pts, in ticks of `LiveFormat.timeBase`, of a picture that stands in for the source's at `now`.
    func fillIn(at now: Double) -> Int64 {
        let head = rebaser.withLock { rebaser in
            let head = rebaser.head(at: now)
            rebaser.fill(stream: Self.video, to: head, now: now)
            return head
        }
        return Int64((head * Double(LiveFormat.timeBase.denominator)).rounded())
    }
}

extension Duration {
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
