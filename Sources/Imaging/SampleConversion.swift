/// The range that TSIT's networks take and give: -1 is black, 1 is full intensity.
extension PlanarImage where Sample == Float {
    /// A picture of 8 bits in the network's range: v / 127.5 - 1.
    public convenience init(_ picture: PlanarImage<UInt8>) {
        self.init(width: picture.width, height: picture.height, pool: picture.pool)
        convert(picture, scale: 2 / 255) { Float($0) }
    }

    /// A picture of 16 bits in the network's range: v / 32767.5 - 1.
    public convenience init(_ picture: PlanarImage<UInt16>) {
        self.init(width: picture.width, height: picture.height, pool: picture.pool)
        convert(picture, scale: 2 / 65535) { Float($0) }
    }

    @inline(__always)
    private func convert<Other>(_ picture: PlanarImage<Other>, scale: Float, _ value: (Other) -> Float) {
        for plane in 0..<Self.planeCount {
            picture.withPlane(plane) { from in
                withPlane(plane) { to in
                    for y in 0..<height {
                        let (source, target) = (y * picture.rowStride, y * rowStride)
                        for x in 0..<width { to[target + x] = value(from[source + x]) * scale - 1 }
                    }
                }
            }
        }
    }
}

extension PlanarImage where Sample == UInt8 {
    /// A picture in the network's range as 8 bits, rounded to nearest; what lies outside the range is clamped.
    public convenience init(_ picture: PlanarImage<Float>) {
        self.init(width: picture.width, height: picture.height, pool: picture.pool)
        for plane in 0..<Self.planeCount {
            picture.withPlane(plane) { from in
                withPlane(plane) { to in
                    for y in 0..<height {
                        let (source, target) = (y * picture.rowStride, y * rowStride)
                        for x in 0..<width {
                            // `max` first, so that a NaN becomes black.
                            let value = min(max(from[source + x] * 127.5 + 127.5, 0), 255)
                            to[target + x] = UInt8(value.isNaN ? 0 : value.rounded())
                        }
                    }
                }
            }
        }
    }
}
