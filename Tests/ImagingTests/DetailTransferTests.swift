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
            // The whole one is rounded (half a level, halved here), the half one too.
            #expect(abs(Double(h) - (Double(s) + Double(w)) / 2) <= 0.76)
        }
    }

    @Test func networkAtTheVideosSizePassesThrough() {
        let source = Picture.bytes(Picture.noise(width: 75, height: 33, seed: 1))
        let input = Picture.noise(width: 75, height: 33, seed: 2)
        let output = Picture.noise(width: 75, height: 33, seed: 3)
        for mode in DetailMode.allCases {
            #expect(Picture.samples(run(source, input, output, mode: mode)) == Picture.samples(Picture.bytes(output)))
        }
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
                    #expect(abs(Double(result[plane, y, x]) - expected) <= 0.501)
                }
            }
        }
    }

    @Test func flatPicturesStayFlat() {
        let source = Picture.map(Picture.constant(width: 97, height: 61, [0, 0, 0])) { _ in UInt8(90) }
        let grey = Picture.constant(width: 40, height: 20, [-0.29, -0.29, -0.29])
        let colour = Picture.constant(width: 40, height: 20, [-0.5, 0.25, 0.9])
        let result = run(source, grey, colour)
        for plane in 0..<3 {
            let expected = [UInt8(64), 159, 242][plane]
            #expect((0..<61).allSatisfy { y in (0..<97).allSatisfy { x in result[plane, y, x] == expected } })
        }
    }

    /// The detail above the network's resolution is the source's alone, and none of it changes what a network sample averages to.
    @Test func flatOutputKeepsItsAverage() {
        let fixture = Fixture.load()
        let output = Picture.constant(width: fixture.input.width, height: fixture.input.height, [0, 0.1, -0.1])
        let result = run(fixture.source, fixture.input, output)
        let averaged = Metric.average(result, fixture.input.width, fixture.input.height)
        #expect(Metric.psnr(averaged, output) > 45)
        #expect(Metric.gradientCorrelation(result, fixture.source) > 0.6)
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
                #expect(abs(Double(a) - Double(b) / 257) <= 0.51)
            }
        }
    }

    @Test func sameForAnyNumberOfBands() {
        let fixture = Fixture.load()
        let one = Picture.samples(run(fixture.source, fixture.input, fixture.output))
        for bands in [1, 2, 3, 7] {
            let result = PlanarImage<UInt8>(width: fixture.source.width, height: fixture.source.height)
            let transfer = DetailTransfer(
                width: fixture.source.width, height: fixture.source.height, networkWidth: fixture.input.width,
                networkHeight: fixture.input.height, bands: bands)
            for _ in 0..<2 {
                transfer(source: fixture.source, networkInput: fixture.input, networkOutput: fixture.output, into: result) {
                    DispatchQueue.concurrentPerform(iterations: $0, execute: $1)
                }
                #expect(Picture.samples(result) == one)
            }
        }
    }

    @Test func damagedNetworkOutputDoesNotCrash() {
        let source = Picture.bytes(Picture.noise(width: 67, height: 45, seed: 1))
        let output = Picture.constant(width: 32, height: 16, [.nan, .infinity, -.infinity])
        let result = run(source, Picture.noise(width: 32, height: 16, seed: 2), output)
        #expect(result.width == 67)
    }

    /// A crop of a real frame (see Fixture): more detail than bicubic, as true to the network.
    @Test func realCropKeepsDetailAndFidelity() {
        let fixture = Fixture.load()
        func figures(_ mode: DetailMode) -> (correlation: Double, psnr: Double) {
            let result = run(fixture.source, fixture.input, fixture.output, mode: mode)
            let averaged = Metric.average(result, fixture.output.width, fixture.output.height)
            return (Metric.gradientCorrelation(result, fixture.source), Metric.psnr(averaged, fixture.output))
        }
        let (guided, bicubic) = (figures(.guided), figures(.none))
        #expect(abs(bicubic.correlation - 0.518) < 0.005)  // guards the metric itself
        #expect(abs(bicubic.psnr - 41.06) < 0.05)
        #expect(guided.correlation > 0.78)
        #expect(guided.psnr >= bicubic.psnr - 1)
    }
}
