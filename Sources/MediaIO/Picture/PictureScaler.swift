internal import CFFmpeg
public import Imaging

/// The size that the network works at.
public enum NetworkSize: Sendable, Equatable {
    /// Width and height of the upright picture, which is squeezed to it.
    case fixed(width: Int, height: Int)
    /// The video's own size, turned upright and padded by reflection to multiples of 128 (at least 256 x 128).
    case native
}

/// Turns a job's frames into RGB pictures and back (4:2:0 in 8 bits with own kernels, all else with libswscale), with the matrix, range and chroma siting that the
/// video's tags say; unspecified ones are BT.601 up to 576 lines, else BT.709, and limited range.
public final class PictureScaler: @unchecked Sendable {
    // Safe to send: used by one thread at a time. Stages that work at the same time have one each.
    private let source: VideoInfo
    private let network: NetworkSize
    private let format: AVPixelFormat
    private let colour: SampleColour
    private let pool = PicturePool()
    private let frames = FramePool()
    private let planar = PlanarConversion()
    private var rescalers: [Rescaler] = []

    /// A scaler for the frames of the video that `source` (from `SourceProbe`) describes.
    ///
    /// Throws `.unsupported` for a pixel format that libswscale cannot read.
    public init(source: VideoInfo, network: NetworkSize) throws(MediaError) {
        self.source = source
        self.network = network
        format = av_get_pix_fmt(source.pixelFormatName)
        colour = SampleColour(format: format, tags: source.colour, height: source.height)
        guard format != AV_PIX_FMT_NONE, sws_isSupportedInput(format) != 0 else {
            throw MediaError(.unsupported, "libswscale cannot read \(source.pixelFormatName) pictures")
        }
    }

    public convenience init(source: VideoInfo, networkWidth: Int, networkHeight: Int) throws(MediaError) {
        try self.init(source: source, network: .fixed(width: networkWidth, height: networkHeight))
    }

    /// Size of `networkInput(of:)`.
    public var networkSize: (width: Int, height: Int) {
        switch network {
        case .fixed(let width, let height): return (width, height)
        case .native:
            let upright = uprightSize
            return (
                PlanarImage<Float>.paddedSize(upright.width, toMultipleOf: 128, minimum: 256),
                PlanarImage<Float>.paddedSize(upright.height, toMultipleOf: 128, minimum: 128)
            )
        }
    }

    /// Size of the coded picture turned upright: what is left of a native network picture after `cropped`.
    public var uprightSize: (width: Int, height: Int) {
        source.orientation.swapsAxes ? (source.height, source.width) : (source.width, source.height)
    }

    // MARK: - Frame to picture

    /// The picture that the network sees: upright, of `networkSize`, in -1...1; bicubic with a = -0.5.
    public func networkInput(of frame: Frame) throws(MediaError) -> PlanarImage<Float> {
        var size = uprightSize
        if case .fixed(let width, let height) = network { size = (width, height) }
        // Scaled first, turned then: the smaller picture is the cheaper one to turn.
        if source.orientation.swapsAxes { size = (size.height, size.width) }
        let upright = try floats(of: frame, size).turned(by: source.orientation)
        guard network == .native else { return upright }
        return upright.reflectPadded(toMultipleOf: 128, minimumWidth: 256, minimumHeight: 128)
    }

    private func floats(of frame: Frame, _ size: (width: Int, height: Int)) throws(MediaError) -> PlanarImage<Float> {
        if let converter = planar.converter(for: try side(of: frame), size: size) {
            let picture = PlanarImage<Float>(width: size.width, height: size.height, pool: pool)
            try frame.withChromaPlanes { converter.resample($0, into: picture) }
            return picture
        }
        return source.bitDepth > 8
            ? PlanarImage<Float>(try rgb16(of: frame, size.width, size.height))
            : PlanarImage<Float>(try rgb8(of: frame, size.width, size.height))
    }

    /// The whole picture in 8 bits, full range, as it is coded (not turned).
    public func fullSize8(of frame: Frame) throws(MediaError) -> PlanarImage<UInt8> {
        guard let converter = planar.converter(for: try side(of: frame)) else {
            return try rgb8(of: frame, source.width, source.height)
        }
        let picture = PlanarImage<UInt8>(width: source.width, height: source.height, pool: pool)
        try frame.withChromaPlanes { converter.expand($0, into: picture) }
        return picture
    }

    /// The whole picture in 16 bits, full range, as it is coded (not turned); for sources of more than 8 bits.
    public func fullSize16(of frame: Frame) throws(MediaError) -> PlanarImage<UInt16> {
        try rgb16(of: frame, source.width, source.height)
    }

    private func rgb8(of frame: Frame, _ width: Int, _ height: Int) throws(MediaError) -> PlanarImage<UInt8> {
        try rgb(of: frame, width, height, AV_PIX_FMT_GBRP)
    }

    private func rgb16(of frame: Frame, _ width: Int, _ height: Int) throws(MediaError) -> PlanarImage<UInt16> {
        try rgb(of: frame, width, height, shim_pix_fmt_gbrp16())
    }

    private func rgb<Sample>(
        of frame: Frame, _ width: Int, _ height: Int, _ target: AVPixelFormat
    ) throws(MediaError) -> PlanarImage<Sample> {
        let rescaler = try rescaler(from: try side(of: frame), to: rgbSide(width, height, target))
        let picture = PlanarImage<Sample>(width: width, height: height, pool: pool)
        try frame.withPlanes { (from) throws(MediaError) in
            try picture.withGBRPlanes { (to) throws(MediaError) in try rescaler.scale(from, to: to) }
        }
        return picture
    }

