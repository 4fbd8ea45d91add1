internal import CFFmpeg

/// Says of each packet of a video stream whether the decoder owes a picture for it.
///
/// None is owed for an empty packet (a dropped frame in AVI), a packet that an edit list hides, a hidden reference
/// frame of VP8 (VP9 packs those together with a shown one), a 'not coded' picture of MPEG-4 and the second field of an
/// H.264 picture.
final class PictureParser {
    private let codec: AVCodecID
    private var parser: UnsafeMutablePointer<AVCodecParserContext>?
    private var context: UnsafeMutablePointer<AVCodecContext>?
    /// The field that has come without its partner.
    private var openField = AV_PICTURE_STRUCTURE_UNKNOWN

    init(_ stream: UnsafePointer<AVStream>) {
        codec = stream.pointee.codecpar.pointee.codec_id
        guard codec == AV_CODEC_ID_H264 else { return }
        parser = av_parser_init(Int32(bitPattern: codec.rawValue))
        parser?.pointee.flags |= PARSER_FLAG_COMPLETE_FRAMES
        context = avcodec_alloc_context3(nil)
        if context == nil || avcodec_parameters_to_context(context, stream.pointee.codecpar) < 0 { close() }
    }

    deinit { close() }

    private func close() {
        if let parser { av_parser_close(parser) }
        parser = nil
        avcodec_free_context(&context)
    }

    func owesPicture(_ packet: Packet) -> Bool {
        let raw = packet.raw.pointee
        guard raw.size > 0, let data = raw.data, raw.flags & AV_PKT_FLAG_DISCARD == 0 else { return false }
        let bytes = UnsafeBufferPointer(start: data, count: Int(raw.size))
        switch codec {
        case AV_CODEC_ID_VP8: return HiddenFrames.showsVP8(bytes)
        case AV_CODEC_ID_MPEG4: return bytes.count > HiddenFrames.largestNotCodedMPEG4
        case AV_CODEC_ID_H264: return !isSecondField(bytes)
        default: return true
        }
    }

    private func isSecondField(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let parser, let context, let size = Int32(exactly: bytes.count) else { return false }
        var output: UnsafeMutablePointer<UInt8>?
        var outputSize: Int32 = 0
        _ = av_parser_parse2(
            parser, context, &output, &outputSize, bytes.baseAddress, size, shim_no_pts(), shim_no_pts(), 0)
        let structure = parser.pointee.picture_structure
        guard structure == AV_PICTURE_STRUCTURE_TOP_FIELD || structure == AV_PICTURE_STRUCTURE_BOTTOM_FIELD else {
            openField = AV_PICTURE_STRUCTURE_UNKNOWN
            return false
        }
        if openField != AV_PICTURE_STRUCTURE_UNKNOWN, openField != structure {
            openField = AV_PICTURE_STRUCTURE_UNKNOWN
            return true
        }
        openField = structure
        return false
    }
}
