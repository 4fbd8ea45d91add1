internal import CFFmpeg

/// By how much a run moves the source's times, and what it leaves out.
struct OutputShift {
    let window: TimeWindow?
    /// Seconds at which the source's video starts.
    let origin: Double
    private let info: SourceInfo
    /// Seconds before the source's first picture or sound, where the output cannot start later than at 0.
    let lead: Double

    init(window: TimeWindow?, source: Demuxer, container: ContainerFormat) throws(MediaError) {
        self.window = window
        let info = source.info
        self.info = info
        origin = Double(info.video.startTime ?? 0) * (info.video.timeBase.value ?? 0)
        lead = window == nil && container.startsAtZero ? max(0, Self.earliest(source) ?? 0) : 0
        if let window { try check(window, source) }
    }

    /// Throws `.unsupportedOption` where one of the streams cannot count as far as the window.
    private func check(_ window: TimeWindow, _ source: Demuxer) throws(MediaError) {
        _ = try window.ticks(in: info.video.timeBase, origin: origin)
        for stream in info.streams {
            guard let base = source.stream(at: stream.index).map({ Rational($0.pointee.time_base) }), base.isPositive else { continue }
            _ = try window.ticks(in: base, origin: origin)
        }
    }

    /// Seconds that are taken off every time.
    var seconds: Double { window.map { origin + $0.start } ?? lead }

    /// When the first of the source's pictures and sounds comes.
    private static func earliest(_ source: Demuxer) -> Double? {
        source.info.streams.compactMap { stream in
            guard stream.kind == .audio || stream.kind == .video, !stream.isCoverArt, let raw = source.stream(at: stream.index),
                let start = raw.pointee.start_time.knownTimestamp, let tick = Rational(raw.pointee.time_base).value
            else { return nil }
            return Double(start) * tick
        }.min()
    }

    /// The shift of one stream in its ticks, and its cut.
    func route(_ index: Int, _ source: Demuxer) -> (offset: Int64, cut: StreamCut?)? {
        guard let stream = source.stream(at: index) else { return nil }
        let base = Rational(stream.pointee.time_base)
        guard let tick = base.value, tick > 0 else { return (0, nil) }
        guard let window, let range = try? window.ticks(in: base, origin: origin) else {
            return (Int64(nearest: seconds / tick), nil)
        }
        let kind = info.streams.indices.contains(index) ? info.streams[index].kind : .other
        return (Int64(nearest: seconds / tick), StreamCut(range: range, kind: kind))
    }

    /// Where the streams of the source begin, as far as known, moved.
    func starts(of source: Demuxer) -> [MuxerOptions.StreamStart] {
        info.streams.compactMap { stream in
            guard stream.kind == .audio || stream.kind == .video || stream.kind == .subtitle, !stream.isCoverArt,
                let raw = source.stream(at: stream.index), let tick = Rational(raw.pointee.time_base).value
            else { return nil }
            let start = raw.pointee.start_time.knownTimestamp.map { Double($0) * tick } ?? 0
            // Cut streams begin anywhere behind the start of the window.
            return MuxerOptions.StreamStart(kind: stream.kind, seconds: window == nil ? start - lead : 0.000_01)
        }
    }
}
