internal import CFFmpeg

/// Whether a source's codec keeps ids as they were: a class is a name, and what a lossy codec makes of the edge between
/// class 7 and class 26 is class 16 and others that nobody drew.
public enum LabelCoding {
    enum Loss: Equatable {
        case none, certain
        /// The codec has lossless and lossy modes, and the file does not say in which it was written.
        case possible
    }

    /// Refuses a source of labels or instances whose coding is lossy or may be, unless `isForced`.
    ///
    /// - Parameter source: from `SourceProbe`.
    /// - Throws: `MediaError` `.badLabels`.
    public static func check(_ source: SourceInfo, isForced: Bool) throws(MediaError) {
        let codec = codecName(of: source)
        let what: String
        switch loss(of: codec, pixelFormat: source.video.pixelFormatName) {
        case .none: return
        case .certain: what = "is lossy"
        case .possible: what = "may be lossy, which cannot be told from the file"
        }
        guard !isForced else { return }
        throw MediaError(
            .badLabels, "\(source.path) is coded as \(codec), which \(what): labels are ids, and lossy coding mixes them at edges",
            remedy: "give them losslessly coded, as PNG pictures or FFV1 video, or take them as they are with --force")
    }

    private static func codecName(of source: SourceInfo) -> String {
        source.streams.first { $0.index == source.video.streamIndex }?.codecName ?? "none"
    }

    /// By libavcodec's codec descriptors, and what they leave out.
    static func loss(of codec: String, pixelFormat: String) -> Loss {
        if codec == "webp" {
            // WebP has two codecs in one: VP8, which has no RGB, and a lossless one, which has nothing else.
            return PixelFormat.isRGB(av_get_pix_fmt(pixelFormat)) ? .none : .certain
        }
        if lossyWithLosslessMode.contains(codec) { return .possible }
        guard let descriptor = avcodec_descriptor_get_by_name(codec)?.pointee else { return .possible }
        switch (descriptor.props & AV_CODEC_PROP_LOSSY != 0, descriptor.props & AV_CODEC_PROP_LOSSLESS != 0) {
        case (false, true): return .none
        case (true, false): return .certain
        default: return .possible
        }
    }

    /// The descriptors call these lossy, though they have a lossless mode, which is chosen block by block.
    private static let lossyWithLosslessMode: Set<String> = ["hevc", "vp9", "av1", "vvc"]
}
