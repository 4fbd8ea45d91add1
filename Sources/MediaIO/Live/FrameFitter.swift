internal import CFFmpeg
internal import Imaging

/// Brings the progressive frames of a live source to what a `LiveFormat` says: turned upright, scaled with their aspect
/// kept, black around them, 8-bit 4:2:0 in BT.709. A frame that is so already passes as it is, without a copy.
///
/// What a source changes in its course (size, pixel format, colour, rotation) is taken from each frame. Used by one
/// thread at a time.
final class FrameFitter {
    private let format: LiveFormat
    private let video: VideoInfo
    private let target: Rescaler.Side
    private let whole = FramePool(), wide = FramePool(), tall = FramePool()
    private var rescaler: Rescaler?

    /// For a source that `video` describes: its tags count where a frame has none.
    init(format: LiveFormat, video: VideoInfo) {
        self.format = format
        self.video = video
        target = Rescaler.Side(
            width: format.width, height: format.height, format: AV_PIX_FMT_YUV420P,
            colour: SampleColour(format: AV_PIX_FMT_YUV420P, tags: LiveFormat.colour, height: format.height))
    }

    /// `frame`, which the caller gives away, or another one with its pts. Throws `.unsupported` for a pixel format that
    /// libswscale cannot read, and `.outOfMemory`.
    func fit(_ frame: Frame) throws(MediaError) -> Frame {
        let orientation = frame.displayOrientation ?? video.orientation
        let source = Rescaler.Side(
            width: frame.width, height: frame.height, format: frame.format,
            colour: SampleColour(format: frame.format, tags: frame.colour.completed(from: video.colour), height: frame.height))
        let fitted = orientation == .upright && isSame(source) && isSquare(frame) ? frame : try fit(frame, source, orientation)
        fitted.colour = LiveFormat.colour
        fitted.raw.pointee.format = AV_PIX_FMT_YUV420P.rawValue
        fitted.raw.pointee.sample_aspect_ratio = AVRational(num: 1, den: 1)
        // It said how this very picture was to be turned, and that is done.
        av_frame_remove_side_data(fitted.raw, AV_FRAME_DATA_DISPLAYMATRIX)
        return fitted
    }

    /// The place of the chroma samples alone is no reason to touch them; `yuvj420p` is only another name.
    private func isSame(_ source: Rescaler.Side) -> Bool {
        let isPlanar = source.format == AV_PIX_FMT_YUV420P || source.format == AV_PIX_FMT_YUVJ420P
        return isPlanar && source.width == target.width && source.height == target.height
            && source.colour.matrix == target.colour.matrix && !source.colour.isFullRange
    }

    private func isSquare(_ frame: Frame) -> Bool { aspect(of: frame) == 1 }

    /// Width to height of one sample of the coded picture.
    private func aspect(of frame: Frame) -> Double {
        let own = Rational(frame.raw.pointee.sample_aspect_ratio)
        let known = own.isPositive ? own : video.sampleAspect
        return known.isPositive ? known.value ?? 1 : 1
    }

    private func fit(_ frame: Frame, _ source: Rescaler.Side, _ orientation: Orientation) throws(MediaError) -> Frame {
        let place = place(of: frame, orientation)
        let isWhole = place.width == format.width && place.height == format.height
        var inner = target
        (inner.width, inner.height) = orientation.swapsAxes ? (place.height, place.width) : (place.width, place.height)
        var picture = try scaled(frame, from: source, to: &inner, orientation)
        if inner.colour.matrix != target.colour.matrix || inner.colour.isFullRange != target.colour.isFullRange,
            let conversion = MatrixConversion(from: inner.colour, to: target.colour)
        {
            // The decoder still needs its own picture.
            let goal = picture === frame ? try empty(inner.width, inner.height) : picture
            try conversion.convert(picture, to: goal)
            picture = goal
        }
        if orientation != .upright {
            let turned = try empty(place.width, place.height)
            try picture.turn(by: orientation, into: turned)
            picture = turned
        }
        if !isWhole {
            let padded = try empty(format.width, format.height)
            try padded.fillBlack()
            try picture.copySamples(into: padded, x: place.x, y: place.y)
            picture = padded
        }
        if picture !== frame { try picture.copyProperties(of: frame) }
        return picture
    }

    /// `frame` in the size and pixel format of `inner`; itself where it has them. Matrix and range stay what they are,
    /// as `inner` then says, unless the source is RGB.
    private func scaled(
        _ frame: Frame, from source: Rescaler.Side, to inner: inout Rescaler.Side, _ orientation: Orientation
    ) throws(MediaError) -> Frame {
        if !PixelFormat.isRGB(source.format) {
            (inner.colour.matrix, inner.colour.isFullRange) = (source.colour.matrix, source.colour.isFullRange)
        }
        let isPlanar = source.format == AV_PIX_FMT_YUV420P || source.format == AV_PIX_FMT_YUVJ420P
        if isPlanar, source.width == inner.width, source.height == inner.height { return frame }
        // Chroma samples are to lie left once the picture is turned: here they lie where that place comes from.
        let site = orientation.source(x: 0, y: 128, width: 257, height: 257)
        (inner.colour.chromaX, inner.colour.chromaY) = (Int32(site.x), Int32(site.y))
        let picture = try empty(inner.width, inner.height)
        let rescaler = try rescaler(from: source, to: inner)
        try frame.withPlanes { (from) throws(MediaError) in
            try picture.withPlanes { (to) throws(MediaError) in try rescaler.scale(from, to: to) }
        }
        return picture
    }

    private func empty(_ width: Int, _ height: Int) throws(MediaError) -> Frame {
        // A tall part and a wide one may take turns, in a source that is turned.
        let pool = width == format.width && height == format.height ? whole : width > height ? wide : tall
        return try pool.frame(width: width, height: height, format: AV_PIX_FMT_YUV420P)
    }

    /// The largest rectangle of the upright picture's shape in the middle of the format, on whole chroma samples. One that
    /// lacks no more than two samples fills the format: a source of odd size has no bars.
    private func place(of frame: Frame, _ orientation: Orientation) -> (x: Int, y: Int, width: Int, height: Int) {
        var shape = Double(frame.width) / Double(frame.height) * aspect(of: frame)
        if orientation.swapsAxes { shape = 1 / shape }
        func fit(_ value: Double, _ limit: Int) -> Int {
            value >= Double(limit) - 2 ? limit : max(2, Int(nearest: value / 2) * 2)
        }
        let width = fit(Double(format.height) * shape, format.width)
        let height = fit(Double(format.width) / shape, format.height)
        return ((format.width - width) / 4 * 2, (format.height - height) / 4 * 2, width, height)
    }

    private func rescaler(from source: Rescaler.Side, to inner: Rescaler.Side) throws(MediaError) -> Rescaler {
        if let rescaler, rescaler.source == source, rescaler.target == inner { return rescaler }
        let made = try Rescaler(from: source, to: inner)
        rescaler = made
        return made
    }
}
