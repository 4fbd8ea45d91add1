internal import CFFmpeg
public import Imaging

/// Single pictures: style pictures in, previews out (`PictureFile`).
public enum PictureIO {
    /// Reads a picture file (JPEG, PNG, WebP, ...; of a video the first frame) as 8-bit RGB, upright as its Exif
    /// orientation says, laid on black where it is transparent.
    ///
    /// Throws `.noSuchFile`, `.unreadable`, and `.badPicture` for a file that is no picture or a broken one.
    public static func load(_ path: String) throws(MediaError) -> PlanarImage<UInt8> {
        do throws(MediaError) {
            let (frame, video) = try SourceProbe.picture(path: path, interrupt: Interrupt())
            let picture =
                PixelFormat.hasAlpha(frame.format)
                ? try onBlack(frame, video)
                : try PictureScaler(source: video, network: .native).fullSize8(of: frame)
            return picture.turned(by: video.orientation)
        } catch {
            switch error.code {
            case .noSuchFile, .unreadable, .outOfMemory, .cancelled: throw error
            default:
                throw MediaError(
                    .badPicture, "\(path) is not a picture that can be used", remedy: "give an undamaged JPEG or PNG picture",
                    cause: error.cause.map { "\(error.message): \($0)" } ?? error.message)
            }
        }
    }

    /// An 8-bit RGB picture as the content of a PNG file. Throws `.unknownEncoder` (a libavcodec without PNG).
    static func encodePNG(_ picture: PlanarImage<UInt8>) throws(MediaError) -> Packet {
        guard let codec = avcodec_find_encoder(AV_CODEC_ID_PNG), let context = avcodec_alloc_context3(codec) else {
            throw MediaError(.unknownEncoder, "this libavcodec cannot write PNG pictures")
        }
        var pointer: UnsafeMutablePointer<AVCodecContext>? = context
        defer { avcodec_free_context(&pointer) }
        let frame = try interleaved(picture)
        context.pointee.width = frame.raw.pointee.width
        context.pointee.height = frame.raw.pointee.height
        context.pointee.pix_fmt = frame.format
        context.pointee.time_base = AVRational(num: 1, den: 25)
        context.pointee.thread_count = 1
        let packet = try Packet()
        try AV.check(avcodec_open2(context, codec, nil), .internalFailure, "the PNG encoder cannot be opened")
        try AV.check(avcodec_send_frame(context, frame.raw), .internalFailure, "the picture cannot be encoded")
        try AV.check(avcodec_receive_packet(context, packet.raw), .internalFailure, "the picture cannot be encoded")
        return packet
    }

    private static func interleaved(_ picture: PlanarImage<UInt8>) throws(MediaError) -> Frame {
        let frame = try Frame.allocate(width: picture.width, height: picture.height, format: AV_PIX_FMT_RGB24)
        let stride = Int(frame.raw.pointee.linesize.0)
        guard let base = frame.raw.pointee.data.0 else { throw MediaError(.outOfMemory, "no memory for a picture") }
        for plane in 0..<PlanarImage<UInt8>.planeCount {
            picture.withPlane(plane) { samples in
                for y in 0..<picture.height {
                    for x in 0..<picture.width { base[y * stride + 3 * x + plane] = samples[y * picture.rowStride + x] }
                }
            }
        }
        return frame
    }

    private static func onBlack(_ frame: Frame, _ video: VideoInfo) throws(MediaError) -> PlanarImage<UInt8> {
        let colour = SampleColour(format: frame.format, tags: video.colour, height: frame.height)
        var full = colour
        full.isFullRange = true
        let source = Rescaler.Side(width: frame.width, height: frame.height, format: frame.format, colour: colour)
        let target = Rescaler.Side(width: frame.width, height: frame.height, format: AV_PIX_FMT_RGBA, colour: full)
        let rgba = try Frame.allocate(width: frame.width, height: frame.height, format: AV_PIX_FMT_RGBA)
        let rescaler = try Rescaler(from: source, to: target)
        try frame.withPlanes { (from) throws(MediaError) in
            try rgba.withPlanes { (to) throws(MediaError) in try rescaler.scale(from, to: to) }
        }
        let picture = PlanarImage<UInt8>(width: frame.width, height: frame.height)
        guard let base = rgba.raw.pointee.data.0 else { throw MediaError(.outOfMemory, "no memory for a picture") }
        let stride = Int(rgba.raw.pointee.linesize.0)
        for plane in 0..<PlanarImage<UInt8>.planeCount {
            picture.withPlane(plane) { samples in
                for y in 0..<picture.height {
                    for x in 0..<picture.width {
                        let pixel = base + (y * stride + 4 * x)
                        samples[y * picture.rowStride + x] = UInt8((Int(pixel[plane]) * Int(pixel[3]) + 127) / 255)
                    }
                }
            }
        }
        return picture
    }
}

extension PlanarImage<UInt8> {
    /// This picture scaled to another size, whatever its shape: bicubic with a = -0.5, the filter widened where it gets
    /// smaller (PIL's `BICUBIC`).
    ///
    /// Throws `.unsupported` for a change of size that libswscale cannot make.
    public func resizedBicubic(width: Int, height: Int) throws(MediaError) -> PlanarImage<UInt8> {
        guard width != self.width || height != self.height else { return self }
        let none = ColourTags(range: 0, primaries: 2, transfer: 2, matrix: 2, chromaLocation: 0)
        let colour = SampleColour(format: AV_PIX_FMT_GBRP, tags: none, height: height)
        let rescaler = try Rescaler(
            from: Rescaler.Side(width: self.width, height: self.height, format: AV_PIX_FMT_GBRP, colour: colour),
            to: Rescaler.Side(width: width, height: height, format: AV_PIX_FMT_GBRP, colour: colour))
        let target = PlanarImage<UInt8>(width: width, height: height)
        try withGBRPlanes { (from) throws(MediaError) in
            try target.withGBRPlanes { (to) throws(MediaError) in try rescaler.scale(from, to: to) }
        }
        return target
    }
}
