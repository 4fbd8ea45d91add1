internal import NeuralEngine

/// The last convolution, conv_img, rewritten to run before the nearest upsampling that precedes it.
///
/// Of the 3x3 window of an upsampled pixel, several taps fall on the same source pixel, so each of the four sub-pixels of
/// a source pixel sees a 2x2 window with the taps' sums as weights. The four are the outputs of one 3x3 convolution at
/// half the size, in the order (sub-pixel row, sub-pixel column, colour).
enum PictureConvolution {
    static func make(
        _ source: any WeightSource, algorithm: Convolution.Algorithm, _ instructionSet: InstructionSet
    ) throws -> Convolution {
        let inputs = source.configuration.ngf
        let weights = try source.tensor("conv_img.weight", shape: [3, inputs, 3, 3])
        let bias = try source.tensor("conv_img.bias", shape: [3])
        return try Convolution(
            .image, name: "conv_img", inputs: inputs, outputs: 12, weights: subPixels(weights, inputs: inputs),
            bias: (0..<12).map { bias[$0 % 3] }, algorithm: algorithm,
            instructionSet: instructionSet)
    }

    /// `[3][inputs][3][3]` at full size to `[2 rows][2 columns][3][inputs][3][3]` at half size.
    static func subPixels(_ weights: [Float], inputs: Int) -> [Float] {
        var result = [Float](repeating: 0, count: 12 * inputs * 9)
        for output in 0..<12 {
            let (row, column, colour) = (output / 6, output / 3 % 2, output % 3)
            for input in 0..<inputs {
                for tap in 0..<9 {
                    // The tap at offset d of sub-pixel p lies on source pixel floor((p + d) / 2), d in -1...1.
                    let y = (row + tap / 3 - 1) >> 1
                    let x = (column + tap % 3 - 1) >> 1
                    result[((output * inputs) + input) * 9 + (y + 1) * 3 + x + 1] +=
                        weights[(colour * inputs + input) * 9 + tap]
                }
            }
        }
        return result
    }
}
