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

    // MARK: - Fitting

    @Test(arguments: sets) func windowSums(set: String) throws {
        let kernel = try kernels(set)
        for n in Self.lengths {
            let margin = Int(DETAIL_MARGIN), row = noise(2 * n + 2 * margin, seed: 3)
            var scratch = [Float](repeating: .nan, count: 2 * (n + 8)), out = [Float](repeating: .nan, count: n)
            row.withUnsafeBufferPointer { kernel.window_f32(n, $0.baseAddress! + margin, &scratch, &out) }
            for x in 0..<n {
                let sum = (2 * x - 7...2 * x + 8).reduce(0.0) { $0 + Double(row[margin + $1]) }
                #expect(abs(Double(out[x]) - sum) < 4e-6)
            }
        }
    }

    /// Rows that are added and taken away again leave the sums of those that stay, and these give back the map that made the result.
    @Test(arguments: sets) func sumsAndMaps(set: String) throws {
        let kernel = try kernels(set)
        let map: [[Double]] = [[0.5, -0.2, 0.1, 0.05], [0, 0.7, 0.2, -0.3], [0.1, 0.1, 0.3, 0.2]]
        for n in Self.lengths {
            let stride = n + 3, rows = 40
            var sums = [Float](repeating: 0, count: Int(DETAIL_MOMENTS) * stride), luma = [Double](repeating: 0, count: n)
            for k in 0..<rows + 4 {
                let source = (0..<3).map { noise(n, seed: UInt64(10 * (k % rows) + $0 + 1)) }
                let result = map.map { a in
                    (0..<n).map { x in Float(a[3] + (0..<3).reduce(0.0) { $0 + a[$1] * Double(source[$1][x]) }) }
                }
                if k < rows {
                    for x in 0..<n { luma[x] += (0.299 * Double(source[0][x]) + 0.587 * Double(source[1][x]) + 0.114 * Double(source[2][x])) / 36 }
                }
                // The first four rows come, and go again at the end.
                if k >= rows { for x in 0..<n { luma[x] -= (0.299 * Double(source[0][x]) + 0.587 * Double(source[1][x]) + 0.114 * Double(source[2][x])) / 36 } }
                withPointers(source) { s in withPointers(result) { r in kernel.moments_f32(n, k < rows ? 1 : -1, s, r, &sums, stride) } }
            }
            let epsilon: Float = 1e-4, outStride = n + 5
            var out = [Float](repeating: .nan, count: Int(DETAIL_FIT) * outStride)
            kernel.solve_f32(n, epsilon, [Float](repeating: 1 / 36, count: n), sums, stride, &out, outStride)
            for x in 0..<n {
                for c in 0..<3 {
                    for a in 0..<4 { #expect(abs(Double(out[(4 * c + a) * outStride + x]) - map[c][a]) < 2e-3) }
                }
                #expect(abs(Double(out[Int(DETAIL_COEFFICIENTS) * outStride + x]) - luma[x]) < 1e-5)
            }
        }
    }

    /// Where nothing varies the map is the mean.
    @Test(arguments: sets) func flatWindows(set: String) throws {
        let kernel = try kernels(set)
        let (n, stride) = (33, 40)
        var sums = [Float](repeating: 0, count: Int(DETAIL_MOMENTS) * stride)
        let source = [Float](repeating: 0.75, count: n), result = (0..<3).map { noise(n, seed: UInt64($0 + 1)) }
        withPointers([source, source, source]) { s in withPointers(result) { r in kernel.moments_f32(n, 1, s, r, &sums, stride) } }
        var out = [Float](repeating: .nan, count: Int(DETAIL_FIT) * stride)
        kernel.solve_f32(n, 0.004, [Float](repeating: 1, count: n), sums, stride, &out, stride)
        for x in 0..<n {
            for c in 0..<3 {
                for a in 0..<3 { #expect(abs(out[(4 * c + a) * stride + x]) < 1e-4) }
                #expect(abs(out[(4 * c + 3) * stride + x] - result[c][x]) < 1e-4)
            }
        }
    }

    @Test(arguments: sets, [(1, 4), (2, 4), (5, 4), (9, 4), (9, 1)])
    func boxMeans(set: String, window: (count: Int, radius: Int)) throws {
        let kernel = try kernels(set)
        let (count, radius) = window
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

    @Test(arguments: sets) func windowPeaks(set: String) throws {
        let kernel = try kernels(set)
        let margin = Int(DETAIL_MARGIN)
        for n in Self.lengths {
            for width in [2 * n - 1, 2 * n] {
                let rows = (0..<5).map { noise(width, seed: UInt64($0 + 1)) }
                var column = [Float](repeating: .nan, count: width + 2 * margin), scratch = [Float](repeating: .nan, count: 2 * (n + 8))
                var out = [Float](repeating: .nan, count: n)
                column.withUnsafeMutableBufferPointer { buffer in
                    withPointers(rows) { kernel.window_peak_f32(n, width, Int32(rows.count), $0, buffer.baseAddress! + margin, &scratch, &out) }
                }
                for i in 0..<n { #expect(out[i] == rows.flatMap { $0[max(0, 2 * i - 7)...min(width - 1, 2 * i + 8)] }.max()) }
            }
        }
    }

    @Test(arguments: sets) func averagesOverTime(set: String) throws {
        let kernel = try kernels(set)
        for n in Self.lengths {
            let count = Int(DETAIL_COEFFICIENTS)
            let now = noise(count * n, seed: 1), before = zip(now, noise(count * n, seed: 2)).map { $0 + 0.05 * $1 }, seen = noise(4 * n, seed: 3).map { abs($0) }
            let light = noise(n, seed: 4).map { abs($0) }
            var keep = [Float](repeating: 0.8, count: n), same = keep
            kernel.same_f32(n, 0.2, 0.6, light, &same)
            kernel.steady_f32(n, 0.02, 0.1, same, now, seen, n, before, n, &keep)
            for x in 0..<n {
                let differences = (0..<3).map { c in
                    let d = (0..<4).map { Double(now[(4 * c + $0) * n + x]) - Double(before[(4 * c + $0) * n + x]) }
                    return abs((0..<3).reduce(d[3]) { $0 + d[$1] * Double(seen[$1 * n + x]) }) + abs(d[0] + d[1] + d[2]) * Double(seen[3 * n + x])
                }
                let same = min(max((0.6 - Double(light[x])) / 0.4, 0), 1), alike = min(max((0.1 - differences.max()!) / 0.08, 0), 1)
                #expect(abs(Double(keep[x]) - 0.8 * max(same, alike)) < 1e-4)
            }
            let (a, b, row) = (noise(n, seed: 5), noise(n, seed: 6), noise(n, seed: 7))
            var out = row, change = row
            kernel.blend_f32(n, keep, a, &out)
            kernel.change_f32(n, a, b, &change)
            for x in 0..<n {
                #expect(abs(Double(out[x]) - (Double(row[x]) + Double(keep[x]) * (Double(a[x]) - Double(row[x])))) < 2e-6)
                #expect(change[x] == abs(a[x] - b[x]))
            }
            #expect(Int(kernel.turned_f32(n, 0.3, a, b)) == (0..<n).filter { abs(a[$0] - b[$0]) > 0.3 }.count)
        }
    }

    // MARK: - Motion

    @Test(arguments: sets) func samplesOfMotion(set: String) throws {
        let kernel = try kernels(set)
        for n in Self.lengths {
            let (upper, lower) = (noise(2 * n, seed: 1), noise(2 * n, seed: 2)), wide = noise(n, seed: 3).map { 1.2 * $0 }
            var out = [Float](repeating: .nan, count: n), levels = [UInt8](repeating: 0, count: n)
            kernel.halve_f32(n, upper, lower, &out)
            kernel.levels_u8(n, wide, &levels)
            for x in 0..<n {
                #expect(abs(out[x] - (upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1]) / 4) < 1e-6)
                #expect(abs(Double(levels[x]) - 127.5 * (Double(min(max(wide[x], -1), 1)) + 1)) <= 0.501)
            }
        }
    }

    @Test(arguments: sets) func differencesOfPatches(set: String) throws {
        let kernel = try kernels(set)
        let side = Int(DETAIL_PATCH)
        func rows(_ patches: Int, _ seed: UInt64) -> [[UInt8]] {
            (0..<side).map { k in noise(side * patches, seed: seed + UInt64(k)).map { UInt8(127.5 * ($0 + 1)) } }
        }
        for patches in 1...37 {
            let (now, before) = (rows(patches, 1), rows(patches, 50))
            var out = [Int32](repeating: -1, count: patches)
            withPointers(now) { a in withPointers(before) { b in kernel.differences_u8(patches, Int32(side), a, b, &out) } }
            for patch in 0..<patches {
                let cells = (0..<side).flatMap { y in (side * patch..<side * patch + side).map { abs(Int(now[y][$0]) - Int(before[y][$0])) } }
                #expect(Int(out[patch]) == cells.reduce(0, +))
            }
        }
    }

    /// Runs, places that jump, and the last row, which has none below it.
    @Test(arguments: sets) func placesBetweenSamples(set: String) throws {
        let kernel = try kernels(set)
        let run = Int(DETAIL_RUN), stride = 64
        for n in [1, 7, 8, 9, 24, 40] {
            let count = (n + run - 1) / run * run, source = noise(4 * stride + 2 * run, seed: 4)
            var (from, below) = ((0..<count).map { Int32(stride * ($0 / run % 3) + $0) }, [Int32](repeating: Int32(stride), count: count))
            for x in 0..<count where x / run % 2 == 1 { (from[x], below[x]) = (Int32(3 * stride + 5 * x % 50), x % 3 == 0 ? 0 : Int32(run)) }
            var isRun = (0..<count / run).map { UInt8($0 % 2 == 0 ? 1 : 0) }
            var (right, down) = (noise(count, seed: 5).map { abs($0) }, noise(count, seed: 6).map { abs($0) })
            var out = [Float](repeating: .nan, count: count)
            from.withUnsafeMutableBufferPointer { from in
                below.withUnsafeMutableBufferPointer { below in
                    right.withUnsafeMutableBufferPointer { right in
                        down.withUnsafeMutableBufferPointer { down in
                            isRun.withUnsafeMutableBufferPointer { isRun in
                                var places = detail_places(
                                    from: from.baseAddress, below: below.baseAddress, right: right.baseAddress, down: down.baseAddress,
                                    is_run: isRun.baseAddress)
                                kernel.fetch_f32(n, &places, source, &out)
                            }
                        }
                    }
                }
            }
            for x in 0..<n {
                func across(_ at: Int) -> Double { Double(source[at]) + Double(right[x]) * (Double(source[at + 1]) - Double(source[at])) }
                let (upper, lower) = (across(Int(from[x])), across(Int(from[x] + below[x])))
                #expect(abs(Double(out[x]) - (upper + Double(down[x]) * (lower - upper))) < 1e-6)
            }
        }
    }

    // MARK: - Interpolation

    @Test(arguments: sets, [0.01, 0.4, 0.53, 0.8, 1.0])
    func fourTaps(set: String, scale: Double) throws {
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

    @Test(arguments: sets, [(0.01, 0), (0.13, 0.49), (0.2, 0), (0.4, 0.49), (0.5, 0), (0.5, 0.49)])
    func twoTaps(set: String, grid: (scale: Double, phase: Double)) throws {
        let kernel = try kernels(set)
        let (scale, phase) = grid
        for n in Self.lengths {
            let places = (0..<n).map { Double($0) * scale + phase }
            let first = places.map { Int32($0.rounded(.down)) }, fraction = zip(places, first).map { Float($0 - Double($1)) }
            let source = noise(n + 64, seed: 5)
            var out = [Float](repeating: .nan, count: n)
            kernel.between_f32(n, first, fraction, source, &out)
            for x in 0..<n {
                let (a, b) = (Double(source[Int(first[x])]), Double(source[Int(first[x]) + 1]))
                #expect(abs(Double(out[x]) - (a + Double(fraction[x]) * (b - a))) < 1e-6)
            }
        }
    }

    // MARK: - Lights

    @Test(arguments: sets) func whatTheMapLeaves(set: String) throws {
        let kernel = try kernels(set)
        for n in Self.lengths {
            let bench = TapsBench(noise: noise), source = (0..<3).map { noise(n, seed: UInt64(30 + $0)) }
            let result = (0..<3).map { noise(n, seed: UInt64(40 + $0)) }
            var excess = [[Float]](repeating: [Float](repeating: .nan, count: n), count: 3)
            var bright = [Float](repeating: .nan, count: n), dark = bright
            bench.withTaps(pictured: false) { taps in
                withPointers(source) { s in
                    withPointers(result) { r in
                        withMutablePointers(&excess) { kernel.excess_f32(n, taps, s, r, $0) }
                        kernel.extremes_f32(n, taps, s, r, &bright, &dark)
                    }
                }
            }
            for x in 0..<n {
                let rest = (0..<3).map { c in
                    Double(result[c][x]) - min(max(bench.mapped(c, x, (0..<3).map { Double(source[$0][x]) }), -1), 1)
                }
                for c in 0..<3 { #expect(abs(Double(excess[c][x]) - max(rest[c], 0)) < 1e-5) }
                #expect(abs(Double(bright[x]) - max(rest.max()!, 0)) < 1e-5)
                #expect(abs(Double(dark[x]) - max(-rest.min()!, 0)) < 1e-5)
            }
        }
    }

    @Test(arguments: sets) func peaksAndLights(set: String) throws {
        let kernel = try kernels(set)
        let (reach, margin) = (Int(DETAIL_REACH), Int(DETAIL_MARGIN))
        for n in Self.lengths {
            let rows = (0..<2 * reach + 1).map { noise(n, seed: UInt64($0 + 1)) }
            var column = [Float](repeating: .nan, count: n + 2 * margin), peak = [Float](repeating: .nan, count: n)
            column.withUnsafeMutableBufferPointer { buffer in
                withPointers(rows) { kernel.peak_f32(n, Int32(rows.count), $0, buffer.baseAddress! + margin, &peak) }
            }
            let bright = noise(n, seed: 50).map { 3 * $0 }, colours = (0..<3).map { noise(n, seed: UInt64(60 + $0)).map { abs($0) } }
            var light = colours
            var shares = bright
            let greatest = kernel.share_f32(n, 1.5, 0.1, 0.6, 0.5, peak, &shares)
            withMutablePointers(&light) { kernel.light_f32(n, shares, $0) }
            for x in 0..<n {
                let most = rows.flatMap { $0[max(0, x - reach)...min(n - 1, x + reach)] }.max()!
                #expect(peak[x] == most)
                let share = 0.5 * min(max((Double(bright[x]) - 1.5 * Double(most) - 0.1) / 0.5, 0), 1)
                #expect(abs(Double(shares[x]) - share) < 3e-6)
                for c in 0..<3 { #expect(abs(Double(light[c][x]) - share * Double(colours[c][x])) < 3e-6) }
            }
            #expect(abs(greatest - 2 * shares.max()!) < 1e-6)
        }
    }

    // MARK: - The frame

    @Test(arguments: sets, [(true, true), (true, false), (false, true)])
    func applying(set: String, parts: (mapped: Bool, pictured: Bool)) throws {
        let kernel = try kernels(set)
        for n in Self.lengths {
            let bench = TapsBench(noise: noise)
            let source = (0..<3).map { k in noise(n, seed: UInt64(30 + k)).map { UInt8(($0 + 1) * 127.5) } }
            let wide = source.map { $0.map { UInt16($0) * 257 } }
            var result = [[UInt8]](repeating: [UInt8](repeating: 0, count: n), count: 3)
            var wideResult = [[UInt16]](repeating: [UInt16](repeating: 0, count: n), count: 3)
            let strength: Float = 0.75
            bench.withTaps(mapped: parts.mapped, pictured: parts.pictured) { taps in
                withPointers(source) { from in withMutablePointers(&result) { kernel.apply_u8(n, taps, strength, from, $0) } }
                withPointers(wide) { from in withMutablePointers(&wideResult) { kernel.apply_u16(n, taps, strength, from, $0) } }
            }
            for x in 0..<n {
                let rgb = (0..<3).map { Double(source[$0][x]) }
                for c in 0..<3 {
                    let map = parts.mapped ? bench.mapped(c, x, rgb.map { $0 / 127.5 - 1 }) : 0
                    let value = min(max(map + (parts.pictured ? bench.pictured(c, x) : 0), -1), 1)
                    let exact = 0.25 * rgb[c] + 0.75 * (value + 1) * 127.5
                    #expect(abs(Double(result[c][x]) - exact - 0.75 * Double(bench.dither[x])) <= 0.501)
                    #expect(abs(Double(wideResult[c][x]) - 257 * exact) <= 0.6)
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

    @discardableResult
    private func withMutablePointers<T, R>(_ rows: inout [[T]], _ body: ([UnsafeMutablePointer<T>?]) -> R) -> R {
        let copies = rows.map { UnsafeMutableBufferPointer<T>.allocate(capacity: $0.count) }
        for (copy, row) in zip(copies, rows) { _ = copy.initialize(from: row) }
        let result = body(copies.map(\.baseAddress))
        rows = copies.map(Array.init)
        copies.forEach { $0.deallocate() }
        return result
    }
}

/// Taps of noise, and what they mean in double.
private struct TapsBench {
    let upper, lower: [Float]
    let rows: [[Float]]
    let weights: [Float] = [-0.07, 0.6, 0.5, -0.03]
    let fraction: Float = 0.3
    let dither: [Float]

    init(noise: (Int, UInt64) -> [Float]) {
        let block = Int(DETAIL_LINE)
        upper = noise(Int(DETAIL_COEFFICIENTS) * block, 1).map { 0.5 * $0 }
        lower = noise(Int(DETAIL_COEFFICIENTS) * block, 2).map { 0.5 * $0 }
        rows = (0..<4).map { k in noise(3 * block, UInt64(3 + k)).map { 0.4 * $0 } }
        dither = noise(block, 9).map { 0.49 * $0 }
    }

    func mapped(_ c: Int, _ x: Int, _ rgb: [Double]) -> Double {
        func coefficient(_ k: Int) -> Double {
            let place = k * Int(DETAIL_LINE) + x
            return Double(upper[place]) * (1 - Double(fraction)) + Double(lower[place]) * Double(fraction)
        }
        return (0..<3).reduce(coefficient(4 * c + 3)) { $0 + coefficient(4 * c + $1) * rgb[$1] }
    }

    func pictured(_ c: Int, _ x: Int) -> Double {
        (0..<4).reduce(0.0) { $0 + Double(weights[$1]) * Double(rows[$1][c * Int(DETAIL_LINE) + x]) }
    }

    func withTaps(mapped: Bool = true, pictured: Bool, _ body: (UnsafePointer<detail_taps>) -> Void) {
        upper.withUnsafeBufferPointer { upper in
            lower.withUnsafeBufferPointer { lower in
                dither.withUnsafeBufferPointer { dither in
                    rows[0].withUnsafeBufferPointer { a in
                        rows[1].withUnsafeBufferPointer { b in
                            rows[2].withUnsafeBufferPointer { c in
                                rows[3].withUnsafeBufferPointer { d in
                                    var taps = detail_taps()
                                    if mapped { (taps.upper, taps.lower) = (upper.baseAddress, lower.baseAddress) }
                                    taps.fraction = fraction
                                    if pictured { taps.rows = (a.baseAddress, b.baseAddress, c.baseAddress, d.baseAddress) }
                                    taps.weights = (weights[0], weights[1], weights[2], weights[3])
                                    taps.dither = dither.baseAddress
                                    body(&taps)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
