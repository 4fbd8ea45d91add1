internal import CFFmpeg

/// One conversion of pictures from one size, pixel format and colour to another (libswscale's `SwsContext`), owned by
/// this object and kept for all pictures of a job: building its filters is what costs.
final class Rescaler {
    /// One end of a conversion.
    struct Side: Hashable {
        var width: Int
        var height: Int
        var format: AVPixelFormat
        var colour: SampleColour
    }

    /// The planes of a picture, as libswscale takes them: valid as long as what they were taken from.
    struct Planes {
        var pointers: [UnsafeMutablePointer<UInt8>?]
        var strides: [Int32]
    }

    let source: Side
    let target: Side
    private let context: OpaquePointer

    /// Bicubic with a = -0.5, exact rounding, and chroma brought to full resolution before it is converted.
    init(from source: Side, to target: Side) throws(MediaError) {
        self.source = source
        self.target = target
        guard let context = sws_alloc_context() else { throw MediaError(.outOfMemory, "no memory for a scaler") }
        self.context = context
        let flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT
        var options: [(String, Int)] = [
            ("srcw", source.width), ("srch", source.height), ("src_format", Int(source.format.rawValue)),
            ("dstw", target.width), ("dsth", target.height), ("dst_format", Int(target.format.rawValue)),
            ("src_range", source.colour.isFullRange ? 1 : 0), ("dst_range", target.colour.isFullRange ? 1 : 0),
            ("sws_flags", Int(flags)),
        ]
        options += Self.siting(source, "src") + Self.siting(target, "dst")
        for (name, value) in options { av_opt_set_int(UnsafeMutableRawPointer(context), name, Int64(value), 0) }
        // Mitchell and Netravali's B and C; C = -a.
        av_opt_set_double(UnsafeMutableRawPointer(context), "param0", 0, 0)
        av_opt_set_double(UnsafeMutableRawPointer(context), "param1", 0.5, 0)
        let names = "\(PixelFormat.name(of: source.format)) to \(PixelFormat.name(of: target.format))"
        do {
            try AV.check(sws_init_context(context, nil, nil), .unsupported, "libswscale cannot convert \(names)")
        } catch {
            sws_freeContext(context)
            throw error
        }
        // Fails where neither side has a matrix, which is no harm.
        sws_setColorspaceDetails(
            context, sws_getCoefficients(source.colour.matrix), source.colour.isFullRange ? 1 : 0,
            sws_getCoefficients(target.colour.matrix), target.colour.isFullRange ? 1 : 0, 0, 1 << 16, 1 << 16)
    }

    deinit { sws_freeContext(context) }

    /// libswscale's place of chroma samples, for subsampled directions only.
    private static func siting(_ side: Side, _ prefix: String) -> [(String, Int)] {
        let steps = PixelFormat.chromaSteps(of: side.format)
        return (steps.x > 1 ? [("\(prefix)_h_chr_pos", Int(side.colour.chromaX))] : [])
            + (steps.y > 1 ? [("\(prefix)_v_chr_pos", Int(side.colour.chromaY))] : [])
    }

    func scale(_ from: Planes, to: Planes) throws(MediaError) {
        let pointers = from.pointers.map { UnsafePointer($0) }
        let result = sws_scale(context, pointers, from.strides, 0, Int32(source.height), to.pointers, to.strides)
        try AV.check(result, .unsupported, "a picture cannot be converted to \(PixelFormat.name(of: target.format))")
        guard result == Int32(target.height) else {
            throw MediaError(.internalFailure, "libswscale gave \(result) of \(target.height) lines")
        }
    }
}

extension Frame {
    /// The frame's planes, valid inside `body` only.
    func withPlanes<Result>(_ body: (Rescaler.Planes) throws(MediaError) -> Result) throws(MediaError) -> Result {
        let data = raw.pointee.data
        let strides = raw.pointee.linesize
        defer { withExtendedLifetime(self) {} }
        return try body(
            Rescaler.Planes(
                pointers: [data.0, data.1, data.2, data.3], strides: [strides.0, strides.1, strides.2, strides.3]))
    }

    /// A frame with samples of its own, unspecified ones.
    static func allocate(width: Int, height: Int, format: AVPixelFormat) throws(MediaError) -> Frame {
        let frame = try Frame()
        frame.raw.pointee.width = Int32(clamping: width)
        frame.raw.pointee.height = Int32(clamping: height)
        frame.raw.pointee.format = format.rawValue
        try AV.check(av_frame_get_buffer(frame.raw, 0), .outOfMemory, "no memory for a frame of \(width)x\(height)")
        return frame
    }

    /// Takes over all properties of `other` but its samples, size and format.
    func copyProperties(of other: Frame) throws(MediaError) {
        try AV.check(av_frame_copy_props(raw, other.raw), .outOfMemory, "no memory for a frame's properties")
    }
}
