import Testing

@testable import NeuralEngine

@Suite struct NormalizationTests {
    static let pool = ThreadPool(threads: 2)

    @Test(arguments: InstructionSet.available) func momentsOfAConvolution(set: InstructionSet) throws {
        var values = Values(7)
        for (height, width) in ConvolutionTests.sizes where height * width > 1 {
            for channels in [1, 8, 17, 48] {
                let weights = values.draw(channels * channels * 9)
                // A bias far from zero: squares of the mean must not swamp the deviations.
                let convolution = try Convolution(
                    .plain, inputs: channels, outputs: channels, weights: weights,
                    bias: .init(repeating: 100, count: channels), instructionSet: set)
                let output = try FeatureMap(channels: channels, width: width, height: height)
                let moments = try Moments(channels: channels, width: width, height: height)
                let input = try FeatureMap(channels, height, width, values.draw(channels * height * width))
                convolution(input, into: output, moments: moments, on: Self.pool)
                expectMoments(moments, of: output.values, count: height * width, "\(channels), \(height) x \(width)")
            }
        }
    }

    @Test func momentsOfALargeMeanKeepTheDeviations() throws {
        let map = try FeatureMap(channels: 1, width: 64, height: 32)
        let moments = try Moments(channels: 1, width: 64, height: 32)
        let identity = try Convolution(.plain, inputs: 1, outputs: 1, taps: 1, weights: [1])
        map.values = (0..<64 * 32).map { 4096 + ($0 % 2 == 0 ? 0.5 : -0.5) }
        identity(map, into: try FeatureMap(channels: 1, width: 64, height: 32), moments: moments, on: Self.pool)
        #expect(moments.mean(0) == 4096)
        #expect(moments.variance(0) == 0.25)
        #expect(moments.unbiasedVariance(0, repeated: 4) == 0.25 * 8192 / 8191)
    }

    @Test(arguments: InstructionSet.available) func applyAndJoin(set: InstructionSet) throws {
        var values = Values(8)
        let passes = try Normalization(instructionSet: set)
        for (height, width) in [(1, 2), (2, 1), (2, 2), (4, 6), (6, 14), (2, 34), (128, 256)] {
            for channels in [3, 16, 20] {
                let main = values.draw(channels * height * width), skip = values.draw(channels * height * width)
                let affine = try Affine.drawn(channels, &values), skipAffine = try Affine.drawn(channels, &values)
                func twin(_ values: [Float]) -> Twin {
                    Twin(channels: channels, height: height, width: width, values: values)
                }
                let map = try FeatureMap(channels, height, width, main)
                passes.apply(affine, slope: 0.2, to: map, on: Self.pool)
                let normal = twin(main).affine(affine).activated(0.2)
                #expect(normal.mismatch(map.values, terms: 2) == nil)
                #expect(map.paddingIsZero)

                let skipMap = try FeatureMap(channels, height, width, skip)
                let moments = try Moments(channels: channels, width: width, height: height)
                for isNormalized in [false, true] {
                    map.values = main
                    let halved = height > 1 && width > 1
                        ? try FeatureMap(channels: channels, width: width / 2, height: height / 2) : nil
                    let joined = isNormalized ? Normalization.Skip.normalized(skipMap, skipAffine) : .map(skipMap)
                    passes.join(
                        map, affine, joined, slope: 0.2, into: .whole(halved: halved, moments: moments), on: Self.pool)
                    let other = isNormalized ? twin(skip).affine(skipAffine).activated(0.2) : twin(skip)
                    #expect(normal.plus(other).mismatch(map.values, terms: 4) == nil)
                    #expect(map.paddingIsZero)
                    expectMoments(moments, of: map.values, count: height * width)
                    if let halved {
                        let all = map.values
                        let even = (0..<channels * (height / 2) * (width / 2)).map { i in
                            let (x, line) = (i % (width / 2), i / (width / 2))
                            let (y, channel) = (line % (height / 2), line / (height / 2))
                            return all[(channel * height + 2 * y) * width + 2 * x]
                        }
                        #expect(halved.values == even)
                        #expect(halved.paddingIsZero)
                        map.values = main
                        halved.values = even.map { _ in 7 }
                        passes.join(map, affine, joined, slope: 0.2, into: .halved(halved), on: Self.pool)
                        #expect(halved.values == even)
                        #expect(map.values == main)
                    }
                }
            }
        }
    }

    /// A convolution of colours on the fly gives what a stored one gives.
    @Test(arguments: InstructionSet.available) func coloursOnTheFly(set: InstructionSet) throws {
        var values = Values(12)
        let passes = try Normalization(instructionSet: set)
        for (height, width) in [(1, 1), (2, 3), (6, 37), (40, 16)] {
            for channels in [1, 8, 16, 33] {
                let picture = try PlanarMap(channels: 3, width: width, height: height)
                picture.load(values.draw(3 * height * width))
                let weights = values.draw(channels * 3)
                let stored = try Convolution(.planar, inputs: 3, outputs: channels, taps: 1, weights: weights, instructionSet: set)
                let skip = try FeatureMap(channels: channels, width: width, height: height)
                let moments = try (0..<2).map { _ in try Moments(channels: channels, width: width, height: height) }
                stored(picture, into: skip, moments: moments[0], on: Self.pool)
                let colours = try ColourConvolution(name: "", outputs: channels, weights: weights)
                passes.measure(colours, of: picture, into: moments[1], on: Self.pool)
                let (affine, skipAffine) = (try Affine.drawn(channels, &values), try Affine.drawn(channels, &values))
                let main = values.draw(channels * height * width)
                let results = try [.normalized(skip, skipAffine), .colours(colours, picture, skipAffine)].map {
                    (shortcut: Normalization.Skip) in
                    let map = try FeatureMap(channels, height, width, main)
                    passes.join(map, affine, shortcut, slope: 0.2, into: .whole(halved: nil, moments: nil), on: Self.pool)
                    #expect(map.paddingIsZero)
                    return map.values
                }
                #expect(results[0] == results[1])
                for channel in 0..<channels {
                    #expect(moments[0].mean(channel) == moments[1].mean(channel))
                    #expect(moments[0].variance(channel) == moments[1].variance(channel))
                }
            }
        }
    }

    @Test(arguments: InstructionSet.available) func applyToPlanes(set: InstructionSet) throws {
        var values = Values(9)
        let passes = try Normalization(instructionSet: set)
        for (height, width) in ConvolutionTests.sizes + [(40, 512)] {
            let input = values.draw(3 * height * width)
            let affine = try Affine.drawn(3, &values)
            let map = try PlanarMap(channels: 3, width: width, height: height)
            map.load(input)
            passes.apply(affine, slope: 0.2, to: map, on: Self.pool)
            let twin = Twin(channels: 3, height: height, width: width, values: input).affine(affine).activated(0.2)
            #expect(twin.mismatch(map.values, terms: 2) == nil)
            let stored = (0..<map.storage.count).count { map.storage.base[$0] != 0 }
            #expect(stored == map.values.count { $0 != 0 }, "the border stays zero")
        }
    }
}
