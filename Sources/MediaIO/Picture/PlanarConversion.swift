internal import CFFmpeg
internal import Imaging

/// The conversions that Imaging's kernels do in place of libswscale, a third of its time: frames of planar 8-bit 4:2:0,
/// which is what nearly all video is. Kept for all pictures of a job. Used by one thread at a time.
final class PlanarConversion {
    private var converters: [ChromaConverter] = []

    /// What converts between frames of `side` and RGB, and into RGB of the size `size`; nil where libswscale must.
    func converter(for side: Rescaler.Side, size: (width: Int, height: Int)? = nil) -> ChromaConverter? {
        guard let format = Self.format(of: side) else { return nil }
        let size = size ?? (side.width, side.height)
        if let known = converters.first(where: { $0.format == format && ($0.width, $0.height) == size }) { return known }
        let made = ChromaConverter(format, size: size)
        converters.append(made)
        return made
    }

    /// Nil for anything but planar 8-bit 4:2:0. With an odd side libswscale stretches the chroma planes a little, so that
    /// a frame of such a size is left to it on both ways.
    private static func format(of side: Rescaler.Side) -> ChromaConverter.Format? {
        guard side.format == AV_PIX_FMT_YUV420P || side.format == AV_PIX_FMT_YUVJ420P, side.width % 2 == 0,
            side.height % 2 == 0, let coefficients = sws_getCoefficients(side.colour.matrix)
        else { return nil }
        // libswscale keeps 2 (1 - Kr) and 2 (1 - Kb) for chroma in limited range, in 1/65536.
        func share(_ coefficient: Int32) -> Double { 1 - Double(coefficient) / 65536 * 224 / 255 / 2 }
        return ChromaConverter.Format(
            width: side.width, height: side.height, redShare: share(coefficients[0]), blueShare: share(coefficients[1]),
            isFullRange: side.colour.isFullRange, chromaX: Double(side.colour.chromaX) / 256,
            chromaY: Double(side.colour.chromaY) / 256)
    }
}

extension Frame {
    /// The frame's planes for a converter, valid inside `body` only.
    func withChromaPlanes(_ body: (ChromaConverter.Planes) -> Void) throws(MediaError) {
        try withPlanes { (planes) throws(MediaError) in
            guard let planes = ChromaConverter.Planes(pointers: planes.pointers, strides: planes.strides.map { Int($0) })
            else { throw MediaError(.internalFailure, "a frame of \(pixelFormatName) lacks planes") }
            body(planes)
        }
    }
}
