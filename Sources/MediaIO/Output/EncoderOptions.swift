internal import CFFmpeg

/// The options of one encoder run, and how each is handed to libavcodec.
///
/// An option that the encoder does not have, or that is out of its range, is an error that names it: libavcodec
/// itself ignores a bitrate that means nothing to an encoder, and x264 clamps a crf in silence.
struct EncoderOptions: Equatable {
    enum Kind: String, CaseIterable { case crf, bitrate, preset }

    var crf: Double?
    var bitrate: Int?
    var preset: String?
    var threads: Int
    /// The options that the user gave, as opposed to defaults.
    var asked: Set<Kind>

    /// These options without the one named.
    func without(_ kind: Kind) -> EncoderOptions {
        var copy = self
        switch kind {
        case .crf: copy.crf = nil
        case .bitrate: copy.bitrate = nil
        case .preset: copy.preset = nil
        }
        copy.asked.remove(kind)
        return copy
    }

    /// Sets the options on a context that is not open yet. Throws `.unsupportedOption`.
    func apply(to context: UnsafeMutablePointer<AVCodecContext>, encoder: EncoderDescription) throws(MediaError) {
        guard threads >= 0, threads <= 1024 else {
            throw MediaError(
                .unsupportedOption, "\(threads) is no number of threads", remedy: "give 0 to let the encoder choose")
        }
        context.pointee.thread_count = Int32(threads)
        if crf != nil, bitrate != nil, asked.contains(.crf), !encoder.combinesQualityAndBitrate {
            throw MediaError(
                .unsupportedOption, "the encoder \(encoder.name) takes either a crf or a bitrate, not both",
                remedy: "leave one out")
        }
        // x265 writes to standard error by itself.
        if encoder.name == "libx265" { try set("x265-params", "log-level=error", on: context, encoder: encoder) }
        if let preset {
            // x264 and x265 look at the name only when they are opened, and complain on standard error by themselves.
            guard encoder.knownPresets?.contains(preset) != false else { throw encoder.refuses(preset: preset) }
            try set("preset", preset, on: context, encoder: encoder)
        }
        if let crf { try apply(crf: crf, to: context, encoder: encoder) }
        if let bitrate { try apply(bitrate: bitrate, to: context, encoder: encoder) }
    }

    private func apply(
        crf: Double, to context: UnsafeMutablePointer<AVCodecContext>, encoder: EncoderDescription
    ) throws(MediaError) {
        guard let range = encoder.numericRange(of: "crf", in: context) else { throw encoder.lacks("crf") }
        guard crf.isFinite, range.contains(crf) else {
            throw MediaError(
                .unsupportedOption, "crf \(Self.text(crf)) is out of the range of the encoder \(encoder.name)",
                remedy: "give a value from \(Self.text(range.lowerBound)) to \(Self.text(range.upperBound))")
        }
        guard encoder.takesFractionalCRF(in: context) || crf == crf.rounded() else {
            throw MediaError(
                .unsupportedOption, "the encoder \(encoder.name) takes whole crf values only, not \(Self.text(crf))",
                remedy: "round it")
        }
        try set("crf", Self.text(crf), on: context, encoder: encoder)
        // libvpx and libaom take crf as a bound of a bitrate that is 200 kb/s unless it is told otherwise.
        if encoder.combinesQualityAndBitrate && bitrate == nil { context.pointee.bit_rate = 0 }
    }

    private func apply(
        bitrate: Int, to context: UnsafeMutablePointer<AVCodecContext>, encoder: EncoderDescription
    ) throws(MediaError) {
        guard encoder.heedsBitrate else { throw encoder.lacks("bitrate") }
        guard bitrate >= 1000, bitrate <= Int(Int32.max) else {
            throw MediaError(
                .unsupportedOption, "a bitrate of \(bitrate) bits per second is out of range",
                remedy: "give a value such as 4000000 (4 Mb/s)")
        }
        context.pointee.bit_rate = Int64(bitrate)
    }

