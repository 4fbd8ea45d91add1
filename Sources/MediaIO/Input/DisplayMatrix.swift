import Imaging

/// A display matrix (ISO/IEC 14496-12 §8.2.2, libav's `AV_PKT_DATA_DISPLAYMATRIX`): nine integers row by row; a coded
/// point (x, y) is shown at (m0 x + m3 y, m1 x + m4 y), y downwards, after a shift.
struct DisplayMatrix: Equatable {
    var values: [Int32]

    /// nil unless there are nine values.
    init?(_ values: [Int32]) {
        guard values.count == 9 else { return nil }
        self.values = values
    }

    /// The nearest of the eight symmetries, and whether the matrix is that symmetry (up to scale, within a degree).
    var orientation: (nearest: Orientation, isExact: Bool) {
        let (a, b) = Self.unit(Double(values[0]), Double(values[1]))
        let (c, d) = Self.unit(Double(values[3]), Double(values[4]))
        var best = (orientation: Orientation.upright, likeness: -Double.infinity)
        for candidate in Orientation.allCases {
            let target = Self.directions(of: candidate)
            let likeness = a * target.a + b * target.b + c * target.c + d * target.d
            if likeness > best.likeness + 1e-9 { best = (candidate, likeness) }
        }
        return (best.orientation, best.likeness > 2 * 0.99985)  // cos(1 degree)
    }

    /// Where the coded picture's x axis (a, b) and y axis (c, d) point once it is turned.
    private static func directions(of orientation: Orientation) -> (a: Double, b: Double, c: Double, d: Double) {
        var x = (orientation.isMirrored ? -1.0 : 1.0, 0.0)
        var y = (0.0, 1.0)
        for _ in 0..<orientation.quarterTurns {
            x = (-x.1, x.0)
            y = (-y.1, y.0)
        }
        return (x.0, x.1, y.0, y.1)
    }

    private static func unit(_ x: Double, _ y: Double) -> (Double, Double) {
        let length = (x * x + y * y).squareRoot()
        return length > 0 ? (x / length, y / length) : (0, 0)
    }
}
