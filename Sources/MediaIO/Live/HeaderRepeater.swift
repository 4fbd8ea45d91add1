internal import CFFmpeg

/// Puts the codec's headers (parameter sets) before each key frame, for outputs that a reader may join at any time
/// (libavcodec's `dump_extra`).
final class HeaderRepeater {
    private var context: UnsafeMutablePointer<AVBSFContext>?

    /// nil for a codec whose key frames say everything already, or whose headers have no place in the stream.
    init?(_ parameters: CodecParameters) throws(MediaError) {
        guard parameters.canRepeatHeaders, let filter = av_bsf_get_by_name("dump_extra") else { return nil }
        try AV.check(av_bsf_alloc(filter, &context), .outOfMemory, "no memory for a stream")
        guard let context else { return nil }
        try AV.check(avcodec_parameters_copy(context.pointee.par_in, parameters.raw), .outOfMemory, "no memory for a stream")
        context.pointee.time_base_in = LiveFormat.timeBase.avRational
        try AV.check(av_bsf_init(context), .internalFailure, "the headers of \(parameters.codecName) cannot be repeated")
    }

    deinit { av_bsf_free(&context) }

    /// The packet itself, or for a key frame one with the headers before it.
    func apply(_ packet: Packet) throws(MediaError) -> Packet {
        guard packet.isKey else { return packet }
        let output = try packet.reference()
        try AV.check(av_bsf_send_packet(context, output.raw), .internalFailure, "a key frame's headers cannot be repeated")
        try AV.check(av_bsf_receive_packet(context, output.raw), .internalFailure, "a key frame's headers cannot be repeated")
        return output
    }
}
