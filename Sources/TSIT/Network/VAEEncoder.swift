public import Imaging
public import NeuralEngine

/// The encoder E of semantic image synthesis: reduces a reference picture to the distribution of the latent vector that
/// the generator's head starts from (paper, section 3.1; layers in the specification's training part).
///
/// Six 3x3 convolutions of stride 2, each followed by instance norm and leaky ReLU, then a linear layer for the mean and
/// one for the logarithm of the variance. It runs once per run.
public final class VAEEncoder: Sendable {
    /// Length of the latent vector.
    public let latentLength: Int
    private let layers: [Convolution]
    private let mean, logVariance: LatentLayer
    private let passes: Normalization
    private let pool: ThreadPool

    /// Width and height that pictures are resized to.
    static let side = 256
    /// Widths of the layers over the base width.
    static let multiples = [1, 2, 4, 8, 8, 8]
    /// Values that the linear layers take, over the base width: 8 channels of 4x4 pixels.
    static let flattened = 8 * 4 * 4
    /// What the encoder's tensors are called before their own names in a model file.
    static let module = "vae_encoder"

    /// - Throws: `TSITError` `.unsupported` where the model has no encoder, `.missingTensor`, `.wrongShape`; `NeuralError`.
    public init(
        weights: some WeightSource, pool: ThreadPool, instructionSet: InstructionSet = .current
    ) throws {
        guard let ngf = weights.configuration.encoderWidth, let length = weights.configuration.latentLength else {
            throw TSITError(
                .unsupported, "the model has no VAE encoder",
                remedy: weights.configuration.latentLength == nil
                    ? "its head starts from the labels themselves: go without a reference picture"
                    : "import it with --vae latest_net_E.pth, or go without a reference picture")
        }
        latentLength = length
        self.pool = pool
        passes = try Normalization(instructionSet: instructionSet)
        let widths = [3] + Self.multiples.map { $0 * ngf }
        layers = try Self.multiples.indices.map { index in
            let (inputs, outputs) = (widths[index], widths[index + 1])
            return try Convolution(
                .plain, inputs: inputs, outputs: outputs,
                weights: weights.tensor("\(Self.module).layer\(index + 1).0.weight", shape: [outputs, inputs, 3, 3]),
                instructionSet: instructionSet)
        }
        mean = try LatentLayer(weights, "\(Self.module).fc_mu", inputs: Self.flattened * ngf, outputs: length)
        logVariance = try LatentLayer(weights, "\(Self.module).fc_var", inputs: Self.flattened * ngf, outputs: length)
    }

    /// Mean and logarithm of the variance of the latent vector, `latentLength` values each.
    ///
    /// - Parameter picture: of any size, values in [-1, 1].
    /// - Throws: `NeuralError` `.outOfMemory`.
    public func callAsFunction(_ picture: PlanarImage<Float>) throws -> (mean: [Float], logVariance: [Float]) {
        var values = Self.resized(picture)
        var side = Self.side
        for layer in layers {
            values = try run(layer, on: values, side: side)
            side /= 2
        }
        return (mean(values), logVariance(values))
    }

    /// Convolution at stride 1, of which every other pixel is kept, then norm and leaky ReLU; layouts
    /// `[channels][side][side]` and `[channels][side/2][side/2]`.
    private func run(_ layer: Convolution, on values: [Float], side: Int) throws -> [Float] {
        let input = try FeatureMap(channels: layer.inputs, width: side, height: side)
        let output = try FeatureMap(channels: layer.outputs, width: side, height: side)
        let halved = try FeatureMap(channels: layer.outputs, width: side / 2, height: side / 2)
        input.values = values
        layer(input, into: output, on: pool)
        let all = output.values
        halved.values = (0..<layer.outputs * side / 2).flatMap { row in
            (0..<side / 2).map { all[2 * row * side + 2 * $0] }
        }
        let norm = try InstanceNorm(channels: layer.outputs, size: (side / 2, side / 2))
        norm.moments.measure(halved)
        passes.apply(norm.affine(), slope: NetworkConstants.slope, to: halved, on: pool)
        return halved.values
    }

    /// The picture at 256x256, layout `[3][256][256]`: bilinear between the four pixels around a sample's centre, the
    /// nearest ones at the border, without smoothing (PyTorch's `interpolate` with `align_corners=False`).
    static func resized(_ picture: PlanarImage<Float>) -> [Float] {
        let columns = taps(picture.width)
        let rows = taps(picture.height)
        return (0..<3).flatMap { plane in
            picture.withPlane(plane) { samples in
                rows.flatMap { row in
                    let (upper, lower) = (row.first * picture.rowStride, row.second * picture.rowStride)
                    return columns.map { column in
                        let top = samples[upper + column.first] * (1 - column.weight) + samples[upper + column.second] * column.weight
                        let bottom = samples[lower + column.first] * (1 - column.weight) + samples[lower + column.second] * column.weight
                        return top * (1 - row.weight) + bottom * row.weight
                    }
                }
            }
        }
    }

    /// For every sample of a side: the two source samples that it lies between, and the weight of the second.
    private static func taps(_ source: Int) -> [(first: Int, second: Int, weight: Float)] {
        (0..<side).map { index in
            let centre = max(0, (Float(index) + 0.5) * (Float(source) / Float(side)) - 0.5)
            let first = min(Int(centre), source - 1)
            return (first, min(first + 1, source - 1), centre - Float(first))
        }
    }
}
