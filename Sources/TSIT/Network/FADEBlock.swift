internal import NeuralEngine

/// A FADE residual block of the generator (paper, section 3.3), with the FAdaIN before it folded into its batch norms.
///
/// dx = conv_1(act(FADE_1(conv_0(act(FADE_0(x)))))); the skip is x after FAdaIN, or conv_s(FADE_s(x)) where the width
/// changes; that 1x1 convolution is summed inside conv_1.
final class FADEBlock {
    /// What comes before the block.
    private var input: FAdaIN
    private let conv0, conv1: Convolution
    private let fade0, fade1: Convolution
    private let fadeS: Convolution?
    private let norm0, norm1: BatchNorm
    private let normS: BatchNorm?
    private let identity: Affine
    private let modulated: FeatureMap
    private let modulatedSkip: FeatureMap?
    private let inner: FeatureMap
    private let innerMoments: Moments?
    private let outputSlope: Float
    let output: FeatureMap
    /// The output's moments, for the FAdaIN of the next block.
    let moments: Moments?

    /// - Parameters:
    ///   - isFirst: the input has the block's size instead of half of it.
    ///   - isLast: the block feeds the picture's convolution: leaky ReLU goes into its output, and no moments are taken.
    init(
        _ weights: LayerWeights, inputs: Int, outputs: Int, size: (width: Int, height: Int), isFirst: Bool, isLast: Bool
    ) throws {
        input = FAdaIN(channels: inputs, isUpsampled: !isFirst)
        let isLearned = inputs != outputs
        func map(_ channels: Int) throws -> FeatureMap {
            try FeatureMap(channels: channels, width: size.width, height: size.height)
        }
        fade0 = try weights.fade("norm_0", inputs)
        fade1 = try weights.fade("norm_1", inputs)
        fadeS = isLearned ? try weights.fade("norm_s", inputs) : nil
        norm0 = try BatchNorm(weights, "norm_0", channels: inputs)
        norm1 = try BatchNorm(weights, "norm_1", channels: inputs)
        normS = isLearned ? try BatchNorm(weights, "norm_s", channels: inputs) : nil
        conv0 = try weights.plain("conv_0", inputs, inputs)
        conv1 = try weights.plain("conv_1", inputs, outputs, shortcut: isLearned ? "conv_s" : nil)
        identity = try Affine(channels: inputs)
        modulated = try map(inputs)
        modulatedSkip = isLearned ? try map(inputs) : nil
        inner = try map(inputs)
        output = try map(outputs)
        innerMoments =
            norm1.takesFrameStatistics
            ? try Moments(channels: inputs, width: size.width, height: size.height) : nil
        moments = isLast ? nil : try Moments(channels: outputs, width: size.width, height: size.height)
        outputSlope = isLast ? NetworkConstants.slope : 1
    }

    /// Takes the moments of the input that follows and the style's statistics of the same index.
    func adapt(_ moments: Moments, styleMeans: [Float], styleDeviations: [Float], alpha: Float) {
        input.adapt(moments, styleMeans: styleMeans, styleDeviations: styleDeviations, alpha: alpha)
    }

    /// Runs the block on `x`, whose moments it has adapted to, with the content's map of the same index.
    func callAsFunction(_ x: FeatureMap, content: FeatureMap, on pool: ThreadPool) {
        let slope = NetworkConstants.slope
        norm0.normalize(input)
        fade0.fade(content, modulating: .init(x, norm0.affine), slope: slope, into: modulated, on: pool)
        conv0(modulated, into: inner, moments: innerMoments, on: pool)
        norm1.normalize(innerMoments)
        fade1.fade(content, modulating: .init(inner, norm1.affine), slope: slope, into: modulated, on: pool)
        if let fadeS, let normS, let modulatedSkip {
            normS.normalize(input)
            fadeS.fade(content, modulating: .init(x, normS.affine), slope: 1, into: modulatedSkip, on: pool)
            conv1(modulated, pointwise: modulatedSkip, slope: outputSlope, into: output, moments: moments, on: pool)
        } else {
            for (index, channel) in input.channels.enumerated() {
                identity.set(index, scale: channel.scale, shift: channel.shift)
            }
            conv1(
                modulated, skip: .init(x, identity), slope: outputSlope, into: output, moments: moments, on: pool)
        }
    }

    /// The output before the leaky ReLU that the last block puts into it; layout `[channels][height][width]`.
    var trace: [Float] { output.values.map { $0 < 0 ? $0 / outputSlope : $0 } }
}
