import Foundation
import Testing

@testable import Imaging

@Suite struct DetailTransferTests {
    private func run(
        _ source: PlanarImage<UInt8>, _ input: PlanarImage<Float>, _ output: PlanarImage<Float>, mode: DetailMode = .guided,
        strength: Float = 1, bands: Int = 1
    ) -> PlanarImage<UInt8> {
        let result = PlanarImage<UInt8>(width: source.width, height: source.height)
        let transfer = DetailTransfer(
            width: source.width, height: source.height, networkWidth: input.width, networkHeight: input.height, mode: mode,
            bands: bands)
        transfer(source: source, networkInput: input, networkOutput: output, strength: strength, into: result)
        return result
    }

    private struct Sizes: CustomTestStringConvertible {
        var full: (Int, Int), network: (Int, Int)
        var testDescription: String { "\(network) to \(full)" }
    }
    private static let sizes = [
        Sizes(full: (67, 45), network: (32, 16)), Sizes(full: (128, 96), network: (128, 96)),
        Sizes(full: (20, 11), network: (32, 16)), Sizes(full: (20, 50), network: (32, 16)),
        Sizes(full: (100, 9), network: (32, 16)), Sizes(full: (1, 1), network: (4, 4)),
        Sizes(full: (33, 17), network: (32, 16)), Sizes(full: (300, 7), network: (3, 2)),
    ]

    @Test(arguments: sizes) private func strengthZeroIsTheSource(sizes: Sizes) {
        let source = Picture.bytes(Picture.noise(width: sizes.full.0, height: sizes.full.1, seed: 1))
        let input = Picture.noise(width: sizes.network.0, height: sizes.network.1, seed: 2)
        let output = Picture.noise(width: sizes.network.0, height: sizes.network.1, seed: 3)
        for mode in DetailMode.allCases {
            let result = run(source, input, output, mode: mode, strength: 0)
            #expect(Picture.samples(result) == Picture.samples(source))
        }
    }

    @Test func strengthBlendsLinearly() {
        let source = Picture.bytes(Picture.noise(width: 67, height: 45, seed: 1))
        let input = Picture.noise(width: 32, height: 16, seed: 2)
        let output = Picture.noise(width: 32, height: 16, seed: 3, smooth: true)
        let (half, whole) = (run(source, input, output, strength: 0.5), run(source, input, output))
        for (s, (h, w)) in zip(Picture.samples(source), zip(Picture.samples(half), Picture.samples(whole))) {
            // The whole one is dithered and rounded (a level, halved here), the half one dithered half as much.
            #expect(abs(Double(h) - (Double(s) + Double(w)) / 2) <= 1.26)
        }
    }

