internal import CFFmpeg

/// What an output file is, decided from its name: a container that libav muxes, a picture file, or a numbered
/// sequence of picture files.
public struct ContainerFormat: Sendable, Equatable {
    public enum Kind: String, Sendable { case media, picture, pictureSequence }

    public let kind: Kind
    /// libav's short name of the muxer, such as `mp4` or `matroska`; `image2` for pictures.
    public let name: String
    /// The encoder used where the user names none: libx264 wherever the container takes H.264, else the container's
    /// (or the picture ending's) own.
    public let defaultEncoder: String
    /// True where the container keeps the codec's headers outside the packets (`AVFMT_GLOBALHEADER`).
    let keepsHeadersApart: Bool
    /// True where packets are stored without times (`AVFMT_NOTIMESTAMPS`): raw streams.
    let hasNoTimestamps: Bool

    /// Decides from the ending of `path`; `isPicture` tells that the source is one picture, so that a name such as
    /// `out.webp`, which may also be an animation, means a picture.
    ///
    /// Throws `.unknownContainer` where the ending is missing, unknown, or means something that holds no video.
    public init(outputPath path: String, isPicture: Bool = false) throws(MediaError) {
        _ = AV.installLog
        let name = path.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? path
        if let picture = Self.pictureKind(path: path, name: name, isPicture: isPicture) {
            guard let encoder = Self.pictureEncoder(name) else {
                throw Self.unknown(path, "no encoder of this libavcodec writes such pictures")
            }
            kind = picture
            self.name = "image2"
            defaultEncoder = encoder
            keepsHeadersApart = false
            hasNoTimestamps = true
            return
        }
        guard let format = av_guess_format(nil, name, nil)?.pointee, let short = format.name else {
            throw Self.unknown(path, "its ending names no container that libavformat writes")
        }
        if format.flags & AVFMT_NOFILE != 0 {
            throw Self.unknown(path, "\(String(cString: short)) output is not one file")
        }
        guard let encoder = Self.mediaEncoder(av_guess_format(nil, name, nil)) else {
            throw Self.unknown(path, "\(String(cString: short)) files hold no video")
        }
        kind = .media
        self.name = String(cString: short)
        defaultEncoder = encoder
        keepsHeadersApart = format.flags & AVFMT_GLOBALHEADER != 0
        hasNoTimestamps = format.flags & AVFMT_NOTIMESTAMPS != 0
    }

    /// libav's muxer. Throws where this libavformat has none of that name.
    func muxer() throws(MediaError) -> UnsafePointer<AVOutputFormat> {
        guard let format = av_guess_format(name, nil, nil) else {
            throw Self.unknown(name, "libavformat does not write it")
        }
        return format
    }

    /// True for MP4, MOV and their kin, which share libavformat's muxer.
    var isISOMedia: Bool { ["mp4", "mov", "ipod", "psp", "3gp", "3g2", "f4v", "ismv"].contains(name) }
    /// True where a picture may be decoded before time 0, so that reordered pictures (B-frames) keep their pts; other
    /// containers would have everything moved.
    var takesEarlyDecoding: Bool { isISOMedia || isMatroska || name == "mpegts" }

    /// The codecs that a container gives a type of its own, by libav's names; nil where its muxer can be asked.
    ///
    /// MPEG streams take anything as private data, which no reader recognises (mpegtsenc.c, `get_dvb_stream_type`; mpegenc.c).
    var recognisedCodecs: Set<String>? {
        switch name {
        case "mpegts":
            [
                "mpeg1video", "mpeg2video", "mpeg4", "h264", "hevc", "cavs", "avs2", "avs3", "dirac", "vc1", "mp2",
                "mp3", "aac",
                "aac_latm", "ac3", "eac3", "dts", "truehd", "opus", "s302m", "timed_id3", "klv", "dvb_subtitle",
                "dvb_teletext",
                "arib_caption",
            ]
        case "mpeg", "vob", "svcd", "dvd", "vcd":
            ["mpeg1video", "mpeg2video", "mp1", "mp2", "mp3", "ac3", "dts", "pcm_dvd", "pcm_s16be", "dvd_subtitle"]
        default: nil
        }
    }

    /// True where every file starts at 0: AVI has no times but numbers of frames.
    var startsAtZero: Bool { name == "avi" }
    /// False where the muxer takes data streams and leaves their packets out.
    var takesData: Bool { name != "avi" }

    var isMatroska: Bool { name == "matroska" || name == "webm" }

    // MARK: - Endings

    private static func pictureKind(path: String, name: String, isPicture: Bool) -> Kind? {
        let ending = ending(of: name)
        guard let guessed = av_guess_format(nil, "x." + ending, nil)?.pointee.name else { return nil }
        let isPictureEnding = String(cString: guessed) == "image2"
        let isNumbered = PictureSequence(pattern: path) != nil
        // libav writes WebP as an animation's container and does not list it with the pictures.
        guard isPictureEnding || (ending == "webp" && (isNumbered || isPicture)) else { return nil }
        return isNumbered ? .pictureSequence : .picture
    }

    private static func pictureEncoder(_ name: String) -> String? {
        let ending = ending(of: name)
        let image2 = av_guess_format("image2", nil, nil)
        let id =
            ending == "webp" ? AV_CODEC_ID_WEBP : av_guess_codec(image2, nil, "x." + ending, nil, AVMEDIA_TYPE_VIDEO)
        guard id != AV_CODEC_ID_NONE, let encoder = avcodec_find_encoder(id) else { return nil }
        return String(cString: encoder.pointee.name)
    }

    /// What follows the last dot, in lower case; empty where there is no dot.
    private static func ending(of name: String) -> String {
        name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? ""
    }

    private static func mediaEncoder(_ format: UnsafePointer<AVOutputFormat>?) -> String? {
        guard let format else { return nil }
        let own = format.pointee.video_codec
        // A container that lists cover pictures only (MP3) answers 0 for H.264 and PNG for its own video.
        if own == AV_CODEC_ID_NONE || (own == AV_CODEC_ID_PNG && format.pointee.audio_codec != AV_CODEC_ID_NONE) {
            return nil
        }
        // A negative answer means that the muxer cannot be asked.
        let takesH264 = avformat_query_codec(format, AV_CODEC_ID_H264, FF_COMPLIANCE_NORMAL)
        if takesH264 > 0 || own == AV_CODEC_ID_H264 || String(cString: format.pointee.name) == "mpegts",
            let encoder = avcodec_find_encoder_by_name("libx264") ?? avcodec_find_encoder(AV_CODEC_ID_H264)
        {
            return String(cString: encoder.pointee.name)
        }
        return avcodec_find_encoder(own).map { String(cString: $0.pointee.name) }
    }

    private static func unknown(_ path: String, _ why: String) -> MediaError {
        MediaError(
            .unknownContainer, "\(path) cannot be written: \(why)",
            remedy: "give the output an ending such as .mp4, .mov, .mkv, .ts, .webm, .png or .jpg")
    }
}
