internal import CFFmpeg
import Glibc
import Imaging

/// Opens an encoder, and finds out, where it refuses, what it refuses.
struct EncoderOpening {
    let description: EncoderDescription
    let options: EncoderOptions
    let source: VideoInfo
    let clock: EncoderClock
    let frameRate: Rational
    let wantsHeadersApart: Bool
    let reorders: Bool
    /// Set for live video only.
    let tuning: LiveTuning?

    /// An open context, which the caller frees.
    func open() throws(MediaError) -> UnsafeMutablePointer<AVCodecContext> {
        let format = av_get_pix_fmt(source.pixelFormatName)
        guard format != AV_PIX_FMT_NONE, source.width > 0, source.height > 0 else {
            throw MediaError(.unsupported, "the pixel format \(source.pixelFormatName) of the source is not known")
        }
        let candidates = try EncoderPixelFormat.candidates(
            for: format, size: (source.width, source.height), fullRangeOnly: isJPEG, encoder: description)
        var failure = MediaError(.internalFailure, "the encoder \(description.name) did not start")
        for candidate in candidates {
            switch try open(candidate, options) {
            case .opened(let context): return context
            case .refused(let error): failure = error
            }
        }
        try blameOption(candidates)
        throw failure
    }

    private enum Outcome {
        case opened(UnsafeMutablePointer<AVCodecContext>)
        case refused(MediaError)
    }

    /// Throws `.unsupportedOption` where the encoder starts as soon as one of the user's options is left out.
    private func blameOption(_ candidates: [AVPixelFormat]) throws(MediaError) {
        for kind in EncoderOptions.Kind.allCases where options.asked.contains(kind) {
            for candidate in candidates {
                guard case .opened(let context) = try open(candidate, options.without(kind)) else { continue }
                var pointer: UnsafeMutablePointer<AVCodecContext>? = context
                avcodec_free_context(&pointer)
                throw MediaError(
                    .unsupportedOption, "the encoder \(description.name) refuses \(kind.rawValue) \(value(of: kind))",
                    remedy: "leave it out, or see `ffmpeg -h encoder=\(description.name)`")
            }
        }
    }

    private func value(of kind: EncoderOptions.Kind) -> String {
        switch kind {
        case .crf: options.crf.map(EncoderOptions.text) ?? ""
        case .bitrate: options.bitrate.map { "\($0)" } ?? ""
        case .preset: options.preset ?? ""
        }
    }

    private func open(_ format: AVPixelFormat, _ options: EncoderOptions) throws(MediaError) -> Outcome {
        var pointer = avcodec_alloc_context3(description.codec)
        guard let context = pointer else {
            throw MediaError(.outOfMemory, "no memory for the encoder \(description.name)")
        }
        do {
            fill(context, format)
            try options.apply(to: context, encoder: description)
            tuning?.apply(to: context, encoder: description)
        } catch {
            avcodec_free_context(&pointer)
            throw error
        }
        let result = avcodec_open2(context, description.codec, nil)
        if result >= 0 { return .opened(context) }
        avcodec_free_context(&pointer)
        let isHardware = description.codec.pointee.capabilities & (AV_CODEC_CAP_HARDWARE | AV_CODEC_CAP_HYBRID) != 0
        let error = AV.error(
            result, .unsupported,
            "the encoder \(description.name) does not start with \(source.width)x\(source.height) \(String(cString: av_get_pix_fmt_name(format)))",
            remedy: isHardware
                ? "check that its hardware and driver are there, or use libx264" : "use another encoder such as libx264"
        )
        if error.code == .outOfMemory { throw error }
        // Encoders have words of their own for it.
        guard !isShortOfMemory(error.cause ?? "") else {
            throw MediaError(.outOfMemory, "no memory for the encoder \(description.name)", cause: error.cause)
        }
        return .refused(error)
    }

