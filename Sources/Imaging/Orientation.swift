/// How a coded picture has to be turned so that it stands upright: one of the eight symmetries of a rectangle.
///
/// A case names what is done to the coded picture: mirrored left to right first where it says so, then turned
/// clockwise. `rawValue` is the number of clockwise quarter turns, plus 4 with the mirror.
public enum Orientation: UInt8, Sendable, CaseIterable, Codable {
    case upright = 0, clockwise90, clockwise180, clockwise270
    case mirrored, mirroredClockwise90, mirroredClockwise180, mirroredClockwise270

    public var isMirrored: Bool { rawValue >= 4 }
    public var quarterTurns: Int { Int(rawValue % 4) }
    /// True where width and height change places.
    public var swapsAxes: Bool { quarterTurns % 2 == 1 }

    /// What turns the upright picture back into the coded one.
    public var inverse: Orientation {
        // A mirror followed by a turn is its own inverse: every element with a mirror is a reflection.
        isMirrored ? self : [.upright, .clockwise270, .clockwise180, .clockwise90][quarterTurns]
    }

    /// Where in a coded picture of `width` x `height` the sample (`x`, `y`) of the turned picture comes from.
    public func source(x: Int, y: Int, width: Int, height: Int) -> (x: Int, y: Int) {
        let (column, row) =
            switch quarterTurns {
            case 1: (y, height - 1 - x)
            case 2: (width - 1 - x, height - 1 - y)
            case 3: (width - 1 - y, x)
            default: (x, y)
            }
        return (isMirrored ? width - 1 - column : column, row)
    }
}

extension PlanarImage {
    /// This picture turned by `orientation`; itself where nothing is to be done.
    public func turned(by orientation: Orientation) -> PlanarImage {
        guard orientation != .upright else { return self }
        let target = PlanarImage(
            width: orientation.swapsAxes ? height : width, height: orientation.swapsAxes ? width : height, pool: pool)
        // The map is affine, so a row of the target is a walk through the source at a constant step.
        func sourceOffset(_ x: Int, _ y: Int) -> Int {
            let place = orientation.source(x: x, y: y, width: width, height: height)
            return place.y * rowStride + place.x
        }
        let step = target.width > 1 ? sourceOffset(1, 0) - sourceOffset(0, 0) : 0
        for plane in 0..<Self.planeCount {
            withPlane(plane) { from in
                target.withPlane(plane) { to in
                    for y in 0..<target.height {
                        var offset = sourceOffset(0, y)
                        for x in 0..<target.width {
                            to[y * target.rowStride + x] = from[offset]
                            offset += step
                        }
                    }
                }
            }
        }
        return target
    }
}
