internal import CFFmpeg
internal import Imaging

extension Frame {
    /// A black frame of a live output, without a pts.
    ///
    /// Throws `.outOfMemory`.
    public static func black(_ format: LiveFormat) throws(MediaError) -> Frame {
        let frame = try Frame.allocate(width: format.width, height: format.height, format: AV_PIX_FMT_YUV420P)
        try frame.fillBlack()
        frame.timeBase = LiveFormat.timeBase
        frame.colour = LiveFormat.colour
        frame.raw.pointee.sample_aspect_ratio = AVRational(num: 1, den: 1)
        return frame
    }

    /// A frame with samples of its own and this one's properties, to be painted on.
    ///
    /// Throws `.outOfMemory`.
    public func copy() throws(MediaError) -> Frame {
        let copy = try Frame.allocate(width: width, height: height, format: format)
        try AV.check(av_frame_copy(copy.raw, raw), .internalFailure, "a frame of \(pixelFormatName) cannot be copied")
        try copy.copyProperties(of: self)
        return copy
    }

    /// Paints a rectangle grey, the parts of it that lie in the picture: luma samples become `luma` (16 black ... 235
    /// white), chroma samples neutral. Samples shared with other frames are copied before.
    ///
    /// Throws `.unsupported` for frames other than planar 8-bit 4:2:0, and `.outOfMemory`.
    public func paint(x: Int, y: Int, width: Int, height: Int, luma: UInt8) throws(MediaError) {
        guard format == AV_PIX_FMT_YUV420P || format == AV_PIX_FMT_YUVJ420P else {
            throw MediaError(.unsupported, "a frame of \(pixelFormatName) cannot be painted on")
        }
        let left = max(0, min(x, self.width)), top = max(0, min(y, self.height))
        func end(_ start: Int, _ length: Int, _ limit: Int) -> Int {
            let (sum, overflow) = start.addingReportingOverflow(max(0, length))
            return overflow ? limit : max(0, min(sum, limit))
        }
        let right = end(x, width, self.width), bottom = end(y, height, self.height)
        guard right > left, bottom > top else { return }
        try AV.check(av_frame_make_writable(raw), .outOfMemory, "no memory for a frame")
        try withPlanes { (planes) throws(MediaError) in
            for plane in 0..<3 {
                guard let base = planes.pointers[plane] else { continue }
                let shift = plane == 0 ? 0 : 1
                let rows = (top >> shift)..<((bottom + shift) >> shift)
                let columns = (left >> shift)..<((right + shift) >> shift)
                for row in rows {
                    let line = base + (row * Int(planes.strides[plane]) + columns.lowerBound)
                    line.update(repeating: plane == 0 ? luma : 128, count: columns.count)
                }
            }
        }
    }

    // MARK: - For the fitting

    /// How the coded picture is to be turned, where the frame itself says so (a display orientation message of H.264).
    var displayOrientation: Orientation? {
        guard let data = av_frame_get_side_data(raw, AV_FRAME_DATA_DISPLAYMATRIX)?.pointee, data.size >= 36 else { return nil }
        let values = data.data.withMemoryRebound(to: Int32.self, capacity: 9) { Array(UnsafeBufferPointer(start: $0, count: 9)) }
        return DisplayMatrix(values)?.orientation.nearest
    }

    /// All samples black, limited range.
    func fillBlack() throws(MediaError) {
        try withPlanes { (planes) throws(MediaError) in
            var pointers = planes.pointers
            let strides = planes.strides.map { Int($0) }
            let result = av_image_fill_black(&pointers, strides, format, AVCOL_RANGE_MPEG, Int32(width), Int32(height))
            try AV.check(result, .unsupported, "a frame of \(pixelFormatName) cannot be made black")
        }
    }

    /// Copies all samples to a place of `target` where they fit, whole chroma samples from its corner.
    func copySamples(into target: Frame, x: Int, y: Int) throws(MediaError) {
        try withPlanes { (from) throws(MediaError) in
            try target.withPlanes { (to) throws(MediaError) in
                let offsets = PixelFormat.offsets(of: format, x: x, y: y, strides: to.strides.map { Int($0) })
                var pointers = zip(to.pointers, offsets).map { $0?.advanced(by: $1) }
                var sources = from.pointers.map { UnsafePointer($0) }
                var strides = to.strides
                av_image_copy(&pointers, &strides, &sources, from.strides, format, Int32(width), Int32(height))
            }
        }
    }

    /// Writes this frame, planar 8-bit 4:2:0 of even size, turned into `target`, which has the turned size.
    func turn(by orientation: Orientation, into target: Frame) throws(MediaError) {
        try withPlanes { (from) throws(MediaError) in
            try target.withPlanes { (to) throws(MediaError) in
                for plane in 0..<3 {
                    guard let source = from.pointers[plane], let goal = to.pointers[plane] else { continue }
                    let shift = plane == 0 ? 0 : 1
                    let stride = Int(from.strides[plane])
                    let (width, height) = (self.width >> shift, self.height >> shift)
                    // The map is affine, so a row of the target is a walk through the source at a constant step.
                    func offset(_ x: Int, _ y: Int) -> Int {
                        let place = orientation.source(x: x, y: y, width: width, height: height)
                        return place.y * stride + place.x
                    }
                    let step = target.width >> shift > 1 ? offset(1, 0) - offset(0, 0) : 0
                    for y in 0..<(target.height >> shift) {
                        let line = goal + y * Int(to.strides[plane])
                        var place = offset(0, y)
                        for x in 0..<(target.width >> shift) {
                            line[x] = source[place]
                            place += step
                        }
                    }
                }
            }
        }
    }
}

extension LiveFormat {
    /// The format that shows `video` without scaling: upright, with square samples, of even size.
    ///
    /// - Parameter video: of the first source; 25 frames per second where its rate is unknown or none for a live video.
    /// Throws `.unsupportedOption` where its shape fits no format.
    public init(showing video: VideoInfo) throws(MediaError) {
        let aspect = video.sampleAspect.isPositive ? video.sampleAspect.value ?? 1 : 1
        var size = (width: Double(video.width) * aspect, height: Double(video.height))
        if video.orientation.swapsAxes { size = (size.height, size.width) }
        let shrink = min(1, 8192 / max(size.width, size.height, 1))
        func even(_ value: Double) -> Int { max(16, min(8192, Int(nearest: min(value * shrink / 2, 4096), .down) * 2)) }
        let rate = video.frameRate.flatMap { rate in rate.value.map { (1...240).contains($0) } == true ? rate : nil }
        try self.init(width: even(size.width), height: even(size.height), frameRate: rate ?? Rational(25, 1))
    }
}
