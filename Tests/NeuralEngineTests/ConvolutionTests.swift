import Testing

@testable import NeuralEngine

/// Every instruction set's convolutions against the scalar twin in double precision, over sizes with remainders.
@Suite struct ConvolutionTests {
    static let pool = ThreadPool(threads: 2)
    static let sets = InstructionSet.available
    /// Height and width: every tile of 12, 8, 6, 4, 2 and 1 pixels, alone and after others.
    static let sizes = [(1, 1), (1, 2), (2, 3), (3, 4), (1, 5), (2, 6), (1, 7), (2, 12), (3, 13), (1, 27), (5, 31)]
    /// Inputs and outputs: parts of a block, whole blocks, odd numbers of blocks and of vectors.
    static let widths = [(1, 1), (2, 4), (3, 8), (5, 16), (8, 5), (16, 17), (17, 32), (20, 36), (33, 48), (48, 31)]

    @Test(arguments: sets) func plain(set: InstructionSet) throws {
        var values = Values(1)
        for (height, width) in Self.sizes {
            for (inputs, outputs) in Self.widths {
                for taps in [1, 3] {
                    let input = values.draw(inputs * height * width)
                    let weights = values.draw(outputs * inputs * taps * taps)
                    let bias = values.draw(outputs)
                    let convolution = try Convolution(
                        .plain, inputs: inputs, outputs: outputs, taps: taps, weights: weights, bias: bias, instructionSet: set)
                    let output = try FeatureMap(channels: outputs, width: width, height: height)
                    convolution(try FeatureMap(inputs, height, width, input), slope: 0.2, into: output, on: Self.pool)
                    let twin = Twin(channels: inputs, height: height, width: width, values: input)
                        .convolved(weights, outputs: outputs, taps: taps, bias: bias).activated(0.2)
                    let mismatch = twin.mismatch(output.values, terms: inputs * taps * taps)
                    #expect(mismatch == nil, "\(inputs) to \(outputs), \(taps)x\(taps), \(height) x \(width)")
                    #expect(output.paddingIsZero)
                }
            }
        }
    }

