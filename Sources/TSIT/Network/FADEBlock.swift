internal import NeuralEngine

/// A FADE residual block of the generator (paper, section 3.3), with the FAdaIN before it folded into its batch norms.
///
/// dx = conv_1(act(FADE_1(conv_0(act(FADE_0(x)))))); the skip is x after FAdaIN, or conv_s(FADE_s(x)) where the width
/// changes. All renditions go through a layer before the next one begins,
/// so that gamma and beta, which depend on the content alone, are computed once for all of them.
final class FADEBlock {
    private let conv0, conv1: Convolution
    /// FADE_0 and, where the skip is learned, FADE_s, which modulate by the same content at the same time; and FADE_1.
    private let fade0, fade1: Convolution
    private let convS: Convolution?
    private let norm0, norm1: BatchNorm
    private let normS: BatchNorm?
    private let renditions: [Rendition]
    private let modulations0, modulations1: Modulations
    private let unchanged: Affine
    private let outputSlope: Float

    /// - Parameters:
    ///   - sources: what each rendition takes in.
    ///   - isFirst: the input has the block's size instead of half of it.
    ///   - isLast: the block feeds the picture's convolution: leaky ReLU goes into its output, and no moments are taken.
    init(
        _ weights: LayerWeights, sources: [RenditionMap], outputs: Int, isFirst: Bool, isLast: Bool
    ) throws {
        let inputs = sources[0].map.channels
        let isLearned = inputs != outputs
        fade0 = try weights.fade(isLearned ? ["norm_0", "norm_s"] : ["norm_0"], inputs)
        fade1 = try weights.fade(["norm_1"], inputs)
        norm0 = try BatchNorm(weights, "norm_0", channels: inputs)
        norm1 = try BatchNorm(weights, "norm_1", channels: inputs)
        normS = isLearned ? try BatchNorm(weights, "norm_s", channels: inputs) : nil
        conv0 = try weights.plain("conv_0", inputs, inputs)
        conv1 = try weights.plain("conv_1", inputs, outputs)
        convS = isLearned ? try weights.pointwise("conv_s", inputs, outputs) : nil
        let measuresInner = norm1.takesFrameStatistics
        renditions = try sources.map {
            try Rendition(
                $0, outputs: outputs, size: weights.size, isUpsampled: !isFirst, measuresInner: measuresInner,
                measuresOutput: !isLast)
        }
        let slope = NetworkConstants.slope
        modulations0 = Modulations(
            renditions.flatMap { r in
                let main = Modulations.Part(.init(r.source.map, r.affine0), output: r.modulated, slope: slope)
                let skip = r.modulatedSkip.map { Modulations.Part(.init(r.source.map, r.affineS), output: $0, norm: 1) }
                return [main] + (skip.map { [$0] } ?? [])
            }, norms: isLearned ? 2 : 1)
        modulations1 = Modulations(
            renditions.map { Modulations.Part(.init($0.inner, $0.affine1), output: $0.modulated, slope: slope) })
        unchanged = try Affine(channels: outputs)
        for channel in 0..<outputs { unchanged.set(channel, scale: 1, shift: 0) }
        outputSlope = isLast ? NetworkConstants.slope : 1
    }

    /// What each rendition gives: the map, and its moments for the FAdaIN of the next block.
    var outputs: [RenditionMap] { renditions.map { RenditionMap(map: $0.output, moments: $0.moments) } }

    /// Takes rendition `index`'s style, or none, as statistics of the map that belongs to the block; its input's moments
    /// are those of the frame that runs.
    func adapt(_ index: Int, means: [Float]?, deviations: [Float]?, alpha: Float) {
        renditions[index].adapt(means: means, deviations: deviations, alpha: alpha)
    }

    /// Runs the block on what its sources hold, which all renditions have adapted to, with the content's map of the same
    /// index.
    func callAsFunction(content: FeatureMap, on pool: ThreadPool) {
        for r in renditions {
            norm0.normalize(r.input, into: r.affine0)
            normS?.normalize(r.input, into: r.affineS)
        }
        fade0.fade(content, modulations0, on: pool)
        for r in renditions {
            conv0(r.modulated, into: r.inner, moments: r.innerMoments, on: pool)
            norm1.normalize(r.innerMoments, into: r.affine1)
        }
        fade1.fade(content, modulations1, on: pool)
        for r in renditions {
            let skip: Convolution.Operand
            if let convS, let modulatedSkip = r.modulatedSkip {
                // The skip lies where the output goes: each pixel is read before it is written.
                convS(modulatedSkip, into: r.output, on: pool)
                skip = .init(r.output, unchanged)
            } else {
                r.input.write(to: r.affineS)
                skip = .init(r.source.map, r.affineS)
            }
            conv1(r.modulated, skip: skip, slope: outputSlope, into: r.output, moments: r.moments, on: pool)
        }
    }

    /// The first rendition's output before the leaky ReLU that the last block puts into it; layout
    /// `[channels][height][width]`.
    var trace: [Float] { renditions[0].output.values.map { $0 < 0 ? $0 / outputSlope : $0 } }
}

/// A map of one rendition of the frame; the moments are there where FAdaIN follows.
struct RenditionMap {
    let map: FeatureMap
    let moments: Moments?
}

/// What one style's rendition of the frame is inside a block.
private final class Rendition {
    let source: RenditionMap
    /// What comes before the block.
    private(set) var input: FAdaIN
    let affine0, affine1: Affine
    /// The norm of the learned skip, or FAdaIN alone on the plain one.
    let affineS: Affine
    let modulated: FeatureMap
    /// Only with a learned skip.
    let modulatedSkip: FeatureMap?
    let inner: FeatureMap
    let innerMoments: Moments?
    let output: FeatureMap
    let moments: Moments?

    init(
        _ source: RenditionMap, outputs: Int, size: (width: Int, height: Int), isUpsampled: Bool, measuresInner: Bool,
        measuresOutput: Bool
    ) throws {
        let inputs = source.map.channels
        func map(_ channels: Int) throws -> FeatureMap {
            try FeatureMap(channels: channels, width: size.width, height: size.height)
        }
        func measure(_ channels: Int) throws -> Moments {
            try Moments(channels: channels, width: size.width, height: size.height)
        }
        self.source = source
        input = FAdaIN(channels: inputs, isUpsampled: isUpsampled)
        (affine0, affine1, affineS) = (
            try Affine(channels: inputs), try Affine(channels: inputs), try Affine(channels: inputs)
        )
        modulated = try map(inputs)
        modulatedSkip = inputs == outputs ? nil : try map(inputs)
        inner = try map(inputs)
        innerMoments = measuresInner ? try measure(inputs) : nil
        output = try map(outputs)
        moments = measuresOutput ? try measure(outputs) : nil
    }

    func adapt(means: [Float]?, deviations: [Float]?, alpha: Float) {
        guard let moments = source.moments else { return }
        if let means, let deviations {
            input.adapt(moments, styleMeans: means, styleDeviations: deviations, alpha: alpha)
        } else {
            input.pass(moments)
        }
    }
}
