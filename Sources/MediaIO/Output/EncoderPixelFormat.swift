internal import CFFmpeg

/// Which pixel format an encoder is fed with.
enum EncoderPixelFormat {
    /// The formats to try, best first: the source's own where the encoder takes it, else the one that loses least; and
    /// behind or, for an odd size that the codec does not have with subsampled chroma, instead of it full chroma.
    ///
    /// Throws `.unsupportedOption` for an encoder that takes pictures in a device's memory only, or no such size.
    static func candidates(
        for source: AVPixelFormat, size: (width: Int, height: Int), fullRangeOnly: Bool, encoder: EncoderDescription
    ) throws(MediaError) -> [AVPixelFormat] {
        guard let supported = list(encoder.codec) else { return [source] }
        // A translation of two or a few hundred colours has more of them, and what libswscale cannot make cannot be fed.
        let software = supported.filter {
            flags($0) & UInt64(AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_PAL) == 0 && sws_isSupportedOutput($0) != 0
                && $0 != AV_PIX_FMT_MONOWHITE && $0 != AV_PIX_FMT_MONOBLACK
        }
        guard !software.isEmpty else {
            throw MediaError(
                .unsupportedOption, "the encoder \(encoder.name) takes pictures in a device's memory or in few colours only",
                remedy: "use a software encoder such as libx264")
        }
        guard let best = closest(to: source, in: software) else {
            throw MediaError(.unsupported, "the encoder \(encoder.name) takes no pixel format that solstice knows")
        }
        let chosen = fullRangeOnly ? deprecatedFullRange(of: best, in: software) : best
        guard let chroma = av_pix_fmt_desc_get(best)?.pointee,
            (chroma.log2_chroma_w > 0 && size.width % 2 != 0) || (chroma.log2_chroma_h > 0 && size.height % 2 != 0)
        else { return [chosen] }
        let depth = PixelFormat.bitDepth(of: best)
        let full = software.filter { format in
            guard let other = av_pix_fmt_desc_get(format)?.pointee else { return false }
            return other.log2_chroma_w == 0 && other.log2_chroma_h == 0 && other.nb_components >= 3
                && PixelFormat.bitDepth(of: format) >= depth && other.flags & UInt64(AV_PIX_FMT_FLAG_PAL) == 0
        }
        let fallback = closest(to: source, in: full).map { [$0] } ?? []
        // These crop in steps of a chroma sample, so that an odd picture would come out a sample larger.
        let cropsByChroma = [AV_CODEC_ID_H264, AV_CODEC_ID_HEVC].contains(encoder.codec.pointee.id)
        if cropsByChroma && fallback.isEmpty {
            throw MediaError(
                .unsupportedOption,
                "the encoder \(encoder.name) cannot code an odd size such as \(size.width)x\(size.height)",
                remedy: "use libx264 or libvpx-vp9")
        }
        return cropsByChroma ? fallback : [chosen] + fallback
    }

    /// The format of `formats` that keeps most of `source` (`av_find_best_pix_fmt_of_2`).
    static func closest(to source: AVPixelFormat, in formats: [AVPixelFormat]) -> AVPixelFormat? {
        if formats.contains(source) { return source }
        let hasAlpha: Int32 = flags(source) & UInt64(AV_PIX_FMT_FLAG_ALPHA) != 0 ? 1 : 0
        return formats.dropFirst().reduce(formats.first) { best, next in
            best.map { av_find_best_pix_fmt_of_2($0, next, source, hasAlpha, nil) }
        }
    }

    private static func list(_ codec: UnsafePointer<AVCodec>) -> [AVPixelFormat]? {
        guard var next = shim_encoder_pixel_formats(codec) else { return nil }
        var formats: [AVPixelFormat] = []
        while next.pointee != AV_PIX_FMT_NONE {
            formats.append(next.pointee)
            next += 1
        }
        return formats
    }

    /// JPEG's own range is the full one, which older libavcodec wants said by the format's name.
    private static func deprecatedFullRange(of format: AVPixelFormat, in formats: [AVPixelFormat]) -> AVPixelFormat {
        let twins: [AVPixelFormat.RawValue: AVPixelFormat] = [
            AV_PIX_FMT_YUV420P.rawValue: AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV422P.rawValue: AV_PIX_FMT_YUVJ422P,
            AV_PIX_FMT_YUV444P.rawValue: AV_PIX_FMT_YUVJ444P,
        ]
        guard let twin = twins[format.rawValue], formats.contains(twin) else { return format }
        return twin
    }

    static func flags(_ format: AVPixelFormat) -> UInt64 { av_pix_fmt_desc_get(format)?.pointee.flags ?? 0 }
}
