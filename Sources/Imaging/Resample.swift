/// A kernel that resamples pictures.
public enum ResampleFilter: String, Sendable, CaseIterable {
    /// The mean of the area that a sample covers.
    case area
    /// Keys' cubic kernel (1981) with a = -0.5, stretched where the picture shrinks so that nothing aliases.
    case bicubic

    var support: Double { self == .area ? 0.5 : 2 }

    func weight(_ distance: Double) -> Double {
        let x = abs(distance)
        switch self {
        case .area: return x <= 0.5 ? 1 : 0
        case .bicubic:
            if x <= 1 { return (1.5 * x - 2.5) * x * x + 1 }
            return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
        }
    }
}

/// The weights that make each sample of a row of `target` samples from one of `source` samples.
struct ResampleTaps: Sendable {
    /// Taps per sample; shorter ones are filled up with zeros.
    let count: Int
    /// First source sample of each target sample; `first + count` never passes the row's end.
    let first: [Int]
    /// Layout `[target][count]`; the weights of a sample add up to 1.
    let weights: [Float]

    init(from source: Int, to target: Int, filter: ResampleFilter) {
        let rows = (0..<target).map { Self.row($0, source, target, filter) }
        let count = min(source, rows.map(\.weights.count).max() ?? 1)
        self.count = count
        first = rows.map { min($0.first, source - count) }
        weights = zip(rows, first).flatMap { row, start in
            let lead = row.first - start
            return (0..<count).map { k in
                row.weights.indices.contains(k - lead) ? Float(row.weights[k - lead]) : 0
            }
        }
    }

    /// Weights that fall outside the row are dropped and the others scaled up to a sum of 1.
    private static func row(
        _ index: Int, _ source: Int, _ target: Int, _ filter: ResampleFilter
    ) -> (first: Int, weights: [Double]) {
        if filter == .area { return areaRow(index, source, target) }
        let step = Double(source) / Double(target)
        let stretch = max(step, 1)
        let centre = (Double(index) + 0.5) * step
        let first = max(0, Int((centre - filter.support * stretch).rounded(.down)))
        let last = min(source - 1, Int((centre + filter.support * stretch).rounded(.up)))
        let raw = (first...last).map { filter.weight((Double($0) + 0.5 - centre) / stretch) }
        let sum = raw.reduce(0, +)
        return (first, raw.map { $0 / sum })
    }

    /// Target sample i covers [i, i + 1) * source / target; the overlaps are whole multiples of 1 / target.
    private static func areaRow(_ index: Int, _ source: Int, _ target: Int) -> (first: Int, weights: [Double]) {
        let left = index * source, right = left + source
        let first = left / target, last = (right - 1) / target
        let raw = (first...last).map { Double(min(right, ($0 + 1) * target) - max(left, $0 * target)) }
        return (first, raw.map { $0 / Double(source) })
    }
}

/// Resamples pictures of one size to another, first along x, then along y; its memory is allocated when it is made.
public final class Resampler: @unchecked Sendable {
    // Safe to send: `lines` is written to by one call at a time, which the caller's ownership of a stage ensures.
    private let across, down: ResampleTaps
    private let source, target: (width: Int, height: Int)
    private let lines: PlanarImage<Float>

    public init(
        from source: (width: Int, height: Int), to target: (width: Int, height: Int), filter: ResampleFilter
    ) {
        self.source = source
        self.target = target
        across = ResampleTaps(from: source.width, to: target.width, filter: filter)
        down = ResampleTaps(from: source.height, to: target.height, filter: filter)
        lines = PlanarImage(width: target.width, height: source.height)
    }

    public func callAsFunction(_ picture: PlanarImage<Float>, into result: PlanarImage<Float>) {
        precondition(picture.width == source.width && picture.height == source.height)
        precondition(result.width == target.width && result.height == target.height)
        for plane in 0..<PlanarImage<Float>.planeCount {
            picture.withPlane(plane) { from in
                lines.withPlane(plane) { middle in
                    for y in 0..<source.height {
                        resampleRow(from, at: y * picture.rowStride, into: middle, at: y * lines.rowStride)
                    }
                    result.withPlane(plane) { to in
                        for y in 0..<target.height {
                            blendRows(middle, y, into: to, at: y * result.rowStride)
                        }
                    }
                }
            }
        }
    }

    private func resampleRow(
        _ from: UnsafeMutableBufferPointer<Float>, at row: Int, into to: UnsafeMutableBufferPointer<Float>, at start: Int
    ) {
        for x in 0..<target.width {
            var sum: Float = 0
            for k in 0..<across.count {
                sum += across.weights[x * across.count + k] * from[row + across.first[x] + k]
            }
            to[start + x] = sum
        }
    }

    private func blendRows(
        _ from: UnsafeMutableBufferPointer<Float>, _ y: Int, into to: UnsafeMutableBufferPointer<Float>, at start: Int
    ) {
        for x in 0..<target.width { to[start + x] = 0 }
        for k in 0..<down.count {
            let weight = down.weights[y * down.count + k], row = (down.first[y] + k) * lines.rowStride
            for x in 0..<target.width { to[start + x] += weight * from[row + x] }
        }
    }
}
