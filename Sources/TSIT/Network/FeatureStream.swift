internal import Imaging
internal import NeuralEngine

/// The content or the style stream: eight residual blocks, each at half the resolution of the one before (paper, section
/// 3.2). Downsampling is nearest: it takes even rows and columns.
final class FeatureStream {
    /// Block 0, and where the stream's input goes.
    private enum First {
        /// A picture of three planes.
        case picture(PictureBlock)
        /// One-hot labels; or a picture for a network of base width 3, whose first block has no learned skip.
        case map(FeatureMap, StreamBlock)
    }

    private let first: First
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
        instructionSet: InstructionSet, pool: ThreadPool
    ) throws {
        let widths = source.configuration.mapWidths
        func weights(_ k: Int) -> LayerWeights {
            LayerWeights(
                source: source, module: "\(module).res_\(k)", instructionSet: instructionSet, size: size.map(k),
                workspace: workspace, pool: pool)
        }
        self.size = size
        passes = try Normalization(instructionSet: instructionSet)
        let inputs = source.configuration.inputChannels
        let output: FeatureMap
        if source.configuration.labels == nil, inputs != widths[0] {
            let block = try PictureBlock(weights(0), outputs: widths[0])
            (first, output) = (.picture(block), block.output)
        } else {
            let block = try StreamBlock(weights(0), inputs: inputs, outputs: widths[0])
            let map = try FeatureMap(channels: inputs, width: size.width, height: size.height)
            (first, output) = (.map(map, block), block.output)
        }
        let rest = 1..<NetworkConstants.mapCount
        blocks = try rest.map { k in
            try StreamBlock(weights(k), inputs: widths[k - 1], outputs: widths[k])
        }
        halves = try rest.map { k in
            try FeatureMap(channels: widths[k - 1], width: size.map(k).width, height: size.map(k).height)
        }
        maps = [output] + blocks.map(\.output)
        moments =
            measuring
            ? try widths.indices.map { k in
                try Moments(channels: widths[k], width: size.map(k).width, height: size.map(k).height)
            } : []
    }

    /// The eight feature maps of the last picture; the first is whole only where it was kept.
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
    /// - Parameter keepsFirst: as for `run`.
    /// - Throws: `TSITError` `.badSize`.
    func callAsFunction(_ picture: PlanarImage<Float>, keepsFirst: Bool = false, on pool: ThreadPool) throws(TSITError) {
        guard picture.width == size.width, picture.height == size.height else {
            throw TSITError(
                .badSize,
                "a picture of \(picture.width)x\(picture.height) for a network of \(size.width)x\(size.height)")
        }
        for plane in 0..<3 {
            picture.withPlane(plane) { samples in
                switch first {
                case .picture(let block): block.picture.load(plane: plane, from: samples, rowStride: picture.rowStride)
                case .map(let map, _): map.load(channel: plane, from: samples, rowStride: picture.rowStride)
                }
            }
        }
        run(keepsFirst: keepsFirst, on: pool)
    }

    /// What the stream takes in, for a caller that fills it and calls `run`; nil where it is a picture of planes.
    var input: FeatureMap? {
        if case .map(let map, _) = first { return map }
        return nil
    }

    /// Runs the stream on what its input holds.
    ///
    /// - Parameter keepsFirst: map 0 is wanted too; nothing but a trace and the moments needs more of it than its half.
    func run(keepsFirst: Bool = false, on pool: ThreadPool) {
        let whole = Normalization.Joined.whole(halved: halves[0], moments: moments.first)
        let result = keepsFirst || !moments.isEmpty ? whole : .halved(halves[0])
        switch first {
        case .picture(let block): block(into: result, passes: passes, on: pool)
        case .map(let map, let block): block(map, into: result, passes: passes, on: pool)
        }
        for (index, block) in blocks.enumerated() {
            block(
                halves[index],
                into: .whole(
                    halved: index + 1 < halves.count ? halves[index + 1] : nil,
                    moments: moments.isEmpty ? nil : moments[index + 1]),
                passes: passes, on: pool)
        }
    }
}
