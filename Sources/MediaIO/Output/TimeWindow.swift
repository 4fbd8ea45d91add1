/// The part of a source that is converted, in seconds after the first video frame (as `Demuxer.seek` counts them).
///
/// The output starts at `start`: all media streams are moved by the same time.
public struct TimeWindow: Sendable, Equatable {
    public var start: Double
    /// The first moment that does not belong to it; nil for the end of the source.
    public var end: Double?

    public init(start: Double, end: Double? = nil) {
        self.start = start
        self.end = end
    }

    /// The pts that lie in the window, in ticks of `timeBase`, for a source whose video starts at `origin` seconds.
    ///
    /// Throws `.unsupportedOption` for times that are negative, empty or beyond what pts can count.
    public func ticks(in timeBase: Rational, origin: Double) throws(MediaError) -> Range<Int64> {
        guard start.isFinite, start >= 0, start < 1e9, (end ?? start + 1).isFinite, (end ?? start + 1) > start,
            let tick = timeBase.value, tick > 0, let first = Self.tick(origin + start, tick),
            let last = end.map({ Self.tick(origin + min($0, 1e9), tick) }) ?? Int64.max / 4
        else {
            throw MediaError(
                .unsupportedOption, "there is nothing to convert from \(start) s to \(end ?? .infinity) s",
                remedy: "check the start and the duration")
        }
        return first..<max(first + 1, last)
    }

    /// The first pts that is not before `seconds`: a frame whose time is that, but for rounding, belongs to it. Nil for times that
    /// leave no room to count with.
    private static func tick(_ seconds: Double, _ tick: Double) -> Int64? {
        let ticks = seconds / tick - 1e-6
        return abs(ticks) < 0x1p61 ? Int64(checked: ticks, .up) : nil
    }
}

/// Cuts one copied media stream to a window.
struct StreamCut {
    /// In ticks of the stream.
    let range: Range<Int64>
    let kind: MediaStreamInfo.Kind
    private var hasKeyFrame = false

    init(range: Range<Int64>, kind: MediaStreamInfo.Kind) {
        self.range = range
        self.kind = kind
    }

    enum Verdict: Equatable {
        case drop
        case keep
        /// Begins before the window and lasts into it: starts with it instead, for what is left of its duration.
        case shorten(pts: Int64, duration: Int64)
    }

    /// Sound is kept from the first packet that starts inside; a second video from its first key frame inside; text and
    /// data also where they are still valid at the start.
    mutating func judge(pts: Int64?, duration: Int64, isKey: Bool) -> Verdict {
        guard let pts else { return hasKeyFrame || kind != .video ? .keep : .drop }
        guard pts < range.upperBound else { return .drop }
        if pts >= range.lowerBound {
            if kind == .video && !hasKeyFrame && !isKey { return .drop }
            hasKeyFrame = true
            return .keep
        }
        guard kind == .subtitle || kind == .data, duration > 0, pts &+ duration > range.lowerBound else { return .drop }
        return .shorten(pts: range.lowerBound, duration: pts &+ duration &- range.lowerBound)
    }
}
