internal import CFFmpeg

/// What an encoder is told so that every frame comes out at once, and key frames come when they are asked for.
struct LiveTuning {
    let encoding: LiveEncoding
    /// Bits per second.
    let cap: Int
    /// Frames from one key frame to the next at the nominal rate.
    let keyframeDistance: Int

    init(_ encoding: LiveEncoding, format: LiveFormat) throws(MediaError) {
        try encoding.check()
        self.encoding = encoding
        cap = encoding.cap(for: format)
        keyframeDistance = max(1, Int(nearest: encoding.keyframeInterval * (format.frameRate.value ?? 25)))
    }

    /// Sets the options on a context that is not open yet, behind those of the user.
    func apply(to context: UnsafeMutablePointer<AVCodecContext>, encoder: EncoderDescription) {
        context.pointee.max_b_frames = 0
        context.pointee.gop_size = Int32(keyframeDistance)
        // Frame threads hold back a frame each; slices do not.
        context.pointee.thread_type = FF_THREAD_SLICE
        applyRate(to: context, encoder: encoder)
        // Without it these two keep a frame back; most others refuse it.
        if ["mpeg1video", "mpeg2video"].contains(encoder.name) { context.pointee.flags |= AV_CODEC_FLAG_LOW_DELAY }
        for (option, value) in options(of: encoder) {
            // An older library without one of them is no less usable.
            av_opt_set(context.pointee.priv_data, option, value, 0)
        }
    }

    private func applyRate(to context: UnsafeMutablePointer<AVCodecContext>, encoder: EncoderDescription) {
        switch encoder.name {
        case "libvpx", "libvpx-vp9":
            // A quality keeps its bound as a bit rate; without one, constant bit rate is what libvpx caps by.
            if context.pointee.bit_rate == 0 { context.pointee.bit_rate = Int64(cap) }
            guard encoding.settings.crf == nil else { return }
            context.pointee.rc_min_rate = context.pointee.bit_rate
            context.pointee.rc_max_rate = context.pointee.bit_rate
            context.pointee.rc_buffer_size = Int32(clamping: context.pointee.bit_rate)
        case "libaom-av1", "libsvtav1", "librav1e":
            if context.pointee.bit_rate == 0, encoding.settings.crf == nil { context.pointee.bit_rate = Int64(cap) }
        default:
            let hasQuality = context.pointee.priv_data != nil && encoder.numericRange(of: "crf", in: context) != nil
            // libavcodec's own default of 200 kb/s suits no live video.
            if !hasQuality && encoding.settings.bitrate == nil { context.pointee.bit_rate = Int64(cap) / 3 * 2 }
            context.pointee.rc_max_rate = Int64(cap)
            // One second: a key frame may be as large as a second of others.
            context.pointee.rc_buffer_size = Int32(clamping: cap)
        }
    }

    private func options(of encoder: EncoderDescription) -> [(String, String)] {
        switch encoder.name {
        case "libx264", "libx264rgb":
            // No key frames at scene cuts: they come early and large. A forced one is an IDR picture, where players can join.
            [("tune", "zerolatency"), ("forced-idr", "1"), ("sc_threshold", "0")]
        case "libx265": [("tune", "zerolatency"), ("forced-idr", "1")]
        case "libvpx":
            [("deadline", "realtime"), ("cpu-used", "8"), ("lag-in-frames", "0"), ("auto-alt-ref", "0"), ("error-resilient", "1")]
        case "libvpx-vp9":
            [
                ("deadline", "realtime"), ("cpu-used", "8"), ("lag-in-frames", "0"), ("auto-alt-ref", "0"), ("row-mt", "1"),
                ("error-resilient", "1"),
            ]
        case "libaom-av1": [("usage", "realtime"), ("cpu-used", "9"), ("lag-in-frames", "0"), ("row-mt", "1")]
        case "libsvtav1": [("svtav1-params", "pred-struct=1:lookahead=0"), ("preset", encoding.settings.preset ?? "10")]
        case "h264_nvenc", "hevc_nvenc": [("tune", "ull"), ("zerolatency", "1"), ("delay", "0"), ("forced-idr", "1")]
        case "h264_qsv", "hevc_qsv": [("async_depth", "1"), ("forced_idr", "1")]
        case "h264_vaapi", "hevc_vaapi": [("async_depth", "1")]
        default: []
        }
    }
}
