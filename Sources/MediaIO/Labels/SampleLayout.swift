internal import CFFmpeg

/// Where the ids of a picture lie in its samples, by its pixel format.
struct SampleLayout: Equatable {
    enum Kind: Equatable {
        /// One number a pixel, of 8 bits, or of 9 to 16 bits in two bytes.
        case gray, wideGray(isBigEndian: Bool)
        /// One number a pixel that names an entry of 256 colours, which come with the frame.
        case palette
        /// 8-bit RGB, packed or in planes.
        case colour
        /// 8-bit YCbCr.
        case luma
    }

    /// The samples of one component: which plane, at which byte, and how many bytes lie between two pixels.
    struct Component: Equatable {
        var plane: Int
        var offset: Int
        var step: Int
    }

    var kind: Kind
    /// The number; red, green, blue; or Y, Cb, Cr. Alpha is left out.
    var components: [Component]
    /// Chroma samples are 2^n luma samples apart.
    var chromaShift: (x: Int, y: Int)

    static func == (a: SampleLayout, b: SampleLayout) -> Bool {
        a.kind == b.kind && a.components == b.components && a.chromaShift == b.chromaShift
    }

    /// Nil for a format that cannot hold ids: single bits, floating point, more than 8 bits of a colour, a device's memory.
    init?(pixelFormat name: String) {
        guard let descriptor = av_pix_fmt_desc_get(av_get_pix_fmt(name))?.pointee else { return nil }
        func has(_ flag: Int32) -> Bool { descriptor.flags & UInt64(flag) != 0 }
        let unusable = AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_FLOAT
        guard !has(unusable), descriptor.nb_components > 0 else { return nil }
        let all = withUnsafeBytes(of: descriptor.comp) { bytes in
            Array(bytes.bindMemory(to: AVComponentDescriptor.self).prefix(Int(descriptor.nb_components)))
        }
        let count = all.count >= 3 ? 3 : 1
        let isNarrow = all.prefix(count).allSatisfy { $0.depth == 8 && $0.shift == 0 }
        switch (has(AV_PIX_FMT_FLAG_PAL), has(AV_PIX_FMT_FLAG_RGB), count) {
        case (true, _, _):
            kind = .palette
        case (false, false, 1):
            guard isNarrow || ((9...16).contains(all[0].depth) && all[0].shift == 0) else { return nil }
            kind = isNarrow ? .gray : .wideGray(isBigEndian: has(AV_PIX_FMT_FLAG_BE))
        case (false, let isRGB, 3):
            guard isNarrow else { return nil }
            kind = isRGB ? .colour : .luma
        default:
            return nil
        }
        // A palette counts as RGB, but its only samples are the indices.
        components = all.prefix(kind == .palette ? 1 : count).map {
            Component(plane: Int($0.plane), offset: Int($0.offset), step: Int($0.step))
        }
        if kind == .palette { components = [Component(plane: 0, offset: 0, step: 1)] }
        chromaShift = (Int(descriptor.log2_chroma_w), Int(descriptor.log2_chroma_h))
    }

    /// Calls `body` for every pixel of `frame` in its coded order with the pixel's place in the upright picture and its
    /// number: the sample, the index, or 0xRRGGBB; not for `.luma`.
    ///
    /// Throws `.damaged` for a frame without samples.
    @inline(__always)
    func scan(_ frame: Frame, _ walk: UprightWalk, _ body: (_ place: Int, _ value: UInt32) -> Void) throws(MediaError) {
        let planes = try planes(of: frame)
        let width = frame.width, height = frame.height
        let step = planes[0].step, first = planes[0]
        for y in 0..<height {
            var place = walk.start + y * walk.stepY
            var sample = first.base + y * first.stride
            switch kind {
            case .gray, .palette, .luma:
                for _ in 0..<width {
                    body(place, UInt32(sample.pointee))
                    sample += step
                    place += walk.stepX
                }
            case .wideGray(let isBigEndian):
                let (high, low) = isBigEndian ? (0, 1) : (1, 0)
                for _ in 0..<width {
                    body(place, UInt32(sample[high]) << 8 | UInt32(sample[low]))
                    sample += step
                    place += walk.stepX
                }
            case .colour:
                var green = planes[1].base + y * planes[1].stride, blue = planes[2].base + y * planes[2].stride
                for _ in 0..<width {
                    body(place, UInt32(sample.pointee) << 16 | UInt32(green.pointee) << 8 | UInt32(blue.pointee))
                    sample += step
                    green += planes[1].step
                    blue += planes[2].step
                    place += walk.stepX
                }
            }
        }
        withExtendedLifetime(frame) {}
    }

    /// The start of each component's first line, the distance between lines (which may be negative) and between samples.
    private func planes(
        of frame: Frame
    ) throws(MediaError) -> [(base: UnsafePointer<UInt8>, stride: Int, step: Int)] {
        var result: [(base: UnsafePointer<UInt8>, stride: Int, step: Int)] = []
        let pointers = try frame.withPlanes { (planes) throws(MediaError) in planes }
        for component in components {
            guard pointers.pointers.indices.contains(component.plane), let base = pointers.pointers[component.plane] else {
                throw MediaError(.damaged, "a frame has no samples")
            }
            result.append((UnsafePointer(base) + component.offset, Int(pointers.strides[component.plane]), component.step))
        }
        return result
    }

    /// The colours of a frame with a palette: 256 times 0xRRGGBB.
    func palette(of frame: Frame) throws(MediaError) -> [UInt32] {
        guard let colours = frame.raw.pointee.data.1 else { throw MediaError(.damaged, "a frame has no palette") }
        defer { withExtendedLifetime(frame) {} }
        return (0..<256).map { UnsafeRawPointer(colours).loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) & 0xFF_FFFF }
    }

    /// True where no pixel of a `.luma` frame has a colour: all of its chroma is 128.
    func isNeutral(_ frame: Frame) throws(MediaError) -> Bool {
        let planes = try planes(of: frame)
        defer { withExtendedLifetime(frame) {} }
        let width = (frame.width + (1 << chromaShift.x) - 1) >> chromaShift.x
        let height = (frame.height + (1 << chromaShift.y) - 1) >> chromaShift.y
        for plane in planes[1...] {
            for y in 0..<height {
                for x in 0..<width where plane.base[y * plane.stride + x * plane.step] != 128 { return false }
            }
        }
        return true
    }
}
