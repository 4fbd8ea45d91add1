internal import MediaIO

/// The part of a source that is converted, in seconds after its start.
struct TimeWindow: Sendable, Equatable {
    /// First moment that is kept.
    let start: Double
    /// First moment that is not kept any more.
    let end: Double

    /// How far a container may store a packet of one stream behind the video of the same moment.
    private static let interleaving = 5.0

    /// When the source starts, in seconds of its own presentation time.
    let origin: Double

    /// Nil where neither `start` nor `duration` is given.
    init?(start: Double?, duration: Double?, of source: SourceInfo) {
        guard start != nil || duration != nil else { return nil }
        self.start = start ?? 0
        end = duration.map { (start ?? 0) + $0 } ?? .infinity
        let video = source.video
        origin = video.startTime.flatMap { ticks in video.timeBase.value.map { Double(ticks) * $0 } } ?? 0
    }

    /// Half a tick of tolerance: a frame whose time is written as the end is not kept.
    func isBeforeEnd(_ frame: Frame) -> Bool {
        guard let time = frame.seconds, let tick = frame.timeBase.value else { return true }
        return time - origin < end - tick / 2
    }

    /// True where nothing that is kept can follow: `packet` is decoded well after the end.
    func isFarBehind(_ packet: Packet) -> Bool {
        guard let dts = packet.dts, let tick = packet.timeBase.value else { return false }
        return Double(dts) * tick - origin > end + Self.interleaving
    }

    /// How many of `count` frames in `duration` seconds lie inside.
    func share(of count: Int, duration: Double) -> Int {
        guard duration > 0 else { return count }
        return Int((Double(count) * max(0, min(end, duration) - start) / duration).rounded())
    }
}
