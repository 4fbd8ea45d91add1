import Testing

@testable import Imaging

@Suite struct ResampleTests {
    /// One row by the definition, in double: the kernel stretched by the reduction, normalised over what lies inside.
    private func reference(_ row: [Double], to target: Int, _ filter: ResampleFilter) -> [Double] {
        let step = Double(row.count) / Double(target)
        return (0..<target).map { index in
            var sum = 0.0, weights = 0.0
            for (j, value) in row.enumerated() {
                let weight: Double
                if filter == .area {
                    let left = max(Double(j), Double(index) * step), right = min(Double(j + 1), Double(index + 1) * step)
                    weight = max(0, right - left)
                } else {
                    let x = abs((Double(j) + 0.5 - (Double(index) + 0.5) * step) / max(step, 1))
                    weight =
                        x <= 1 ? 1.5 * x * x * x - 2.5 * x * x + 1
                        : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0
                }
                sum += weight * value
                weights += weight
            }
            return sum / weights
        }
    }

    @Test(arguments: ResampleFilter.allCases, [(1, 1), (1, 6), (7, 7), (7, 20), (20, 7), (33, 16), (64, 5), (5, 64), (31, 30)])
    func agreesWithTheDefinition(filter: ResampleFilter, sizes: (Int, Int)) {
        let (from, to) = sizes
        let source = Picture.noise(width: from, height: to, seed: 3)
        let result = PlanarImage<Float>(width: to, height: from)
        Resampler(from: (from, to), to: (to, from), filter: filter)(source, into: result)
        for plane in 0..<3 {
            let rows = (0..<to).map { y in reference((0..<from).map { Double(source[plane, y, $0]) }, to: to, filter) }
            for x in 0..<to {
                let column = reference(rows.map { $0[x] }, to: from, filter)
                for y in 0..<from {
                    #expect(abs(Double(result[plane, y, x]) - column[y]) < 2e-6)
                }
            }
        }
    }
}
