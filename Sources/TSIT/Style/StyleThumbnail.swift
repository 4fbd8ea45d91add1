public import Imaging

/// A small picture of what a style was taken from: RGB, layout `[height][width][3]`.
public struct StyleThumbnail: Sendable, Equatable {
    /// No side is longer, in pixels.
    public static let longestSide = 256

    public let width: Int
    public let height: Int
    public let pixels: [UInt8]

    /// Nil for a side that is 0 or too long, and where the number of samples is not that of the size.
    public init?(width: Int, height: Int, pixels: [UInt8]) {
        let sides = 1...Self.longestSide
        guard sides.contains(width), sides.contains(height), pixels.count == width * height * 3 else { return nil }
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// A picture that is small enough already; nil for one that is not.
    public init?(_ picture: PlanarImage<UInt8>) {
        guard picture.width <= Self.longestSide, picture.height <= Self.longestSide else { return nil }
        var pixels = [UInt8](repeating: 0, count: picture.width * picture.height * 3)
        for plane in 0..<3 {
            picture.withPlane(plane) { samples in
                for y in 0..<picture.height {
                    for x in 0..<picture.width {
                        pixels[(y * picture.width + x) * 3 + plane] = samples[y * picture.rowStride + x]
                    }
                }
            }
        }
        self.init(width: picture.width, height: picture.height, pixels: pixels)
    }

    public var picture: PlanarImage<UInt8> {
        let picture = PlanarImage<UInt8>(width: width, height: height)
        for plane in 0..<3 {
            picture.withPlane(plane) { samples in
                for y in 0..<height {
                    for x in 0..<width { samples[y * picture.rowStride + x] = pixels[(y * width + x) * 3 + plane] }
                }
            }
        }
        return picture
    }
}
