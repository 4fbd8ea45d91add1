internal import CFFmpeg

/// Brings every frame of a video to the first one's size, pixel format and colour, as an encoder wants them: another
/// size is scaled, keeping its aspect, and padded with black; another matrix or range is converted.
final class FrameConformer {
    private let target: Rescaler.Side
    private let aspect: Rational
    private let tags: ColourTags
    private var rescaler: Rescaler?

    init(_ info: VideoInfo) throws(MediaError) {
        let format = av_get_pix_fmt(info.pixelFormatName)
        guard format != AV_PIX_FMT_NONE, info.width > 0, info.height > 0 else {
            throw MediaError(.damaged, "the video's size and pixel format are unknown")
        }
        tags = info.colour
        aspect = info.sampleAspect.isPositive ? info.sampleAspect : Rational(1, 1)
        target = Rescaler.Side(
            width: info.width, height: info.height, format: format,
            colour: SampleColour(format: format, tags: info.colour, height: info.height))
    }

    func conform(_ frame: Frame) throws(MediaError) -> Frame {
        let tags = frame.colour.completed(from: tags)
        let source = Rescaler.Side(
            width: frame.width, height: frame.height, format: frame.format,
            colour: SampleColour(format: frame.format, tags: tags, height: target.height))
        frame.colour = self.tags
        guard !isSame(source) else { return frame }
        let output = try Frame.allocate(width: target.width, height: target.height, format: target.format)
        try output.copyProperties(of: frame)
        try fillBlack(output)
        let place = place(of: source, aspect: Rational(frame.raw.pointee.sample_aspect_ratio))
        // Not straight into its place: libswscale may write whole vectors, beyond the end of a line.
        let inner = try Frame.allocate(width: place.width, height: place.height, format: target.format)
        let rescaler = try rescaler(from: source, width: place.width, height: place.height)
        try frame.withPlanes { (from) throws(MediaError) in
            try inner.withPlanes { (to) throws(MediaError) in try rescaler.scale(from, to: to) }
        }
        try copy(inner, into: output, x: place.x, y: place.y)
        output.raw.pointee.sample_aspect_ratio = aspect.avRational
        return output
    }

    /// True where the samples already are what is wanted: the chroma's place alone is no reason to touch them.
    private func isSame(_ source: Rescaler.Side) -> Bool {
        source.width == target.width && source.height == target.height && source.format == target.format
            && (PixelFormat.isRGB(source.format) || source.colour.matrix == target.colour.matrix)
            && source.colour.isFullRange == target.colour.isFullRange
    }

    /// The largest rectangle of the frame's shape in the middle of the target, on whole chroma samples.
    private func place(of source: Rescaler.Side, aspect: Rational) -> (x: Int, y: Int, width: Int, height: Int) {
        let own = aspect.isPositive ? aspect.value ?? 1 : 1
        let shape = Double(source.width) / Double(source.height) * own / (self.aspect.value ?? 1)
        let steps = PixelFormat.chromaSteps(of: target.format)
        func fit(_ value: Double, _ limit: Int, _ step: Int) -> Int {
            let whole = Int(nearest: min(value, Double(limit)) / Double(step)) * step
            return whole >= limit ? limit : max(step, whole)
        }
        let width = fit(Double(target.height) * shape, target.width, steps.x)
        let height = fit(Double(target.width) / shape, target.height, steps.y)
        return (
            (target.width - width) / 2 / steps.x * steps.x, (target.height - height) / 2 / steps.y * steps.y,
            min(width, target.width), min(height, target.height)
        )
    }

    private func rescaler(from source: Rescaler.Side, width: Int, height: Int) throws(MediaError) -> Rescaler {
        var inner = target
        (inner.width, inner.height) = (width, height)
        if let rescaler, rescaler.source == source, rescaler.target == inner { return rescaler }
        let made = try Rescaler(from: source, to: inner)
        rescaler = made
        return made
    }

    private func copy(_ inner: Frame, into output: Frame, x: Int, y: Int) throws(MediaError) {
        try inner.withPlanes { (from) throws(MediaError) in
            try output.withPlanes { (to) throws(MediaError) in
                let offsets = PixelFormat.offsets(of: target.format, x: x, y: y, strides: to.strides.map { Int($0) })
                var pointers = zip(to.pointers, offsets).map { $0?.advanced(by: $1) }
                var sources = from.pointers.map { UnsafePointer($0) }
                var strides = to.strides
                av_image_copy(
                    &pointers, &strides, &sources, from.strides, target.format, Int32(inner.width), Int32(inner.height))
            }
        }
    }

    private func fillBlack(_ frame: Frame) throws(MediaError) {
        try frame.withPlanes { (planes) throws(MediaError) in
            let strides = planes.strides.map { Int($0) }
            let range = target.colour.isFullRange ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG
            var pointers = planes.pointers
            let result = av_image_fill_black(
                &pointers, strides, target.format, range, Int32(target.width), Int32(target.height))
            try AV.check(result, .unsupported, "a frame of \(PixelFormat.name(of: target.format)) cannot be padded")
        }
    }
}
