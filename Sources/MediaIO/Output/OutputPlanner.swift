internal import CFFmpeg

/// Gathers the facts for a `StreamPlan` from an open source, and asks the muxers.
struct OutputPlanner {
    let source: Demuxer
    let encoder: VideoEncoder
    let container: ContainerFormat
    let interrupt: Interrupt

    func plan() -> StreamPlan {
        StreamPlan.make(facts(), target: TargetFacts(container)) { carrier, streams in refusal(carrier, streams) }
    }

    func facts() -> [StreamFacts] {
        source.info.streams.compactMap { info in
            guard let stream = source.stream(at: info.index) else { return nil }
            var facts = StreamFacts(index: info.index, kind: info.kind, codecName: info.codecName)
            facts.isConverted = info.index == source.info.video.streamIndex
            facts.isCoverArt = info.isCoverArt
            facts.packetCount = info.packetCount
            facts.isReordered = info.kind == .video && stream.pointee.codecpar.pointee.video_delay > 0
            // The mov demuxer gives chapter tracks to nobody (mov.c, `mov_read_chapters`).
            facts.isChapterTrack =
                info.kind == .data && stream.pointee.discard == AVDISCARD_ALL && source.info.chapterCount > 0
            if info.codecTag == "tmcd", let text = info.metadata["timecode"], isRegenerable(text) {
                facts.timecode = text
            }
            return facts
        }
    }

    /// True where libav can read the timecode at the rate that the muxer will write it with.
    private func isRegenerable(_ text: String) -> Bool {
        var timecode = AVTimecode()
        return av_timecode_init_from_string(&timecode, timecodeRate.avRational, text, nil) >= 0
    }

    /// The rate that timecodes count in: the timecode track's own, else the video's.
    var timecodeRate: Rational {
        for info in source.info.streams where info.codecTag == "tmcd" {
            if let rate = source.stream(at: info.index).map({ Rational($0.pointee.avg_frame_rate) }), rate.isPositive {
                return rate
            }
        }
        return encoder.frameRate
    }

    /// AVI counts packets in the order of decoding.
    var isUntimed: Bool { source.info.containerName == "avi" }

    /// A muxer for a carrier, with the given streams added in this order.
    func muxer(_ carrier: StreamPlan.Carrier, streams: [Int], label: String) throws(MediaError) -> Muxer {
        let format: UnsafePointer<AVOutputFormat>? =
            switch carrier {
            case .output: try container.muxer()
            case .movSidecar: av_guess_format("mov", nil, nil)
            case .nutSidecar: av_guess_format("nut", nil, nil)
            }
        guard let format else { throw MediaError(.unsupported, "this libavformat does not write sidecar files") }
        let muxer = try Muxer(format: format, label: label, interrupt: interrupt)
        for index in streams {
            guard let stream = source.stream(at: index) else { continue }
            if carrier == .output && index == source.info.video.streamIndex {
                try muxer.addEncoded(encoder, inPlaceOf: stream)
            } else {
                try muxer.addCopy(of: stream, isUntimed: isUntimed)
            }
        }
        return muxer
    }

    /// Writes a header with these streams to nowhere: the only answer that holds for every muxer.
    private func refusal(_ carrier: StreamPlan.Carrier, _ streams: [Int]) -> String? {
        do throws(MediaError) {
            let muxer = try muxer(carrier, streams: streams, label: "a trial")
            try muxer.open(path: nil, options: MuxerOptions.prepare(muxer, starts: []))
            return nil
        } catch {
            return error.cause ?? error.message
        }
    }
}
