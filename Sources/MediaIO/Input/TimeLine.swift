/// Where one media stream stands on the source's clock. All times are in ticks of the stream.
struct TimeLine {
    /// Where a packet is placed: on which epoch's clock, by how much off it, and at which time.
    struct Choice: Equatable {
        var epoch: Int
        var shift: Int64
        var time: Int64
    }

    let base: Rational
    /// True for text and data, which may have nothing for long.
    let isSparse: Bool
    /// Decoding times may be far from presentation times.
    private let isVideo: Bool
    /// How far a time may fall back, and how far it may go ahead of all streams, before it is looked at: broken recorders are
    /// inexact by some hundredths of a second.
    let backward: Int64
    let forward: Int64

    private(set) var epoch = 0
    private(set) var shift: Int64 = 0
    /// Decoding time of the last packet on the clock.
    private(set) var last: Int64?
    /// Where the next packet should be.
    private(set) var expected: Int64 = 0
    private(set) var step: Int64 = 0
    /// Behind the latest presentation; nil before the first packet.
    private(set) var end: Int64?
    /// How much later than it is decoded the last packet is shown.
    private var delay: Int64 = 0

    init(_ base: Rational, kind: MediaStreamInfo.Kind) {
        self.base = base
        isVideo = kind == .video
        isSparse = kind != .video && kind != .audio
        backward = max(1, base.ticks(of: 0.1))
        forward = max(1, base.ticks(of: 10))
    }

    /// The longest step from one packet to the next that is nothing unusual.
    var farthestStep: Int64 { max(forward, step.multipliedClamped(by: 4)) }

    /// The packet's decoding time; nil where it has none to go by.
    func time(of packet: SourceTimeline.Times) -> Int64? {
        if packet.isHidden { return nil }
        guard let dts = packet.dts else { return isVideo ? nil : packet.pts }
        guard let pts = packet.pts, isInConflict(packet), last != nil else { return dts }
        // One of the two is wrong: the one that is further from where the stream is.
        let byPicture = pts.subtractingClamped(delay)
        let goal = expected.subtractingClamped(shift)
        return byPicture.distanceClamped(to: goal) < dts.distanceClamped(to: goal) ? byPicture : dts
    }

    /// True where decoding and presentation are further apart than any reordering explains.
    func isInConflict(_ packet: SourceTimeline.Times) -> Bool {
        guard let pts = packet.pts, let dts = packet.dts, !packet.isHidden else { return false }
        let distance = pts.subtractingClamped(dts)
        return distance > max(forward, max(step, packet.duration).multipliedClamped(by: 64)) || distance < -forward
    }

    /// True where a packet at `next` is a usual successor of one at `time`.
    func follows(_ next: Int64, _ time: Int64) -> Bool {
        let distance = next.subtractingClamped(time)
        return distance >= -backward && distance <= farthestStep
    }

    /// The packet's times where its decoding time, `time` in the container, is `place` on the clock.
    func placed(_ packet: SourceTimeline.Times, time: Int64, at place: Int64) -> SourceTimeline.Times {
        guard isInConflict(packet) else { return packet.moved(by: place.subtractingClamped(time)) }
        var copy = packet
        copy.dts = place
        copy.pts = place.addingClamped(delay)
        return copy
    }

    mutating func move(to choice: Choice) {
        epoch = choice.epoch
        shift = choice.shift
    }

    mutating func note(_ packet: SourceTimeline.Times, at place: Int64) {
        let distance = last.map { place.subtractingClamped($0) } ?? 0
        if packet.duration > 0 { step = packet.duration } else if distance > 0, distance <= forward { step = distance }
        last = place
        expected = place.addingClamped(step)
        let behind = (packet.pts ?? place).addingClamped(max(1, step))
        end = max(end ?? behind, behind)
        if let pts = packet.pts { delay = pts.subtractingClamped(place) }
    }

    /// A packet without a time comes after the last one.
    mutating func skip(_ duration: Int64) {
        if last != nil { expected = expected.addingClamped(max(0, duration)) }
    }
}

extension Rational {
    /// Ticks of this time base that last `seconds`.
    func ticks(of seconds: Double) -> Int64 {
        value.map { $0 > 0 ? Int64(nearest: min(seconds / $0, 0x1p60)) : 0 } ?? 0
    }
}

extension Int64 {
    /// How far apart two times are, whichever comes first.
    func distanceClamped(to other: Int64) -> Int64 { Int64(clamping: subtractingClamped(other).magnitude) }

    func multipliedClamped(by factor: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? ((self < 0) == (factor < 0) ? .max : .min + 1) : product
    }
}
