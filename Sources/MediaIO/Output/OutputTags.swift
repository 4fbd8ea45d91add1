internal import CFFmpeg

/// Tags, chapters and programs of the output.
enum OutputTags {
    /// What a file says about itself and not about its content; its writer sets these anew.
    private static let containerFacts: Set<String> = ["major_brand", "minor_version", "compatible_brands", "encoder"]
    /// What mkvmerge and FFmpeg note about a track's packets, which no longer holds for another encoding or a part.
    private static let statistics: Set<String> = [
        "bps", "duration", "number_of_frames", "number_of_bytes", "_statistics_writing_app",
        "_statistics_writing_date_utc",
        "_statistics_tags", "source_id",
    ]

    /// True for a tag that describes a file or its packets, not what is in them.
    static func belongsToFile(_ key: String) -> Bool {
        let plain = key.lowercased()
        return containerFacts.contains(plain) || statistics.contains(plain)
            || statistics.contains(plain.split(separator: "-").first.map(String.init) ?? "")
    }

    static func write(
        to output: Muxer, planner: OutputPlanner, plan: StreamPlan, shift: OutputShift, mark: OutputMark
    ) throws(MediaError) {
        let source = planner.source.raw
        av_dict_copy(&output.context.pointee.metadata, source.pointee.metadata, 0)
        remove(containerFacts, from: &output.context.pointee.metadata)
        put(mark, on: output)
        if shift.window != nil { remove(["duration"], from: &output.context.pointee.metadata) }
        for index in 0..<Int(output.context.pointee.nb_streams) {
            guard let stream = output.context.pointee.streams[index] else { continue }
            let isConverted = Int32(index) == output.outputIndex(of: planner.source.info.video.streamIndex)
            if isConverted || shift.window != nil { remove(statistics, from: &stream.pointee.metadata) }
            if isConverted, let timecode = plan.timecode { setTimecode(timecode, stream, planner, shift) }
        }
        try copyChapters(source, output, shift)
        try copyPrograms(source, output)
    }

    /// Sets the mark in place of one that the source has.
    static func put(_ mark: OutputMark, on output: Muxer) {
        removeMarks(from: &output.context.pointee.metadata)
        for index in 0..<Int(output.context.pointee.nb_streams) {
            guard let stream = output.context.pointee.streams[index] else { continue }
            removeMarks(from: &stream.pointee.metadata)
        }
        let tag = mark.tag(inContainer: output.name)
        av_dict_set(&output.context.pointee.metadata, tag.key, tag.value, 0)
    }

    private static func removeMarks(from tags: inout OpaquePointer?) {
        for (key, value) in dictionary(tags) where OutputMark.isMark(key, value) { av_dict_set(&tags, key, nil, 0) }
    }

    private static func remove(_ keys: Set<String>, from tags: inout OpaquePointer?) {
        for key in dictionary(tags).keys {
            let plain = key.lowercased()
            // mkvmerge adds the language: `BPS-eng`.
            if keys.contains(plain)
                || (keys == statistics && keys.contains(plain.split(separator: "-").first.map(String.init) ?? ""))
            {
                av_dict_set(&tags, key, nil, 0)
            }
        }
    }

    /// The muxer counts timecodes in the stream's average rate.
    private static func setTimecode(
        _ text: String, _ stream: UnsafeMutablePointer<AVStream>, _ planner: OutputPlanner, _ shift: OutputShift
    ) {
        let rate = planner.timecodeRate
        stream.pointee.avg_frame_rate = rate.avRational
        var shifted = text
        var timecode = AVTimecode()
        if let window = shift.window, av_timecode_init_from_string(&timecode, rate.avRational, text, nil) >= 0 {
            var buffer = [CChar](repeating: 0, count: Int(AV_TIMECODE_STR_SIZE))
            // libav adds the number of the first frame in the same 32 bits.
            let frames = Int32(nearest: min(window.start * (rate.value ?? 0), 0x1p30))
            if let result = av_timecode_make_string(&timecode, &buffer, frames) { shifted = String(cString: result) }
        }
        av_dict_set(&stream.pointee.metadata, "timecode", shifted, 0)
    }

    private static func copyChapters(
        _ source: UnsafeMutablePointer<AVFormatContext>, _ output: Muxer, _ shift: OutputShift
    ) throws(MediaError) {
        for index in 0..<Int(source.pointee.nb_chapters) {
            guard let chapter = source.pointee.chapters[index]?.pointee, let tick = Rational(chapter.time_base).value,
                tick > 0
            else { continue }
            var (start, end) = (chapter.start, chapter.end)
            if let window = shift.window {
                let range = try window.ticks(in: Rational(chapter.time_base), origin: shift.origin)
                guard start < range.upperBound, end > range.lowerBound else { continue }
                start = max(start, range.lowerBound).subtractingClamped(range.lowerBound)
                end = min(end, range.upperBound).subtractingClamped(range.lowerBound)
            }
            let result = shim_add_chapter(output.context, chapter.id, chapter.time_base, start, end, chapter.metadata)
            try AV.check(result, .outOfMemory, "no memory for chapters")
        }
    }

    private static func copyPrograms(_ source: UnsafeMutablePointer<AVFormatContext>, _ output: Muxer)
        throws(MediaError)
    {
        guard output.name == "mpegts" else { return }
        let indices = (0..<Int(source.pointee.nb_streams)).map { output.outputIndex(of: $0) }
        for index in 0..<Int(source.pointee.nb_programs) {
            guard let program = source.pointee.programs[index] else { continue }
            try AV.check(
                shim_copy_program(output.context, program, indices, UInt32(indices.count)), .outOfMemory,
                "no memory for programs")
        }
    }
}