    /// Sizes of whole and part tiles, of one item and several, shared and not.
    @Test(arguments: sets, Convolution.Algorithm.Tile.allCases)
    func winograd(set: InstructionSet, tile: Convolution.Algorithm.Tile) throws {
        var values = Values(20)
        let workspace = Workspace(threads: 2)
        for (height, width) in [(1, 1), (4, 4), (3, 5), (8, 16), (9, 30), (20, 33), (100, 64), (6, 700)] {
            for (inputs, outputs) in [(1, 1), (16, 16), (20, 36), (33, 8), (48, 80)] where height * width * inputs < 90_000 {
                let input = values.draw(inputs * height * width)
                let weights = values.draw(outputs * inputs * 9)
                let bias = values.draw(outputs)
                let skip = try FeatureMap(outputs, height, width, values.draw(outputs * height * width))
                let affine = try Affine.drawn(outputs, &values)
                let convolution = try Convolution(
                    .plain, inputs: inputs, outputs: outputs, weights: weights, bias: bias,
                    algorithm: .winograd(workspace, width: width, height: height, .float32, tile: tile), instructionSet: set)
                let output = try FeatureMap(channels: outputs, width: width, height: height)
                let moments = try Moments(channels: outputs, width: width, height: height)
                convolution(
                    try FeatureMap(inputs, height, width, input), skip: .init(skip, affine), slope: 0.2, into: output,
                    moments: moments, on: Self.pool)
                let twin = Twin(channels: inputs, height: height, width: width, values: input)
                    .convolved(weights, outputs: outputs, taps: 3, bias: bias)
                    .plus(Twin(channels: outputs, height: height, width: width, values: skip.values).affine(affine))
                    .activated(0.2)
                // The transforms add up and scale: 16 times the rounding of the sum itself.
                #expect(
                    twin.mismatch(output.values, terms: 16 * inputs * 9) == nil,
                    "\(inputs) to \(outputs), \(height) x \(width)")
                #expect(output.paddingIsZero)
                expectMoments(moments, of: output.values, count: height * width)
            }
        }
    }

    /// bfloat16 keeps 8 bits of the transformed values: the error of an output is a small share of what was added up, and over
    /// all outputs it is that of rounding, not of a wrong sum.
    @Test(arguments: sets.filter { $0.supports(.bfloat16) }) func winogradInBfloat16(set: InstructionSet) throws {
        var values = Values(21)
        let workspace = Workspace(threads: 2)
        for (height, width, inputs, outputs) in [
            (4, 4, 1, 1), (5, 7, 16, 16), (8, 16, 17, 36), (20, 33, 33, 8), (100, 64, 8, 8), (12, 40, 48, 80),
        ] {
            let input = values.draw(inputs * height * width)
            let weights = values.draw(outputs * inputs * 9)
            let bias = values.draw(outputs)
            let convolution = try Convolution(
                .plain, inputs: inputs, outputs: outputs, weights: weights, bias: bias,
                algorithm: .winograd(workspace, width: width, height: height, .bfloat16), instructionSet: set)
            let output = try FeatureMap(channels: outputs, width: width, height: height)
            convolution(try FeatureMap(inputs, height, width, input), into: output, on: Self.pool)
            let twin = Twin(channels: inputs, height: height, width: width, values: input)
                .convolved(weights, outputs: outputs, taps: 3, bias: bias)
            let errors = zip(output.values, twin.values).map { Double($0) - $1 }
            let energy = twin.values.reduce(0) { $0 + $1 * $1 }
            let relative = (errors.reduce(0) { $0 + $1 * $1 } / energy).squareRoot()
            #expect(relative < 0.02 && relative > 1e-5, "\(inputs) to \(outputs): \(relative)")
            let largest = twin.magnitudes.max() ?? 0
            #expect(errors.allSatisfy { abs($0) < 0.05 * largest }, "\(inputs) to \(outputs)")
            #expect(output.paddingIsZero)
        }
    }

    /// Against the twin of rounded inputs and weights, which differs by sums alone.
    @Test(arguments: sets.filter { $0.supports(.bfloat16) }) func pointwiseInBfloat16(set: InstructionSet) throws {
        var values = Values(23)
        func rounded(_ values: [Float]) -> [Float] {
            values.map { value in
                let bits = value.bitPattern
                return Float(bitPattern: (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
            }
        }
        for (height, width) in Self.sizes {
            for (inputs, outputs) in Self.widths {
                let input = values.draw(inputs * height * width)
                let weights = values.draw(outputs * inputs)
                let bias = values.draw(outputs)
                let convolution = try Convolution(
                    .plain, inputs: inputs, outputs: outputs, taps: 1, weights: weights, bias: bias, algorithm: .direct(.bfloat16),
                    instructionSet: set)
                let output = try FeatureMap(channels: outputs, width: width, height: height)
                convolution(try FeatureMap(inputs, height, width, input), slope: 0.2, into: output, on: Self.pool)
                let twin = Twin(channels: inputs, height: height, width: width, values: rounded(input))
                    .convolved(rounded(weights), outputs: outputs, taps: 1, bias: bias).activated(0.2)
                let mismatch = twin.mismatch(output.values, terms: inputs)
                #expect(mismatch == nil, "\(inputs) to \(outputs), \(height) x \(width)")
                #expect(output.paddingIsZero)
            }
        }
    }

    @Test(arguments: sets) func manyItems(set: InstructionSet) throws {
        var values = Values(10)
        let (height, width, channels) = (50, 256, 36)
        let input = values.draw(channels * height * width)
        let weights = values.draw(channels * channels * 9)
        let convolution = try Convolution(
            .plain, inputs: channels, outputs: channels, weights: weights, instructionSet: set)
        let output = try FeatureMap(channels: channels, width: width, height: height)
        let moments = try Moments(channels: channels, width: width, height: height)
        convolution(try FeatureMap(channels, height, width, input), into: output, moments: moments, on: Self.pool)
        let twin = Twin(channels: channels, height: height, width: width, values: input)
            .convolved(weights, outputs: channels, taps: 3)
        #expect(twin.mismatch(output.values, terms: channels * 9) == nil)
        #expect(output.paddingIsZero)
        expectMoments(moments, of: output.values, count: height * width)
    }

    @Test(arguments: sets) func skipAndPointwise(set: InstructionSet) throws {
        var values = Values(2)
        for (height, width) in [(2, 2), (2, 6), (4, 14), (2, 26)] {
            for (inputs, outputs) in [(4, 2), (16, 8), (32, 16), (20, 20), (48, 48)] {
                let input = values.draw(inputs * height * width)
                let second = values.draw(inputs * height * width)
                let weights = values.draw(outputs * inputs * 9)
                let shortcut = values.draw(outputs * inputs)
                let bias = values.draw(outputs)
                let twin = Twin(channels: inputs, height: height, width: width, values: input)
                    .convolved(weights, outputs: outputs, taps: 3, bias: bias)
                let shortcutTwin = Twin(channels: inputs, height: height, width: width, values: second)
                    .convolved(shortcut, outputs: outputs, taps: 1)
                let map = try FeatureMap(inputs, height, width, input)
                let output = try FeatureMap(channels: outputs, width: width, height: height)
                let summed = try Convolution(
                    .plain, inputs: inputs, outputs: outputs, pointwiseInputs: inputs, weights: weights, second: shortcut,
                    bias: bias, instructionSet: set)
                summed(map, pointwise: try FeatureMap(inputs, height, width, second), into: output, on: Self.pool)
                #expect(twin.plus(shortcutTwin).mismatch(output.values, terms: inputs * 10) == nil)
                #expect(output.paddingIsZero)

                let convolution = try Convolution(
                    .plain, inputs: inputs, outputs: outputs, weights: weights, bias: bias, instructionSet: set)
                let affine = try Affine.drawn(outputs, &values)
                for factor in [1, 2] {
                    let skip = values.draw(outputs * (height / factor) * (width / factor))
                    let small = Twin(channels: outputs, height: height / factor, width: width / factor, values: skip)
                        .affine(affine)
                    let skipMap = try FeatureMap(outputs, height / factor, width / factor, skip)
                    convolution(map, skip: .init(skipMap, affine), slope: 0.2, into: output, on: Self.pool)
                    let sum = twin.plus(factor == 1 ? small : small.upsampled).activated(0.2)
                    #expect(sum.mismatch(output.values, terms: inputs * 9) == nil, "factor \(factor)")
                    #expect(output.paddingIsZero)
                }
            }
        }
    }

    @Test(arguments: sets, [false, true]) func fade(set: InstructionSet, isWinograd: Bool) throws {
        var values = Values(3)
        let workspace = Workspace(threads: 2)
        for (height, width) in [(2, 2), (2, 4), (2, 10), (4, 26), (2, 32)] {
            for channels in [1, 4, 8, 16, 20, 33, 48] {
                let content = values.draw(channels * height * width)
                let (gamma, beta) = (values.draw(channels * channels * 9), values.draw(channels * channels * 9))
                let (gammaBias, betaBias) = (values.draw(channels), values.draw(channels))
                let convolution = try Convolution(
                    .fade, inputs: channels, outputs: channels, weights: gamma, second: beta, bias: gammaBias,
                    secondBias: betaBias,
                    algorithm: isWinograd ? .winograd(workspace, width: width, height: height, .float32) : .direct(.float32),
                    instructionSet: set)
                let affine = try Affine.drawn(channels, &values)
                let contentTwin = Twin(channels: channels, height: height, width: width, values: content)
                let gammaTwin = contentTwin.convolved(gamma, outputs: channels, taps: 3, bias: gammaBias.map { $0 + 1 })
                let betaTwin = contentTwin.convolved(beta, outputs: channels, taps: 3, bias: betaBias)
                for (slope, factors) in [(1 as Float, [1]), (0.2, [1]), (0.2, [2]), (0.2, [2, 1, 2])] {
                    var twins: [Twin] = []
                    let parts = try factors.map { factor in
                        let x = values.draw(channels * (height / factor) * (width / factor))
                        let small = Twin(channels: channels, height: height / factor, width: width / factor, values: x)
                            .affine(affine)
                        let normal = factor == 1 ? small : small.upsampled
                        twins.append(normal.combined(gammaTwin, *, magnitude: *).plus(betaTwin).activated(slope))
                        let map = try FeatureMap(channels, height / factor, width / factor, x)
                        let output = try FeatureMap(channels: channels, width: width, height: height)
                        return Modulations.Part(.init(map, affine), output: output, slope: slope)
                    }
                    convolution.fade(
                        try FeatureMap(channels, height, width, content), Modulations(parts), on: Self.pool)
                    for (part, twin) in zip(parts, twins) {
                        let mismatch = twin.mismatch(part.output.values, terms: (isWinograd ? 16 : 1) * channels * 9 + 8)
                        #expect(mismatch == nil, "\(channels) channels, \(height) x \(width), factors \(factors)")
                        #expect(part.output.paddingIsZero)
                    }
                }
            }
        }
    }

    /// Two norms stacked give the bits that each gives alone.
    @Test(arguments: sets, [false, true]) func stackedFade(set: InstructionSet, isWinograd: Bool) throws {
        var values = Values(33)
        let workspace = Workspace(threads: 2)
        let (height, width) = (10, 14)
        let algorithm = isWinograd ? Convolution.Algorithm.winograd(workspace, width: width, height: height, .float32) : .direct(.float32)
        for channels in [4, 16, 20, 48] {
            let content = try FeatureMap(channels, height, width, values.draw(channels * height * width))
            let gammas = (0..<2).map { _ in values.draw(channels * channels * 9) }
            let betas = (0..<2).map { _ in values.draw(channels * channels * 9) }
            let biases = (0..<2).map { _ in values.draw(channels) }
            func part(_ norm: Int, _ x: FeatureMap, _ affine: Affine) throws -> Modulations.Part {
                let output = try FeatureMap(channels: channels, width: width, height: height)
                return Modulations.Part(.init(x, affine), output: output, norm: norm, slope: norm == 0 ? 0.2 : 1)
            }
            func stacked(_ parts: [[Float]]) -> Convolution.Tensor {
                .stacked(parts.map { Convolution.Tensor($0) }, outputs: channels)
            }
            let gamma = stacked(gammas)
            let both = try Convolution(
                .fade, inputs: channels, outputs: gamma.count / (channels * 9), weights: gamma, second: stacked(betas),
                bias: stacked(biases).values, secondBias: stacked(biases.reversed()).values, algorithm: algorithm, instructionSet: set)
            let inputs = try (0..<2).map { _ in
                (try FeatureMap(channels, height, width, values.draw(channels * height * width)), try Affine.drawn(channels, &values))
            }
            let parts = try (0..<2).map { try part($0, inputs[$0].0, inputs[$0].1) }
            both.fade(content, Modulations(parts, norms: 2), on: Self.pool)
            for norm in 0..<2 {
                let single = try Convolution(
                    .fade, inputs: channels, outputs: channels, weights: gammas[norm], second: betas[norm], bias: biases[norm],
                    secondBias: biases[1 - norm], algorithm: algorithm, instructionSet: set)
                var alone = try part(norm, inputs[norm].0, inputs[norm].1)
                alone.norm = 0
                single.fade(content, Modulations([alone]), on: Self.pool)
                #expect(alone.output.values == parts[norm].output.values, "\(channels) channels, norm \(norm)")
                #expect(parts[norm].output.paddingIsZero)
            }
        }
    }

    @Test(arguments: sets) func planar(set: InstructionSet) throws {
        var values = Values(4)
        for (height, width) in Self.sizes {
            for outputs in [1, 8, 16, 33] {
                for taps in [1, 3] {
                    let input = values.draw(3 * height * width)
                    let weights = values.draw(outputs * 3 * taps * taps)
                    let bias = values.draw(outputs)
                    let convolution = try Convolution(
                        .planar, inputs: 3, outputs: outputs, taps: taps, weights: weights, bias: bias, instructionSet: set)
                    let map = try PlanarMap(channels: 3, width: width, height: height)
                    map.load(input)
                    let output = try FeatureMap(channels: outputs, width: width, height: height)
                    convolution(map, into: output, on: Self.pool)
                    let twin = Twin(channels: 3, height: height, width: width, values: input)
                        .convolved(weights, outputs: outputs, taps: taps, bias: bias)
                    #expect(twin.mismatch(output.values, terms: 27) == nil, "\(outputs) outputs, \(height) x \(width)")
                    #expect(output.paddingIsZero)
                }
            }
        }
    }

    @Test(arguments: sets) func planarToPlanar(set: InstructionSet) throws {
        var values = Values(5)
        for (height, width) in Self.sizes + [(3, 16), (2, 33)] {
            let input = values.draw(3 * height * width)
            let weights = values.draw(81)
            let convolution = try Convolution(.planar3, inputs: 3, outputs: 3, weights: weights, instructionSet: set)
            let map = try PlanarMap(channels: 3, width: width, height: height)
            let output = try PlanarMap(channels: 3, width: width, height: height)
            let moments = try Moments(channels: 3, width: width, height: height, planar: true)
            map.load(input)
            convolution(map, into: output, moments: moments, on: Self.pool)
            let twin = Twin(channels: 3, height: height, width: width, values: input)
                .convolved(weights, outputs: 3, taps: 3)
            #expect(twin.mismatch(output.values, terms: 27) == nil, "\(height) x \(width)")
            expectMoments(moments, of: output.values, count: height * width)
        }
    }

    @Test(arguments: sets, [false, true]) func image(set: InstructionSet, isWinograd: Bool) throws {
        var values = Values(6)
        let workspace = Workspace(threads: 2)
        for (height, width) in Self.sizes {
            for inputs in [2, 8, 16, 20] {
                let input = values.draw(inputs * height * width)
                let weights = values.draw(12 * inputs * 9)
                let bias = values.draw(12)
                let convolution = try Convolution(
                    .image, inputs: inputs, outputs: 12, weights: weights, bias: bias,
                    algorithm: isWinograd ? .winograd(workspace, width: width, height: height, .float32) : .direct(.float32),
                    instructionSet: set)
                let stride = 2 * width + 3
                let plane = stride * 2 * height
                var picture = [Float](repeating: 7, count: 3 * plane)
                let map = try FeatureMap(inputs, height, width, input)
                picture.withUnsafeMutableBufferPointer { all in
                    let planes = (0..<3).map { UnsafeMutableBufferPointer(rebasing: all[($0 * plane)..<(($0 + 1) * plane)]) }
                    convolution.draw(
                        map, red: planes[0], green: planes[1], blue: planes[2], rowStride: stride, on: Self.pool)
                }
                let twin = Twin(channels: inputs, height: height, width: width, values: input)
                    .convolved(weights, outputs: 12, taps: 3, bias: bias)
                var worst = 0.0
                for colour in 0..<3 {
                    for y in 0..<2 * height {
                        for x in 0..<2 * width {
                            let expected = twin.at((y % 2 * 2 + x % 2) * 3 + colour, y / 2, x / 2)
                            worst = max(worst, abs(tanhOf(expected) - Double(picture[colour * plane + y * stride + x])))
                        }
                        let line = colour * plane + y * stride
                        #expect(picture[(line + 2 * width)..<(line + stride)].allSatisfy { $0 == 7 })
                    }
                }
                #expect(worst < (isWinograd ? 2e-5 : 4e-6), "\(inputs) inputs, \(height) x \(width)")
            }
        }
    }

    private func tanhOf(_ v: Double) -> Double {
        // (exp(2v) - 1) / (exp(2v) + 1) by halving: tanh(2a) = 2 tanh(a) / (1 + tanh(a)^2), and tanh(a) = a - a^3/3 for tiny a.
        guard abs(v) > 1e-4 else { return v - v * v * v / 3 }
        let half = tanhOf(v / 2)
        return 2 * half / (1 + half * half)
    }

    @Test func wrongShapesAreRefused() {
        #expect(throws: NeuralError.self) { try Convolution(.plain, inputs: 2, outputs: 2, weights: [1, 2, 3]) }
        #expect(throws: NeuralError.self) {
            try Convolution(.plain, inputs: 1, outputs: 1, taps: 5, weights: .init(repeating: 0, count: 25))
        }
        #expect(throws: NeuralError.self) { try FeatureMap(channels: 0, width: 1, height: 1) }
        for side in [1 << 20, 1 << 24] {
            #expect(throws: NeuralError.self) { try FeatureMap(channels: side, width: side, height: side) }
            #expect(throws: NeuralError.self) { try PlanarMap(channels: side, width: side, height: side) }
        }
    }
}

func expectMoments(_ moments: Moments, of values: [Float], count: Int, _ comment: Comment? = nil) {
    for channel in 0..<moments.channels {
        let plane = values[(channel * count)..<((channel + 1) * count)].map(Double.init)
        let mean = plane.reduce(0, +) / Double(count)
        let variance = plane.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
        let scale = plane.map(abs).max() ?? 0
        #expect(abs(moments.mean(channel) - mean) <= 1e-6 * scale, comment)
        #expect(abs(moments.variance(channel) - variance) <= 2e-6 * scale * scale, comment)
    }
}
