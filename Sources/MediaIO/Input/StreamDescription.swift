internal import CFFmpeg
import Imaging

extension MediaStreamInfo {
    init(_ stream: UnsafePointer<AVStream>) {
        let parameters = stream.pointee.codecpar.pointee
        let isCoverArt = stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0
        let metadata = dictionary(stream.pointee.metadata)
        self.init(
            index: Int(stream.pointee.index), kind: Kind(parameters.codec_type),
            codecName: String(cString: avcodec_get_name(parameters.codec_id)),
            codecTag: fourCharacterCode(parameters.codec_tag), timeBase: Rational(stream.pointee.time_base),
            handlerName: metadata["handler_name"], language: metadata["language"],
            dispositions: Self.names(ofDispositions: stream.pointee.disposition), isCoverArt: isCoverArt,
            metadata: metadata, packetCount: stream.pointee.nb_frames > 0 ? Int(stream.pointee.nb_frames) : nil)
    }

    private static func names(ofDispositions bits: Int32) -> [String] {
        (0..<31).compactMap { bit in
            let mask = Int32(1) << Int32(bit)
            guard bits & mask != 0, let name = av_disposition_to_string(mask) else { return nil }
            return String(cString: name)
        }
    }
}

extension MediaStreamInfo.Kind {
    init(_ type: AVMediaType) {
        switch type {
        case AVMEDIA_TYPE_VIDEO: self = .video
        case AVMEDIA_TYPE_AUDIO: self = .audio
        case AVMEDIA_TYPE_SUBTITLE: self = .subtitle
        case AVMEDIA_TYPE_DATA: self = .data
        case AVMEDIA_TYPE_ATTACHMENT: self = .attachment
        default: self = .other
        }
    }
}

extension VideoInfo {
    /// The stream as the container and its codec parameters describe it.
    init(_ stream: UnsafeMutablePointer<AVStream>, in context: UnsafeMutablePointer<AVFormatContext>) {
        let parameters = stream.pointee.codecpar.pointee
        let matrix = shim_stream_display_matrix(stream).flatMap {
            DisplayMatrix(Array(UnsafeBufferPointer(start: $0, count: 9)))
        }
        let rate = Rational(av_guess_frame_rate(context, stream, nil))
        let aspect = Rational(av_guess_sample_aspect_ratio(context, stream, nil))
        let format = AVPixelFormat(parameters.format)
        self.init(
            streamIndex: Int(stream.pointee.index), width: Int(parameters.width), height: Int(parameters.height),
            sampleAspect: aspect.isPositive ? aspect : Rational(0, 1), frameRate: rate.isPositive ? rate : nil,
            timeBase: Rational(stream.pointee.time_base), startTime: stream.pointee.start_time.knownTimestamp,
            pixelFormatName: av_get_pix_fmt_name(format).map { String(cString: $0) } ?? "unknown",
            bitDepth: PixelFormat.bitDepth(of: format),
            colour: ColourTags(
                range: Int32(bitPattern: parameters.color_range.rawValue),
                primaries: Int32(bitPattern: parameters.color_primaries.rawValue),
                transfer: Int32(bitPattern: parameters.color_trc.rawValue),
                matrix: Int32(bitPattern: parameters.color_space.rawValue),
                chromaLocation: Int32(bitPattern: parameters.chroma_location.rawValue)),
            orientation: matrix?.orientation.nearest ?? .upright, displayMatrix: matrix?.values,
            isInterlaced: parameters.field_order.rawValue > AV_FIELD_PROGRESSIVE.rawValue,
            hasKnownTimestamps: Self.hasTimestamps(stream, context.pointee.iformat))
    }

    /// AVI numbers its frames in decoding order, raw streams do not at all: there libav can only guess at pts.
    private static func hasTimestamps(_ stream: UnsafePointer<AVStream>, _ format: UnsafePointer<AVInputFormat>?) -> Bool {
        guard let format, stream.pointee.start_time.knownTimestamp != nil else { return false }
        return format.pointee.flags & AVFMT_NOTIMESTAMPS == 0 && String(cString: format.pointee.name) != "avi"
    }
}

/// libav's dictionary as Swift's; of a key that stands there twice the last value counts.
func dictionary(_ entries: OpaquePointer?) -> [String: String] {
    var result: [String: String] = [:]
    var entry = av_dict_get(entries, "", nil, AV_DICT_IGNORE_SUFFIX)
    while let current = entry {
        result[String(cString: current.pointee.key)] = String(cString: current.pointee.value)
        entry = av_dict_get(entries, "", current, AV_DICT_IGNORE_SUFFIX)
    }
    return result
}

/// A little-endian four-character code as text: non-printing bytes as `[n]`, empty where the code is 0.
func fourCharacterCode(_ code: UInt32) -> String {
    code == 0 ? "" : fourCharacterCode((0..<4).map { UInt8(truncatingIfNeeded: code >> ($0 * 8)) })
}

func fourCharacterCode(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { (0x20...0x7e).contains($0) ? String(UnicodeScalar($0)) : "[\($0)]" }.joined()
}
