internal import CFFmpeg

/// What each kind of container is told, so that times and tags come through as they are.
enum MuxerOptions {
    /// Sets what belongs to the context, and returns the muxer's private options.
    ///
    /// `starts` are the times at which the source's streams begin, in seconds.
    static func prepare(_ muxer: Muxer, starts: [StreamStart]) -> [String: String] {
        let context = muxer.context
        if muxer.isISOMedia { return isoMedia(context, starts: starts) }
        switch muxer.name {
        case "matroska", "webm":
            // Its reader finds the times of sound before 0 (an encoder's priming) by the durations, so only a picture
            // before 0 makes it necessary to move everything.
            if !starts.contains(where: { $0.seconds < 0 && $0.kind != .audio }) {
                context.pointee.avoid_negative_ts = 0
            }
            return ["default_mode": "passthrough"]
        case "mpeg", "vob", "svcd", "dvd", "vcd":
            return ["preload": "0"]
        case "mpegts":
            context.pointee.avoid_negative_ts = 0
            return ["mpegts_copyts": "1"]
        default:
            return [:]
        }
    }

    /// When a stream of the source begins.
    struct StreamStart {
        var kind: MediaStreamInfo.Kind
        var seconds: Double
    }

    private static func isoMedia(_ context: UnsafeMutablePointer<AVFormatContext>, starts: [StreamStart]) -> [String:
        String]
    {
        var options = ["movflags": "use_metadata_tags"]
        let streams = (0..<Int(context.pointee.nb_streams)).compactMap { context.pointee.streams[$0] }
        let videos = streams.filter { $0.pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_VIDEO }
        // Else the muxer doubles a time scale below 10000 until it is above.
        let scales = Set(videos.map { $0.pointee.time_base.den })
        if scales.count == 1, let scale = scales.first, scale > 0 { options["video_track_timescale"] = "\(scale)" }
        // A stream's late start is kept in the movie's time scale, of 1000 ticks a second unless said otherwise,
        // and rounded down to it.
        if starts.contains(where: { $0.seconds > 0 }) {
            let trackScales = streams.map { stream -> Int64 in
                let parameters = stream.pointee.codecpar.pointee
                return parameters.codec_type == AVMEDIA_TYPE_AUDIO
                    ? Int64(parameters.sample_rate) : Int64(stream.pointee.time_base.den)
            }
            options["movie_timescale"] = "\(movieTimescale(trackScales))"
        }
        return options
    }

    /// A multiple of as many of the tracks' time scales, in their order, as fit; 1000 is always among them.
    static func movieTimescale(_ scales: [Int64]) -> Int64 {
        var common: Int64 = 1000
        for scale in scales where scale > 0 {
            let candidate = common / greatestCommonDivisor(common, scale) * scale
            if candidate <= 200_000_000 { common = candidate }
        }
        return common
    }

    private static func greatestCommonDivisor(_ a: Int64, _ b: Int64) -> Int64 {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }
}
