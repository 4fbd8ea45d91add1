internal import Base
internal import CFFmpeg
public import Imaging
import Glibc

/// Pictures for somebody who looks on while a video is worked on: small JPEG files that are replaced now and then.
public enum JPEGFile {
    /// Writes `picture` to `path` at once or not at all: at most `widest` samples wide, about quality 80.
    ///
    /// Throws `.unwritable`, `.diskFull`, `.unknownEncoder` (a libavcodec without JPEG), `.unsupported`.
    public static func write(_ picture: PlanarImage<UInt8>, to path: String, widest: Int = 960) throws(MediaError) {
        let packet = try encode(picture, widest: widest)
        // Not synchronised: the picture is of use only while the program that writes it runs.
        let temporary = path + ".tmp"
        SystemCall.retried { unlink(temporary) }
        try PartialFile.write(
            UnsafeRawBufferPointer(start: packet.raw.pointee.data, count: max(0, packet.size)), toNewFile: temporary)
        guard SystemCall.retried({ rename(temporary, path) }) == 0 else { throw FileFailure.error(errno, "\(path) cannot be put in place") }
    }

    private static func encode(_ picture: PlanarImage<UInt8>, widest: Int) throws(MediaError) -> Packet {
        guard let codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG), let context = avcodec_alloc_context3(codec) else {
            throw MediaError(.unknownEncoder, "this libavcodec cannot write JPEG pictures")
        }
        var pointer: UnsafeMutablePointer<AVCodecContext>? = context
        defer { avcodec_free_context(&pointer) }
        let frame = try planar(picture, widest: widest)
        context.pointee.width = frame.raw.pointee.width
        context.pointee.height = frame.raw.pointee.height
        context.pointee.pix_fmt = frame.format
        context.pointee.color_range = AVCOL_RANGE_JPEG
        context.pointee.time_base = AVRational(num: 1, den: 25)
        context.pointee.thread_count = 1
        context.pointee.flags |= AV_CODEC_FLAG_QSCALE
        // A quantiser of 4 is near the IJG's quality 80.
        context.pointee.global_quality = 4 * FF_QP2LAMBDA
        frame.raw.pointee.quality = context.pointee.global_quality
        let packet = try Packet()
        try AV.check(avcodec_open2(context, codec, nil), .internalFailure, "the JPEG encoder cannot be opened")
        try AV.check(avcodec_send_frame(context, frame.raw), .internalFailure, "the picture cannot be encoded")
        try AV.check(avcodec_receive_packet(context, packet.raw), .internalFailure, "the picture cannot be encoded")
        return packet
    }

    private static func planar(_ picture: PlanarImage<UInt8>, widest: Int) throws(MediaError) -> Frame {
        let width = min(picture.width, max(2, widest))
        let height = max(2, (picture.height * width + picture.width / 2) / picture.width)
        var tags = ColourTags(range: 0, primaries: 2, transfer: 2, matrix: 2, chromaLocation: 0)
        let colour = SampleColour(format: AV_PIX_FMT_GBRP, tags: tags, height: picture.height)
        // JFIF is BT.601 in full range.
        tags.matrix = Int32(bitPattern: AVCOL_SPC_BT470BG.rawValue)
        tags.range = Int32(bitPattern: AVCOL_RANGE_JPEG.rawValue)
        let target = SampleColour(format: AV_PIX_FMT_YUVJ420P, tags: tags, height: height)
        let rescaler = try Rescaler(
            from: Rescaler.Side(width: picture.width, height: picture.height, format: AV_PIX_FMT_GBRP, colour: colour),
            to: Rescaler.Side(width: width, height: height, format: AV_PIX_FMT_YUVJ420P, colour: target))
        let frame = try Frame.allocate(width: width, height: height, format: AV_PIX_FMT_YUVJ420P)
        try picture.withGBRPlanes { (from) throws(MediaError) in
            try frame.withPlanes { (to) throws(MediaError) in try rescaler.scale(from, to: to) }
        }
        return frame
    }
}