    private func set(
        _ option: String, _ value: String, on context: UnsafeMutablePointer<AVCodecContext>, encoder: EncoderDescription
    ) throws(MediaError) {
        guard let own = context.pointee.priv_data, context.pointee.codec?.pointee.priv_class != nil else {
            throw encoder.lacks(option)
        }
        let result = av_opt_set(own, option, value, 0)
        if result == shim_averror_option_not_found() { throw encoder.lacks(option) }
        try AV.check(
            result, .unsupportedOption, "the encoder \(encoder.name) does not take \(option) \(value)",
            remedy: "leave it out, or see `ffmpeg -h encoder=\(encoder.name)`")
    }

    static func text(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : String(value)
    }
}

/// What there is to know about an encoder before it is opened.
struct EncoderDescription {
    let codec: UnsafePointer<AVCodec>
    let name: String

    /// Finds an encoder by libavcodec's name. Throws `.unknownEncoder` with near names.
    init(named name: String) throws(MediaError) {
        _ = AV.installLog
        guard let codec = avcodec_find_encoder_by_name(name), codec.pointee.type == AVMEDIA_TYPE_VIDEO else {
            throw EncoderCatalogue.unknown(name)
        }
        self.codec = codec
        self.name = String(cString: codec.pointee.name)
    }

    func lacks(_ option: String) -> MediaError {
        MediaError(.unsupportedOption, "the encoder \(name) has no option \(option)", remedy: "leave it out")
    }

    func refuses(preset: String) -> MediaError {
        MediaError(
            .unsupportedOption, "the encoder \(name) has no preset \(preset)",
            remedy: knownPresets.map { "use one of \($0.joined(separator: ", "))" })
    }

    /// The presets of encoders whose option is free text; nil where libavcodec itself knows.
    var knownPresets: [String]? {
        guard ["libx264", "libx264rgb", "libx265"].contains(name) else { return nil }
        return [
            "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
        ]
    }

    /// Encoders that take a quality and a bitrate at once (constrained quality).
    var combinesQualityAndBitrate: Bool { ["libvpx", "libvpx-vp9", "libaom-av1"].contains(name) }

    /// Lossless codecs have no bitrate to choose, and these encoders never look at it.
    var heedsBitrate: Bool {
        if ["libwebp", "libwebp_anim", "libjxl", "jpeg2000", "gif", "prores", "prores_aw", "prores_ks"].contains(name) {
            return false
        }
        guard let descriptor = avcodec_descriptor_get(codec.pointee.id)?.pointee else { return true }
        return descriptor.props & AV_CODEC_PROP_LOSSY != 0
    }

    /// The range of one of the encoder's own numeric options; nil where it has none of that name.
    func numericRange(of option: String, in context: UnsafeMutablePointer<AVCodecContext>) -> ClosedRange<Double>? {
        guard codec.pointee.priv_class != nil, let own = context.pointee.priv_data,
            let found = av_opt_find(own, option, nil, 0, 0)?.pointee, found.type != AV_OPT_TYPE_CONST
        else { return nil }
        // x264 and x265 clamp to their quantiser scale what libavcodec lets through.
        if ["libx264", "libx264rgb", "libx265"].contains(name) && option == "crf" { return 0...51 }
        // The lowest value, where negative, is libavcodec's word for 'not set'.
        let low = max(found.min, found.min < 0 ? 0 : found.min)
        return low...max(low, min(found.max, 1000))
    }

    func takesFractionalCRF(in context: UnsafeMutablePointer<AVCodecContext>) -> Bool {
        guard let own = context.pointee.priv_data, let found = av_opt_find(own, "crf", nil, 0, 0)?.pointee else {
            return false
        }
        return found.type == AV_OPT_TYPE_FLOAT || found.type == AV_OPT_TYPE_DOUBLE
    }

    /// True for encoders that control their rate by the time base, as frames of 1/rate, rather than by a frame rate
    /// beside it: libavcodec's own ones, and the libraries listed here.
    var countsFrames: Bool {
        guard let wrapper = codec.pointee.wrapper_name.map({ String(cString: $0) }) else { return true }
        return ["libxvid", "libtheora", "libvpx", "libaom", "libopenh264"].contains(wrapper)
    }
}