    // MARK: - Picture to frame

    /// A full-size picture in coded orientation as a frame of pixel format `format` with the properties and pts of `like`, and
    /// the colour tags `colour` (default: the video's own, as `VideoInfo.colour(storedAs:)` gives them).
    ///
    /// Throws `.unsupported` for a pixel format that libswscale cannot write.
    public func frame(
        from picture: PlanarImage<UInt8>, like: Frame, format: String, colour: ColourTags? = nil
    ) throws(MediaError) -> Frame {
        let colour = colour ?? source.colour(storedAs: format)
        let side = try encodedSide(format, colour, width: picture.width, height: picture.height)
        guard let converter = planar.converter(for: side) else {
            return try frame(from: picture, AV_PIX_FMT_GBRP, like, format, colour)
        }
        let frame = try frames.frame(width: side.width, height: side.height, format: side.format)
        try frame.copyProperties(of: like)
        frame.colour = colour
        try frame.withChromaPlanes { converter.reduce(picture, into: $0) }
        return frame
    }

    public func frame(
        from picture: PlanarImage<UInt16>, like: Frame, format: String, colour: ColourTags? = nil
    ) throws(MediaError) -> Frame {
        try frame(from: picture, shim_pix_fmt_gbrp16(), like, format, colour)
    }

    /// `frame` in pixel format `format` with the colour tags `colour` (default: the video's own); one that shares its samples
    /// where it is so already.
    ///
    /// Throws `.unsupported` for a pixel format that libswscale cannot write.
    public func converted(_ frame: Frame, to format: String, colour: ColourTags? = nil) throws(MediaError) -> Frame {
        let colour = colour ?? source.colour(storedAs: format)
        let side = try encodedSide(format, colour, width: frame.width, height: frame.height)
        let own = try self.side(of: frame)
        guard own != side else { return try frame.reference() }
        let rescaler = try rescaler(from: own, to: side)
        let converted = try frames.frame(width: frame.width, height: frame.height, format: side.format)
        try converted.copyProperties(of: frame)
        converted.colour = colour
        try frame.withPlanes { (from) throws(MediaError) in
            try converted.withPlanes { (to) throws(MediaError) in try rescaler.scale(from, to: to) }
        }
        return converted
    }

    private func encodedSide(
        _ name: String, _ tags: ColourTags, width: Int, height: Int
    ) throws(MediaError) -> Rescaler.Side {
        let target = av_get_pix_fmt(name)
        guard target != AV_PIX_FMT_NONE, sws_isSupportedOutput(target) != 0 else {
            throw MediaError(.unsupported, "libswscale cannot write \(name) pictures")
        }
        let colour = SampleColour(format: target, tags: tags, height: source.height)
        return Rescaler.Side(width: width, height: height, format: target, colour: colour)
    }

    private func frame<Sample>(
        from picture: PlanarImage<Sample>, _ pictureFormat: AVPixelFormat, _ like: Frame, _ name: String,
        _ colour: ColourTags?
    ) throws(MediaError) -> Frame {
        let colour = colour ?? source.colour(storedAs: name)
        let side = try encodedSide(name, colour, width: picture.width, height: picture.height)
        let rescaler = try rescaler(from: rgbSide(picture.width, picture.height, pictureFormat), to: side)
        let frame = try frames.frame(width: picture.width, height: picture.height, format: side.format)
        try frame.copyProperties(of: like)
        frame.colour = colour
        try picture.withGBRPlanes { (from) throws(MediaError) in
            try frame.withPlanes { (to) throws(MediaError) in try rescaler.scale(from, to: to) }
        }
        return frame
    }

    // MARK: - Conversions

    private func side(of frame: Frame) throws(MediaError) -> Rescaler.Side {
        guard frame.format == format, frame.width == source.width, frame.height == source.height else {
            let kind = "\(frame.width)x\(frame.height) \(frame.pixelFormatName)"
            throw MediaError(.internalFailure, "a frame of \(kind) is not what its video is")
        }
        return Rescaler.Side(width: source.width, height: source.height, format: format, colour: colour)
    }

    /// RGB has no matrix of its own: it takes that of the other side, so that there and back is the same.
    private func rgbSide(_ width: Int, _ height: Int, _ format: AVPixelFormat) -> Rescaler.Side {
        var colour = colour
        colour.isFullRange = true
        return Rescaler.Side(width: width, height: height, format: format, colour: colour)
    }

    private func rescaler(from source: Rescaler.Side, to target: Rescaler.Side) throws(MediaError) -> Rescaler {
        if let known = rescalers.first(where: { $0.source == source && $0.target == target }) { return known }
        let made = try Rescaler(from: source, to: target)
        rescalers.append(made)
        return made
    }
}

extension PlanarImage {
    /// The planes in libav's order G, B, R, valid inside `body` only.
    func withGBRPlanes<Result>(_ body: (Rescaler.Planes) throws(MediaError) -> Result) throws(MediaError) -> Result {
        try withPlane(0) { (red) throws(MediaError) in
            try withPlane(1) { (green) throws(MediaError) in
                try withPlane(2) { (blue) throws(MediaError) in
                    let pointers = [green, blue, red].map { plane in
                        UnsafeMutableRawPointer(plane.baseAddress).map { $0.assumingMemoryBound(to: UInt8.self) }
                    }
                    let stride = Int32(clamping: rowStride * MemoryLayout<Sample>.stride)
                    return try body(Rescaler.Planes(pointers: pointers + [nil], strides: [stride, stride, stride, 0]))
                }
            }
        }
    }
}
