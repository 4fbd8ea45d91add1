import Foundation
import Testing

@testable import TSIT

@Suite struct NetworkPartsTests {
    @Test func noiseIsGaussianAndTheSameEverywhere() {
        let noise = Noise.draw(seed: 42, count: 20_001)
        #expect(noise.count == 20_001)
        #expect(noise == Noise.draw(seed: 42, count: 20_001))
        #expect(Array(noise.prefix(7)) == Noise.draw(seed: 42, count: 7))
        #expect(noise.prefix(7) != Noise.draw(seed: 43, count: 7).prefix(7))
        // These bits are part of what --seed promises.
        #expect(Noise.draw(seed: 0, count: 4).map(\.bitPattern) == Self.firstOfSeedZero)
        let values = noise.map(Double.init)
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
        let kurtosis = values.reduce(0) { $0 + pow($1 - mean, 4) } / count / (variance * variance)
        #expect(abs(mean) < 0.03 && abs(variance - 1) < 0.04 && abs(kurtosis - 3) < 0.15)
        let beyondTwo = Double(values.count { abs($0) > 2 }) / count
        #expect(abs(beyondTwo - 0.0455) < 0.006)
    }

    static let firstOfSeedZero: [UInt32] = [0x3f7c_0a05, 0xbe34_1714, 0xbf36_49f8, 0xbe9f_eba1]

    @Test func logarithmIsExactToTheLastBits() {
        for x in [1e-300, 1e-9, 0.1, 0.5, 0.7, 0.999999, 1, 1.5, 1.999, 2, 10, 1e10] {
            #expect(abs(Noise.logarithm(x) - log(x)) <= 4e-16 * max(1, abs(log(x))), "\(x)")
        }
    }

    /// The four 2x2 convolutions at half the size give what the 3x3 one gives on the upsampled map.
    @Test func subPixelWeightsEqualUpsampling() {
        let (inputs, width, height) = (3, 5, 4)
        // Small integers: sums are exact in any order.
        let weights = (0..<3 * inputs * 9).map { Float(($0 * 7) % 11 - 5) }
        let map = (0..<inputs * width * height).map { Float(($0 * 5) % 13 - 6) }
        let subPixels = PictureConvolution.subPixels(weights, inputs: inputs)
        func at(_ c: Int, _ y: Int, _ x: Int) -> Float {
            (0..<height).contains(y) && (0..<width).contains(x) ? map[(c * height + y) * width + x] : 0
        }
        for colour in 0..<3 {
            for y in 0..<2 * height {
                for x in 0..<2 * width {
                    var expected: Float = 0
                    var result: Float = 0
                    let output = (y % 2 * 2 + x % 2) * 3 + colour
                    for c in 0..<inputs {
                        for tap in 0..<9 {
                            let (dy, dx) = (tap / 3 - 1, tap % 3 - 1)
                            expected += weights[(colour * inputs + c) * 9 + tap] * at(c, (y + dy) >> 1, (x + dx) >> 1)
                            result += subPixels[(output * inputs + c) * 9 + tap] * at(c, y / 2 + dy, x / 2 + dx)
                        }
                    }
                    #expect(result == expected, "\(colour) \(y) \(x)")
                }
            }
        }
    }

    @Test func differencesCountEveryElementAndNaN() {
        let difference = Difference([1, 2, 3, 4], from: [1, 2.5, 3, 3])
        #expect(difference.maximum == 1 && difference.mean == 0.375 && difference.count == 4)
        #expect(Difference([1, .nan, 1], from: [1, 1, 1]).maximum == .infinity)
        #expect(!Difference([.nan, 1], from: [1, 1]).isWithinBounds)
        #expect(!Difference([1, 1], from: [1, 1 + 1e-2]).isWithinBounds)
        #expect(Difference([1, 1], from: [1, 1]).isWithinBounds)
    }

    private func npy(_ header: String, _ data: [UInt8], version: UInt8 = 1) -> [UInt8] {
        let length = UInt16(header.utf8.count)
        let size: [UInt8] = version == 1 ? [UInt8(length & 255), UInt8(length >> 8)] : [UInt8(length & 255), UInt8(length >> 8), 0, 0]
        return [0x93] + Array("NUMPY".utf8) + [version, 0] + size + Array(header.utf8) + data
    }

    @Test func arraysOfNumPyAreRead() throws {
        let data: [UInt8] = [0, 0, 128, 63, 0, 0, 0, 192]  // 1, -2
        for version in [1, 2] as [UInt8] {
            let array = try NPYArray(
                npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n", data, version: version))
            #expect(array.shape == [1, 2] && array.values == [1, -2])
        }
        let flat = try NPYArray(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", data))
        #expect(flat.shape == [2])
    }

    @Test func damagedArraysAreRefused() {
        let good = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n", [0, 0, 128, 63, 0, 0, 0, 192])
        for count in 0..<good.count {
            #expect(throws: TSITError.self) { try NPYArray(Array(good.prefix(count))) }
        }
        for header in [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }", "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, -2), }", "{'descr': '<f4', 'fortran_order': False, 'shape': (x,), }",
            "{'descr': '<f4', 'fortran_order': False, }", "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4), }",
        ] {
            #expect(throws: TSITError.self) { try NPYArray(npy(header, [0, 0, 128, 63, 0, 0, 0, 192])) }
        }
        #expect(throws: TSITError.self) { try NPYArray(contentsOfFile: "/nonexistent.npy") }
    }
}

extension NetworkPartsTests {
    @Test func multiplyAddsAreThoseOfTheLayers() throws {
        // 2.79 and 11.02 thousand million at 512x256 for ngf 8 and 16, counted by hand from the specification.
        #expect(ModelConfiguration(ngf: 8).multiplyAdds(width: 512, height: 256) == 2_793_537_536)
        #expect(ModelConfiguration(ngf: 16).multiplyAdds(width: 512, height: 256) == 11_022_761_984)
        let benchmark = try NetworkBenchmark(ngf: 2, width: 256, height: 128, runs: 3, pool: NetworkTests.pool)
        #expect(benchmark.milliseconds.count == 3 && benchmark.minimum > 0 && benchmark.rate > 0)
        #expect(benchmark.minimum <= benchmark.median && benchmark.median <= benchmark.maximum)
        let layers = try LayerBenchmark(ngf: 2, width: 256, height: 128, runs: 2, threads: 2).layers
        #expect(layers.contains { $0.name == "up_3.norm_1, F(4x4, 3x3), float32" } && layers.last?.name.hasPrefix("conv_img") == true)
        #expect(layers.allSatisfy { $0.milliseconds > 0 })
    }
}
