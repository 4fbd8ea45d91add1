internal import CFFmpeg

/// MP4 text tracks (ISO/IEC 14496-30) have no gaps: an empty sample stands where nothing is shown. libavformat's muxer
/// puts these in by itself, also where the copied track has them already, so the source's own are left to it.
struct SubtitleGaps {
    private var expected: Int64?
    private var lastWasEmpty = false

    /// True for an empty sample in the place where the muxer will write one: at the output's start (`offset` ticks of
    /// the source), or right behind a text.
    mutating func isWrittenByMuxer(_ packet: Packet, offset: Int64) -> Bool {
        let isEmpty = packet.size == 2 && packet.raw.pointee.data?[0] == 0 && packet.raw.pointee.data?[1] == 0
        let isInPlace = expected.map { $0 == packet.pts && !lastWasEmpty } ?? (packet.pts == offset)
        expected = packet.pts.map { $0 &+ packet.duration }
        defer { lastWasEmpty = isEmpty }
        return isEmpty && isInPlace
    }

    /// Gives text streams a time base at least as fine as any other's, in which their own times stay whole.
    ///
    /// The muxer (movenc.c, `mov_write_packet`) ends a text when another stream's packet lies behind it, but compares
    /// ticks without regard to their time bases; with the finer one it is never too early.
    static func refineTimeBases(_ context: UnsafeMutablePointer<AVFormatContext>) {
        let streams = (0..<Int(context.pointee.nb_streams)).compactMap { context.pointee.streams[$0] }
        let finest =
            streams.map { stream -> Int64 in
                let parameters = stream.pointee.codecpar.pointee
                return parameters.codec_type == AVMEDIA_TYPE_AUDIO
                    ? Int64(parameters.sample_rate) : Int64(stream.pointee.time_base.den)
            }.max() ?? 0
        for stream in streams where stream.pointee.codecpar.pointee.codec_id == AV_CODEC_ID_MOV_TEXT {
            let own = Int64(stream.pointee.time_base.den)
            guard own > 0, own < finest else { continue }
            let refined = own * ((finest + own - 1) / own)
            // A sample lasts less than 2^31 ticks: that must stay hours.
            guard refined <= 200_000 else { continue }
            stream.pointee.time_base.den = Int32(refined)
        }
    }
}
