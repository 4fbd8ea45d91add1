internal import MediaIO

/// Tells when in the source a frame is shown: what timelines count.
struct SourceClock: Sendable {
    /// Seconds from the zero of the video's timestamps to its start.
    let origin: Double
    private let start: Int64
    private let timeBase: Rational

    init(_ video: VideoInfo) {
        timeBase = video.timeBase
        start = video.startTime ?? 0
        origin = Self.seconds(start, timeBase)
    }

    /// Seconds from the start of the source, whatever part of it is converted; 0 for a picture.
    func seconds(of frame: Frame) -> Double {
        guard let pts = frame.pts else { return 0 }
        let (ticks, overflow) = pts.subtractingReportingOverflow(start)
        return overflow ? 0 : Self.seconds(ticks, timeBase)
    }

    /// Multiplied before it is divided: the result is then the number nearest to the true one, and a frame at a keyframe
    /// meets the time that the user wrote.
    private static func seconds(_ ticks: Int64, _ base: Rational) -> Double {
        guard base.isPositive else { return 0 }
        return Double(ticks) * Double(base.numerator) / Double(base.denominator)
    }
}