    /// True where an encoder that does not start, for whatever reason it gives, could not have had the memory that it needs.
    private func isShortOfMemory(_ cause: String) -> Bool {
        if ["malloc", "memory", "alloc"].contains(where: cause.lowercased().contains) { return true }
        // Some tens of frames, and the stacks of its threads.
        return !Self.hasRoom(bytes: 128 << 20 + 64 * 3 * source.width * source.height)
    }

    /// Whether this process may have so much more memory (setrlimit(2), RLIMIT_AS, and the kernel's own limits).
    static func hasRoom(bytes: Int) -> Bool {
        let place = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        // MAP_FAILED, which Swift does not see.
        guard place != UnsafeMutableRawPointer(bitPattern: -1) else { return false }
        munmap(place, bytes)
        return true
    }

    private func fill(_ context: UnsafeMutablePointer<AVCodecContext>, _ format: AVPixelFormat) {
        context.pointee.width = Int32(source.width)
        context.pointee.height = Int32(source.height)
        context.pointee.pix_fmt = format
        context.pointee.sample_aspect_ratio =
            source.sampleAspect.isPositive ? source.sampleAspect.avRational : AVRational(num: 0, den: 1)
        context.pointee.time_base = clock.encoderTimeBase.avRational
        context.pointee.framerate = frameRate.avRational
        context.pointee.field_order = AV_FIELD_PROGRESSIVE
        let tags = colour(for: format)
        context.pointee.color_range = AVColorRange(rawValue: UInt32(bitPattern: tags.range))
        context.pointee.color_primaries = AVColorPrimaries(rawValue: UInt32(bitPattern: tags.primaries))
        context.pointee.color_trc = AVColorTransferCharacteristic(rawValue: UInt32(bitPattern: tags.transfer))
        context.pointee.colorspace = AVColorSpace(rawValue: UInt32(bitPattern: tags.matrix))
        context.pointee.chroma_sample_location = AVChromaLocation(rawValue: UInt32(bitPattern: tags.chromaLocation))
        if !reorders { context.pointee.max_b_frames = 0 }
        if wantsHeadersApart { context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER }
    }

    private var isLimitedPicture: Bool {
        // Grey TIFF has no reference levels, and is full range as libswscale takes it.
        [AV_CODEC_ID_WEBP, AV_CODEC_ID_TIFF].contains(description.codec.pointee.id)
    }
    private var isJPEG: Bool { description.codec.pointee.id == AV_CODEC_ID_MJPEG }

    /// The source's tags as far as the format holds them. Picture files have rules of their own and no tags: JPEG (JFIF)
    /// is BT.601 in full range; YCbCr in WebP and in libavcodec's TIFF is BT.601 in limited range.
    private func colour(for format: AVPixelFormat) -> ColourTags {
        var tags = source.colour(storedAs: String(cString: av_get_pix_fmt_name(format)))
        if isJPEG {
            tags.matrix = Int32(bitPattern: AVCOL_SPC_BT470BG.rawValue)
            tags.range = Int32(bitPattern: AVCOL_RANGE_JPEG.rawValue)
        } else if isLimitedPicture, !PixelFormat.isRGB(format) {
            tags.matrix = Int32(bitPattern: AVCOL_SPC_SMPTE170M.rawValue)
            tags.range = Int32(bitPattern: AVCOL_RANGE_MPEG.rawValue)
        }
        return tags
    }

    /// The tags of an open encoder.
    static func colour(of context: UnsafeMutablePointer<AVCodecContext>) -> ColourTags {
        ColourTags(
            range: Int32(bitPattern: context.pointee.color_range.rawValue),
            primaries: Int32(bitPattern: context.pointee.color_primaries.rawValue),
            transfer: Int32(bitPattern: context.pointee.color_trc.rawValue),
            matrix: Int32(bitPattern: context.pointee.colorspace.rawValue),
            chromaLocation: Int32(bitPattern: context.pointee.chroma_sample_location.rawValue))
    }
}
