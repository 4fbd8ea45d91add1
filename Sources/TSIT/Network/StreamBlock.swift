internal import NeuralEngine

/// A residual block of a stream at one resolution: convolution, instance norm, leaky ReLU, twice, plus a skip, which goes
/// through a 1x1 convolution, norm and leaky ReLU of its own where the width changes (paper, section 3.2).
final class StreamBlock {
    private let conv0, conv1: Convolution
    private let convS: Convolution?
    private let inner: FeatureMap
    private let skip: FeatureMap?
    /// The block's output: the stream's feature map.
    let output: FeatureMap
    private let norm0, norm1, normS: InstanceNorm

    /// `inputs` to `outputs` channels.
    init(_ weights: LayerWeights, inputs: Int, outputs: Int) throws {
        let size = weights.size
        conv0 = try weights.normalized(.plain, "conv_0", inputs, inputs)
        conv1 = try weights.normalized(.plain, "conv_1", inputs, outputs)
        inner = try FeatureMap(channels: inputs, width: size.width, height: size.height)
        output = try FeatureMap(channels: outputs, width: size.width, height: size.height)
        norm0 = try InstanceNorm(channels: inputs, size: size)
        norm1 = try InstanceNorm(channels: outputs, size: size)
        normS = try InstanceNorm(channels: outputs, size: size)
        if inputs == outputs {
            convS = nil
            skip = nil
        } else {
            convS = try weights.normalized(.plain, "conv_s", inputs, outputs, taps: 1)
            skip = try FeatureMap(channels: outputs, width: size.width, height: size.height)
        }
    }

    /// Runs the block on `x`; `result` says what its output is wanted for.
    func callAsFunction(
        _ x: FeatureMap, into result: Normalization.Joined, passes: Normalization, on pool: ThreadPool
    ) {
        conv0(x, into: inner, moments: norm0.moments, on: pool)
        passes.apply(norm0.affine(), slope: NetworkConstants.slope, to: inner, on: pool)
        conv1(inner, into: output, moments: norm1.moments, on: pool)
        var shortcut = Normalization.Skip.map(x)
        if let convS, let skip {
            convS(x, into: skip, moments: normS.moments, on: pool)
            shortcut = .normalized(skip, normS.affine())
        }
        passes.join(output, norm1.affine(), shortcut, slope: NetworkConstants.slope, into: result, on: pool)
    }
}

/// The first block of a stream: a `StreamBlock` whose input is a picture of three planes.
final class PictureBlock {
    private let conv0, conv1: Convolution
    private let convS: ColourConvolution
    private let inner: PlanarMap
    let picture: PlanarMap
    let output: FeatureMap
    private let norm0, norm1, normS: InstanceNorm

    /// Three to `outputs` channels.
    init(_ weights: LayerWeights, outputs: Int) throws {
        let size = weights.size
        conv0 = try weights.normalized(.planar3, "conv_0", 3, 3)
        conv1 = try weights.normalized(.planar, "conv_1", 3, outputs)
        convS = try weights.colours("conv_s", outputs)
        picture = try PlanarMap(channels: 3, width: size.width, height: size.height)
        inner = try PlanarMap(channels: 3, width: size.width, height: size.height)
        output = try FeatureMap(channels: outputs, width: size.width, height: size.height)
        norm0 = try InstanceNorm(channels: 3, size: size, planar: true)
        norm1 = try InstanceNorm(channels: outputs, size: size)
        normS = try InstanceNorm(channels: outputs, size: size)
    }

    /// Runs the block on what `picture` holds.
    func callAsFunction(into result: Normalization.Joined, passes: Normalization, on pool: ThreadPool) {
        conv0(picture, into: inner, moments: norm0.moments, on: pool)
        passes.apply(norm0.affine(), slope: NetworkConstants.slope, to: inner, on: pool)
        conv1(inner, into: output, moments: norm1.moments, on: pool)
        passes.measure(convS, of: picture, into: normS.moments, on: pool)
        passes.join(
            output, norm1.affine(), .colours(convS, picture, normS.affine()), slope: NetworkConstants.slope, into: result,
            on: pool)
    }
}

/// The moments of a map and the affine that normalises it.
struct InstanceNorm {
    let moments: Moments
    private let normalizing: Affine

    init(channels: Int, size: (width: Int, height: Int), planar: Bool = false) throws {
        moments = try Moments(channels: channels, width: size.width, height: size.height, planar: planar)
        normalizing = try Affine(channels: channels)
    }

    /// The affine for the moments as they are now.
    func affine() -> Affine {
        normalizing.normalize(moments, epsilon: NetworkConstants.epsilon)
        return normalizing
    }
}
