internal import MediaIO

/// The window of one conversion, in the video's own ticks.
struct VideoWindow: Sendable {
    let window: TimeWindow
    /// When the video starts, in seconds of its own presentation time.
    private let origin: Double
    /// Pts that are kept, in ticks of the video's time base.
    private let ticks: Range<Int64>

    /// How far a container may store a packet of one media stream behind the video of the same moment, in seconds.
    private static let interleaving = 5.0

    /// Nil where neither `start` nor `duration` is given. Throws `MediaError` `.unsupportedOption` for an empty window.
    init?(start: Double?, duration: Double?, of source: SourceInfo) throws {
        guard start != nil || duration != nil else { return nil }
        let video = source.video
        window = TimeWindow(start: start ?? 0, end: duration.map { (start ?? 0) + $0 })
        origin = SourceClock(video).origin
        ticks = try window.ticks(in: video.timeBase, origin: origin)
    }

    func isBeforeEnd(_ frame: Frame) -> Bool { frame.pts.map { $0 < ticks.upperBound } ?? true }

    /// True where nothing that is kept can follow: `packet` is decoded well after the end.
    func isFarBehind(_ packet: Packet) -> Bool {
        guard let end = window.end, let dts = packet.dts, let tick = packet.timeBase.value else { return false }
        return Double(dts) * tick - origin > end + Self.interleaving
    }

    /// True where `output` is as long as the window, to a frame at either end.
    func isFilled(by output: SourceInfo, from source: SourceInfo) -> Bool {
        guard let whole = source.duration, let length = output.duration else { return false }
        let expected = max(0, min(window.end ?? whole, whole) - window.start)
        let frame = source.video.frameRate?.inverse.value ?? 0.04
        return abs(length - expected) <= 2 * frame
    }

    /// How many of `count` frames in `duration` seconds lie inside.
    func share(of count: Int, duration: Double) -> Int {
        guard duration > 0 else { return count }
        let length = max(0, min(window.end ?? duration, duration) - window.start)
        return Int(nearest: Double(count) * min(1, length / duration))
    }
}
