internal import CFFmpeg

/// Facts about libav's pixel formats.
enum PixelFormat {
    static func name(of format: AVPixelFormat) -> String {
        av_get_pix_fmt_name(format).map { String(cString: $0) } ?? "unknown"
    }

    /// Bits of the widest component; 8 where the format is unknown.
    static func bitDepth(of format: AVPixelFormat) -> Int {
        guard let descriptor = av_pix_fmt_desc_get(format)?.pointee else { return 8 }
        return components(of: descriptor).map { Int($0.depth) }.max() ?? 8
    }

    static func isRGB(_ format: AVPixelFormat) -> Bool {
        guard let flags = av_pix_fmt_desc_get(format)?.pointee.flags else { return false }
        return flags & UInt64(AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL) != 0
    }

    static func hasAlpha(_ format: AVPixelFormat) -> Bool {
        guard let flags = av_pix_fmt_desc_get(format)?.pointee.flags else { return false }
        return flags & UInt64(AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_PAL) != 0
    }

    /// The steps in which a rectangle may start inside a picture: one chroma sample in luma samples.
    static func chromaSteps(of format: AVPixelFormat) -> (x: Int, y: Int) {
        guard let descriptor = av_pix_fmt_desc_get(format)?.pointee else { return (1, 1) }
        return (1 << Int(descriptor.log2_chroma_w), 1 << Int(descriptor.log2_chroma_h))
    }

    /// Byte offset of the sample (`x`, `y`) in each plane with lines of `strides` bytes.
    static func offsets(of format: AVPixelFormat, x: Int, y: Int, strides: [Int]) -> [Int] {
        var offsets = [Int](repeating: 0, count: strides.count)
        guard let descriptor = av_pix_fmt_desc_get(format)?.pointee else { return offsets }
        for (index, component) in components(of: descriptor).enumerated() {
            let plane = Int(component.plane)
            let isChroma = (index == 1 || index == 2) && descriptor.flags & UInt64(AV_PIX_FMT_FLAG_RGB) == 0
            let column = isChroma ? x >> Int(descriptor.log2_chroma_w) : x
            let row = isChroma ? y >> Int(descriptor.log2_chroma_h) : y
            if plane < strides.count { offsets[plane] = row * strides[plane] + column * Int(component.step) }
        }
        return offsets
    }

    private static func components(of descriptor: AVPixFmtDescriptor) -> [AVComponentDescriptor] {
        withUnsafeBytes(of: descriptor.comp) { bytes in
            Array(bytes.bindMemory(to: AVComponentDescriptor.self).prefix(Int(descriptor.nb_components)))
        }
    }
}
