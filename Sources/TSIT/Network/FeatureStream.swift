internal import Imaging
internal import NeuralEngine

/// The content or the style stream: eight residual blocks, each at half the resolution of the one before (paper, section
/// 3.2). Downsampling is nearest: it takes even rows and columns.
final class FeatureStream {
    private let first: PictureBlock
    private let blocks: [StreamBlock]
    /// What blocks 1...7 take in: the map above at half the size.
    private let halves: [FeatureMap]
    private let moments: [Moments]
    private let passes: Normalization
    private let size: NetworkSize

    /// Reads the weights under `module` (`content_stream` or `style_stream`).
    ///
    /// - Parameter measuring: gathers the moments of every map as well.
    init(
        _ source: any WeightSource, module: String, size: NetworkSize, measuring: Bool, workspace: Workspace,
        instructionSet: InstructionSet
    ) throws {
        let widths = source.configuration.mapWidths
        func weights(_ k: Int) -> LayerWeights {
            LayerWeights(
                source: source, module: "\(module).res_\(k)", instructionSet: instructionSet, size: size.map(k),
                workspace: workspace)
        }
        self.size = size
        passes = try Normalization(instructionSet: instructionSet)
        first = try PictureBlock(weights(0), outputs: widths[0])
        let rest = 1..<NetworkConstants.mapCount
        blocks = try rest.map { k in
            try StreamBlock(weights(k), inputs: widths[k - 1], outputs: widths[k])
        }
        halves = try rest.map { k in
            try FeatureMap(channels: widths[k - 1], width: size.map(k).width, height: size.map(k).height)
        }
        maps = [first.output] + blocks.map(\.output)
        moments =
            measuring
            ? try widths.indices.map { k in
                try Moments(channels: widths[k], width: size.map(k).width, height: size.map(k).height)
            } : []
    }

    /// The eight feature maps of the last picture.
    let maps: [FeatureMap]

    /// Mean and deviation of every channel of every map of the last picture; only of a measuring stream.
    var statistics: StyleStatistics {
        StyleStatistics(
            means: moments.map { map in (0..<map.channels).map { Float(map.mean($0)) } },
            deviations: moments.map { map in
                (0..<map.channels).map {
                    Float((map.unbiasedVariance($0) + NetworkConstants.epsilon).squareRoot())
                }
            })
    }

    /// Runs the stream on a picture of the stream's size, values in [-1, 1].
    ///
    /// - Throws: `TSITError` `.badSize`.
    func callAsFunction(_ picture: PlanarImage<Float>, on pool: ThreadPool) throws(TSITError) {
        guard picture.width == size.width, picture.height == size.height else {
            throw TSITError(
                .badSize,
                "a picture of \(picture.width)x\(picture.height) for a network of \(size.width)x\(size.height)")
        }
        for plane in 0..<3 {
            picture.withPlane(plane) { first.picture.load(plane: plane, from: $0, rowStride: picture.rowStride) }
        }
        first(halved: halves[0], moments: moments.first, passes: passes, on: pool)
        for (index, block) in blocks.enumerated() {
            block(
                halves[index], halved: index + 1 < halves.count ? halves[index + 1] : nil,
                moments: moments.isEmpty ? nil : moments[index + 1], passes: passes, on: pool)
        }
    }
}