    @Test func networkAtTheVideosSizePassesThrough() {
        let source = Picture.bytes(Picture.noise(width: 75, height: 33, seed: 1))
        let input = Picture.noise(width: 75, height: 33, seed: 2)
        let levels = Picture.bytes(Picture.noise(width: 75, height: 33, seed: 3))
        let output = Picture.map(levels) { Float($0) / 127.5 - 1 }
        for mode in DetailMode.allCases { #expect(Picture.samples(run(source, input, output, mode: mode)) == Picture.samples(levels)) }
    }

    @Test(arguments: sizes) private func modeNoneIsBicubic(sizes: Sizes) {
        let (width, height) = sizes.full
        let source = Picture.bytes(Picture.noise(width: width, height: height, seed: 1))
        let output = Picture.noise(width: sizes.network.0, height: sizes.network.1, seed: 3, smooth: true)
        let result = run(source, output, output, mode: .none)
        let reference = Bicubic.enlarge(output, width, height)
        for plane in 0..<3 {
            for y in 0..<height {
                for x in 0..<width {
                    let expected = (min(max(reference[plane][y][x], -1), 1) + 1) * 127.5
                    #expect(abs(Double(result[plane, y, x]) - expected) < 1)
                }
            }
        }
    }

    /// Flat up to the dither.
    @Test func flatPicturesStayFlat() {
        let source = Picture.map(Picture.constant(width: 97, height: 61, [0, 0, 0])) { _ in UInt8(90) }
        let grey = Picture.constant(width: 40, height: 20, [-0.29, -0.29, -0.29])
        let colour = Picture.constant(width: 40, height: 20, [-0.5, 0.25, 0.9])
        let result = run(source, grey, colour)
        for plane in 0..<3 {
            let expected = ([-0.5, 0.25, 0.9][plane] + 1) * 127.5
            let samples = (0..<61).flatMap { y in (0..<97).map { x in Double(result[plane, y, x]) } }
            #expect(samples.allSatisfy { abs($0 - expected) < 1 })
            // Half of the rounding's error is left of what a plane without a dither would have.
            #expect(abs(samples.reduce(0, +) / Double(samples.count) - expected) <= 0.26)
        }
    }

    /// What an affine map of the source's colours makes of it comes out at the source's own resolution.
    @Test func affineMapsComeThroughWhole() {
        let fixture = Fixture.load()
        func mapped(_ c: Int, _ rgb: [Double]) -> Double {
            let a = [[0.4, 0.1, 0.05, -0.3], [0.05, 0.3, 0.1, -0.4], [0.1, 0.1, 0.5, -0.1]][c]
            return a[0] * rgb[0] + a[1] * rgb[1] + a[2] * rgb[2] + a[3]
        }
        let output = PlanarImage<Float>(width: fixture.input.width, height: fixture.input.height)
        for y in 0..<output.height {
            for x in 0..<output.width {
                let rgb = (0..<3).map { Double(fixture.input[$0, y, x]) }
                for c in 0..<3 { output[c, y, x] = Float(mapped(c, rgb)) }
            }
        }
        let result = run(fixture.source, fixture.input, output)
        var squares = 0.0
        for y in 0..<result.height {
            for x in 0..<result.width {
                let rgb = (0..<3).map { Double(fixture.source[$0, y, x]) / 127.5 - 1 }
                for c in 0..<3 { squares += pow(Double(result[c, y, x]) - (mapped(c, rgb) + 1) * 127.5, 2) }
            }
        }
        #expect((squares / Double(3 * result.width * result.height)).squareRoot() < 2.5)
    }

    /// Where the network paints a flat picture, nothing of the source shows through, and no edge has a halo.
    @Test func flatOutputHasNoEdges() {
        let fixture = Fixture.load()
        let output = Picture.constant(width: fixture.input.width, height: fixture.input.height, [0, 0.1, -0.1])
        let result = run(fixture.source, fixture.input, output)
        for plane in 0..<3 {
            let expected = ([0, 0.1, -0.1][plane] + 1) * 127.5
            for y in 0..<result.height { for x in 0..<result.width { #expect(abs(Double(result[plane, y, x]) - expected) < 1.05) } }
        }
    }

    /// A step of the source that the network has coarsely: between its two sides nothing overshoots.
    @Test func stepsDoNotOvershoot() {
        let source = PlanarImage<UInt8>(width: 256, height: 128)
        for plane in 0..<3 { for y in 0..<128 { for x in 0..<256 { source[plane, y, x] = x + y / 4 < 140 ? 60 : 200 } } }
        let input = PlanarImage<Float>(width: 64, height: 32)
        Resampler(from: (256, 128), to: (64, 32), filter: .area)(Picture.map(source) { Float($0) / 127.5 - 1 }, into: input)
        // Beads along the edge, as networks paint them.
        let output = Picture.map(input) { $0 > 0 ? Float(0.6) : -0.8 }
        let result = run(source, input, output)
        let (dark, bright) = (Double(0.2 * 127.5), Double(1.6 * 127.5))
        var overshoot = 0.0
        for y in 8..<120 {
            for x in 16..<240 {
                overshoot = max(overshoot, dark - Double(result[0, y, x]), Double(result[0, y, x]) - bright)
            }
        }
        #expect(overshoot < 0.1 * (bright - dark))
        // As sharp as the source's: one sample on either side of the edge.
        for y in 16..<112 {
            let edge = (1..<256).first { source[0, y, $0] > 100 } ?? 0
            #expect(Int(result[0, y, edge]) - Int(result[0, y, edge - 1]) > 100)
        }
    }

    @Test(arguments: sizes) private func sixteenBitsAgreeWithEight(sizes: Sizes) {
        let source = Picture.bytes(Picture.noise(width: sizes.full.0, height: sizes.full.1, seed: 1))
        let input = Picture.noise(width: sizes.network.0, height: sizes.network.1, seed: 2)
        let output = Picture.noise(width: sizes.network.0, height: sizes.network.1, seed: 3)
        let wide = Picture.map(source) { UInt16($0) * 257 }
        for mode in DetailMode.allCases {
            let eight = run(source, input, output, mode: mode, strength: 0.8)
            let sixteen = PlanarImage<UInt16>(width: source.width, height: source.height)
            let transfer = DetailTransfer(
                width: source.width, height: source.height, networkWidth: input.width, networkHeight: input.height, mode: mode)
            transfer(source: wide, networkInput: input, networkOutput: output, strength: 0.8, into: sixteen)
            for (a, b) in zip(Picture.samples(eight), Picture.samples(sixteen)) {
                // Eight bits are dithered besides.
                #expect(abs(Double(a) - Double(b) / 257) <= 1)
            }
        }
    }

    @Test func sameForAnyNumberOfBands() {
        let fixture = Fixture.load()
        func three(_ bands: Int) -> [[UInt8]] {
            let transfer = DetailTransfer(
                width: fixture.source.width, height: fixture.source.height, networkWidth: fixture.input.width,
                networkHeight: fixture.input.height, bands: bands)
            var state: DetailState?
            return (0..<3).map { k in
                let result = PlanarImage<UInt8>(width: fixture.source.width, height: fixture.source.height)
                let output = Picture.map(fixture.output) { $0 * (1 - 0.1 * Float(k)) }
                state = transfer(
                    source: fixture.source, networkInput: fixture.input, networkOutput: output, after: state,
                    at: Double(k) / 25, into: result
                ) { DispatchQueue.concurrentPerform(iterations: $0, execute: $1) }
                return Picture.samples(result)
            }
        }
        let one = three(1)
        for bands in [2, 3, 7] { #expect(three(bands) == one) }
    }

    @Test func damagedNetworkOutputDoesNotCrash() {
        let source = Picture.bytes(Picture.noise(width: 67, height: 45, seed: 1))
        let output = Picture.constant(width: 32, height: 16, [.nan, .infinity, -.infinity])
        let result = run(source, Picture.noise(width: 32, height: 16, seed: 2), output)
        #expect(result.width == 67)
    }

    /// A crop of a real frame (see Fixture): the source's edges, in the network's light.
    @Test func realCropHasTheSourcesEdges() {
        let fixture = Fixture.load()
        func figures(_ mode: DetailMode) -> (correlation: Double, psnr: Double) {
            let result = run(fixture.source, fixture.input, fixture.output, mode: mode)
            let averaged = Metric.average(result, fixture.output.width, fixture.output.height)
            return (Metric.gradientCorrelation(result, fixture.source), Metric.psnr(averaged, fixture.output))
        }
        let (guided, bicubic) = (figures(.guided), figures(.none))
        #expect(abs(bicubic.correlation - 0.518) < 0.01)  // guards the metric itself
        #expect(guided.correlation > 0.85)
        #expect(guided.psnr > 23)
    }

    // MARK: - Lights

    /// A small light that the source does not show comes through; the beads that a network makes of a line do not.
    @Test func lightsAreKeptAndBeadsAreNot() {
        let source = Picture.map(Picture.constant(width: 512, height: 256, [0, 0, 0])) { _ in UInt8(100) }
        let input = Picture.constant(width: 128, height: 64, [-0.22, -0.22, -0.22])
        for c in 0..<3 {
            for x in 256..<480 { for y in 160..<168 { source[c, y, x] = 200 } }
            for x in 64..<120 { for y in 40..<42 { input[c, y, x] = 0.57 } }
        }
        let output = Picture.constant(width: 128, height: 64, [-0.9, -0.9, -0.9])
        for c in 0..<3 { for y in 19..<22 { for x in 29..<32 { output[c, y, x] = 0.9 } } }
        for c in 0..<3 { for x in 64..<120 { for y in 40..<42 { output[c, y, x] = x % 4 < 2 ? 0.4 : -1 } } }
        func light(_ share: Float) -> PlanarImage<UInt8> {
            let result = PlanarImage<UInt8>(width: 512, height: 256)
            let transfer = DetailTransfer(width: 512, height: 256, networkWidth: 128, networkHeight: 64, residual: share)
            transfer(source: source, networkInput: input, networkOutput: output, into: result)
            return result
        }
        let (none, half, all) = (light(0), light(0.5), light(1))
        #expect(none[0, 82, 122] < 60)
        #expect(all[0, 82, 122] > 200)
        #expect(half[0, 82, 122] > none[0, 82, 122] + 50 && half[0, 82, 122] < all[0, 82, 122] - 50)
        for x in 280..<460 { #expect(abs(Int(all[0, 164, x]) - Int(none[0, 164, x])) < 4) }
        #expect(none[0, 164, 360] > none[0, 180, 360] + 40)
    }

    // MARK: - Bars

    @Test func blackBarsStay() {
        let source = Picture.bytes(Picture.noise(width: 200, height: 120, seed: 1))
        for plane in 0..<3 {
            for y in 0..<120 { for x in 0..<200 where y < 15 || y >= 110 || x >= 180 { source[plane, y, x] = UInt8((x + y) % 4) } }
        }
        let input = PlanarImage<Float>(width: 64, height: 32)
        Resampler(from: (200, 120), to: (64, 32), filter: .area)(Picture.map(source) { Float($0) / 127.5 - 1 }, into: input)
        let output = Picture.map(input) { 0.3 - 0.5 * $0 }
        let result = run(source, input, output)
        for plane in 0..<3 {
            for y in 0..<120 {
                for x in 0..<200 {
                    if y < 15 || y >= 110 || x >= 180 { #expect(result[plane, y, x] == source[plane, y, x]) }
                }
            }
        }
        // Up to its border the picture is what it is without bars.
        let mean = (20..<170).reduce(0.0) { $0 + Double(result[0, 15, $1]) } / 150
        let inner = (20..<170).reduce(0.0) { $0 + Double(result[0, 60, $1]) } / 150
        #expect(abs(mean - inner) < 12)
        // A frame of nothing but black stays too.
        let black = Picture.map(source) { _ in UInt8(2) }
        #expect(Picture.samples(run(black, input, output)) == Picture.samples(black))
    }
}
