/// Keeps the pts of the source exact through an encoder.
///
/// An encoder either takes the source's own time base, or only counts frames (`EncoderDescription.countsFrames`), and
/// some have limits on their time base (65535 ticks a second in MPEG-4 part 2). Counted frames get their source pts
/// back when their packets come out.
struct EncoderClock {
    /// Seconds per tick of the source's video stream.
    let sourceTimeBase: Rational
    /// What the encoder is told.
    let encoderTimeBase: Rational
    let counts: Bool

    private struct Entry {
        var pts: Int64
        var duration: Int64
    }
    /// By encoder pts, from the frame that went in to the packet that comes out.
    private var pending: [Int64: Entry] = [:]
    /// Source pts by frame number, of the newest frames only; decoding times are looked up here when frames are counted.
    private var history: [Int64: Int64] = [:]
    private var count: Int64 = 0
    private var firstPTS: Int64?
    private var lastPTS: Int64?
    /// The newest frame's pts in ticks of the source.
    var newest: Int64? { lastPTS }
    private let frameTicks: Int64

    /// More frames than any encoder holds back to look ahead and to reorder.
    private static let historyDepth: Int64 = 1024

    /// `frameRate` is the nominal one, for frames without a duration of their own and for encoders that count.
    init(sourceTimeBase: Rational, frameRate: Rational, counts: Bool) {
        self.sourceTimeBase = sourceTimeBase
        self.counts = counts
        encoderTimeBase = counts ? frameRate.inverse : sourceTimeBase
        frameTicks = max(1, frameRate.inverse.rescale(1, to: sourceTimeBase))
    }

    /// Takes the pts of the next frame, which must grow, and its duration (0 where unknown), both in ticks of the
    /// source; returns the pts for the encoder. A pts that does not grow is moved by one tick behind its predecessor.
    mutating func stamp(pts: Int64?, duration: Int64) -> Int64 {
        var source = pts ?? lastPTS.map { $0 &+ frameTicks } ?? 0
        if let lastPTS, source <= lastPTS { source = lastPTS &+ 1 }
        if firstPTS == nil { firstPTS = source }
        lastPTS = source
        let encoder = counts ? count : source
        pending[encoder] = Entry(pts: source, duration: duration > 0 ? duration : frameTicks)
        if counts {
            history[count] = source
            history[count - Self.historyDepth] = nil
        }
        count += 1
        return encoder
    }

    /// Pts, dts and duration in ticks of the source of a packet with the encoder's own; nil for a packet of no frame
    /// that went in.
    mutating func restore(pts: Int64, dts: Int64?) -> (pts: Int64, dts: Int64, duration: Int64)? {
        guard let entry = pending.removeValue(forKey: pts) else { return nil }
        let decoding = dts.map { counts ? sourceTime(ofFrame: $0) : $0 } ?? entry.pts
        return (entry.pts, min(decoding, entry.pts), entry.duration)
    }

    /// Counted decoding times start below 0 where the encoder reorders: these lie before the first frame.
    private func sourceTime(ofFrame number: Int64) -> Int64 {
        if let known = history[number] { return known }
        return (firstPTS ?? 0) &+ number &* frameTicks
    }
}
