internal import MediaIO

/// The part of a source that is converted, in seconds of its own presentation time.
struct TimeWindow: Sendable, Equatable {
    /// First moment that is kept.
    let start: Double
    /// First moment that is not kept any more.
    let end: Double

    /// How far a container may store a packet of one stream behind the video of the same moment.
    private static let interleaving = 5.0

    /// The window of `start` and `duration` counted from the source's first moment; nil where neither is given.
    init?(start: Double?, duration: Double?, origin: Double) {
        guard start != nil || duration != nil else { return nil }
        self.start = origin + (start ?? 0)
        end = duration.map { self.start.advanced(by: $0) } ?? .infinity
    }

    /// Half a tick of tolerance: a frame whose time is written as the start is kept.
    func contains(_ frame: Frame) -> Bool {
        guard let time = frame.seconds, let tick = frame.timeBase.value else { return true }
        return time > start - tick / 2 && time < end - tick / 2
    }

    /// True where nothing that is kept can follow: `packet` is decoded well after the end.
    func isFarBehind(_ packet: Packet) -> Bool {
        guard let dts = packet.dts, let tick = packet.timeBase.value else { return false }
        return Double(dts) * tick > end + Self.interleaving
    }
}
