import CKernels
import Testing

/// Every instruction set of this machine against the definition in double, over lengths with remainders.
@Suite struct DetailKernelTests {
    private static let sets = ["avx512", "avx2", "neon", "portable"].filter { (name: String) in detail_kernels_named(name) != nil }
    private static let lengths = Array(1...40) + [63, 64, 65, 127, 130]

    private func noise(_ count: Int, seed: UInt64) -> [Float] {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        return (0..<count).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Float(state >> 40) / Float(1 << 23) - 1
        }
    }

    private func kernels(_ name: String) throws -> detail_kernels { try #require(detail_kernels_named(name)).pointee }

    @Test func theScalarTwinIsThere() { #expect(Self.sets.contains("portable") || Self.sets.contains("neon")) }

    @Test(arguments: sets, [(1, 1), (2, 1), (3, 1), (5, 4), (9, 4), (7, 3)])
    func boxMeans(set: String, window: (count: Int, radius: Int)) throws {
        let kernel = try kernels(set)
        let (count, radius) = window
        // Rows beyond 256 go in blocks.
        for n in Self.lengths + [255, 256, 257, 530] {
            let rows = (0..<count).map { noise(n, seed: UInt64($0 + 1)) }
            let inside = (0..<n).map { x in min(n - 1, x + radius) - max(0, x - radius) + 1 }
            let reciprocal = inside.map { 1 / Float($0 * count) }
            var column = [Float](repeating: .nan, count: n + 2 * radius), out = [Float](repeating: .nan, count: n)
            withPointers(rows) { kernel.box_f32(n, Int32(count), $0, Int32(radius), reciprocal, &column, &out) }
            for x in 0..<n {
                let sum = rows.reduce(0.0) { total, row in
                    total + (max(0, x - radius)...min(n - 1, x + radius)).reduce(0.0) { $0 + Double(row[$1]) }
                }
                // Each of the sums' count * (2 radius + 1) terms may add half a unit in the last place of a partial sum.
                let tolerance = Double(count * (2 * radius + 1)) * 1.2e-7
                #expect(abs(Double(out[x]) - sum / Double(inside[x] * count)) < tolerance)
            }
        }
    }

    @Test(arguments: sets, [0.01, 0.4, 0.53, 0.8, 1.0])
    func interpolation(set: String, scale: Double) throws {
        let kernel = try kernels(set)
        for n in Self.lengths {
            let first = (0..<n).map { Int32((Double($0) * scale).rounded(.down)) }
            let weights = (0..<4).map { noise(n, seed: UInt64(10 + $0)) }
            let source = noise(n + 64, seed: 5)
            var out = [Float](repeating: .nan, count: n)
            withPointers(weights) { kernel.upsample_f32(n, first, $0, source, &out) }
            for x in 0..<n {
                let sum = (0..<4).reduce(0.0) { $0 + Double(weights[$1][x]) * Double(source[Int(first[x]) + $1]) }
                #expect(abs(Double(out[x]) - sum) < 1e-6)
            }
        }
    }

    @Test(arguments: sets, [(1, 1.0), (3, 1.9), (4, 2.5), (5, 3.4), (9, 7.5)])
    func averages(set: String, reduction: (count: Int, step: Double)) throws {
        let kernel = try kernels(set)
        for n in Self.lengths {
            let first = (0..<n).map { Int32((Double($0) * reduction.step).rounded(.down)) }
            let weights = (0..<reduction.count).map { noise(n, seed: UInt64(10 + $0)) }
            let source = noise(Int(first[n - 1]) + 64, seed: 5)
            var out = [Float](repeating: .nan, count: n)
            withPointers(weights) { kernel.average_f32(n, Int32(reduction.count), first, $0, source, &out) }
            for x in 0..<n {
                let sum = (0..<reduction.count).reduce(0.0) { $0 + Double(weights[$1][x]) * Double(source[Int(first[x]) + $1]) }
                #expect(abs(Double(out[x]) - sum) < 2e-6)
            }
        }
    }

    @Test(arguments: sets) func applying(set: String) throws {
        let kernel = try kernels(set)
        for n in Self.lengths {
            let rows = (0..<16).map { k in noise(n, seed: UInt64(k + 1)).map { $0 * (k < 4 ? 1 : 0.8) } }
            let source = (0..<3).map { k in noise(n, seed: UInt64(30 + k)).map { UInt8(($0 + 1) * 127.5) } }
            var result = [[UInt8]](repeating: [UInt8](repeating: 0, count: n), count: 3)
            let weights: (Float, Float, Float, Float) = (-0.07, 0.6, 0.5, -0.03), strength: Float = 0.75
            withTaps(rows, weights) { taps in
                withPointers(source) { from in
                    withMutablePointers(&result) { kernel.apply_u8(n, taps, strength, from, $0) }
                }
            }
            let w = [weights.0, weights.1, weights.2, weights.3].map(Double.init)
            for x in 0..<n {
                func blend(_ plane: Int) -> Double { (0..<4).reduce(0.0) { $0 + w[$1] * Double(rows[4 * plane + $1][x]) } }
                let rgb = (0..<3).map { Double(source[$0][x]) }
                let luma = (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) / 127.5 - 1
                for c in 0..<3 {
                    let value = min(max(blend(0) * luma + blend(c + 1), -1), 1)
                    let expected = 0.25 * rgb[c] + 0.75 * (value + 1) * 127.5
                    #expect(abs(Double(result[c][x]) - expected) <= 0.501)
                }
            }
        }
    }

    private func withPointers<T, R>(_ rows: [[T]], _ body: ([UnsafePointer<T>?]) -> R) -> R {
        func lend(_ k: Int, _ pointers: [UnsafePointer<T>?]) -> R {
            k == rows.count ? body(pointers) : rows[k].withUnsafeBufferPointer { lend(k + 1, pointers + [$0.baseAddress]) }
        }
        return lend(0, [])
    }

    private func withMutablePointers<T>(_ rows: inout [[T]], _ body: ([UnsafeMutablePointer<T>?]) -> Void) {
        var copies = rows.map { UnsafeMutableBufferPointer<T>.allocate(capacity: $0.count) }
        for (copy, row) in zip(copies, rows) { _ = copy.initialize(from: row) }
        body(copies.map(\.baseAddress))
        rows = copies.map(Array.init)
        copies.forEach { $0.deallocate() }
        copies = []
    }

    private func withTaps(
        _ rows: [[Float]], _ weights: (Float, Float, Float, Float), _ body: (UnsafePointer<detail_taps>) -> Void
    ) {
        withPointers(rows) { p in
            var taps = detail_taps()
            taps.rows = (
                (p[0], p[1], p[2], p[3]), (p[4], p[5], p[6], p[7]), (p[8], p[9], p[10], p[11]), (p[12], p[13], p[14], p[15])
            )
            taps.weights = weights
            body(&taps)
        }
    }
}
