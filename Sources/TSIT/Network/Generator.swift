public import Imaging
public import NeuralEngine
internal import Synchronization

/// TSIT's generator (paper, section 3): content in, a picture out for each style, at one size, with weights packed for this
/// machine.
///
/// What depends on neither content nor style - the head's first convolution of the noise - is computed when it is set. A
/// frame then allocates nothing. Several styles go through the network in lock step: the content stream and FADE's
/// gamma and beta, which depend on the content alone, are computed once for all of them, and each picture has the bits
/// that it has alone. The output is the same from run to run and for any number of threads.
public final class Generator: Sendable {
    public let configuration: ModelConfiguration
    public let width: Int
    public let height: Int
    /// Pictures that come of one content.
    public let renditions: Int
    private let pool: ThreadPool
    // The lock makes sharing safe: one frame, or one change of noise, at a time.
    private let network: Mutex<GeneratorNetwork>

    /// - Parameter renditions: how many styles each content is translated to, at least 1.
    /// - Throws: `TSITError` `.badSize`, `.unsupported`, `.badConfiguration`, `.missingTensor`, `.wrongShape`;
    ///   `NeuralError` `.outOfMemory`.
    public init(
        weights: some WeightSource, width: Int, height: Int, renditions: Int = 1, precision: NetworkPrecision = .float32,
        pool: ThreadPool, instructionSet: InstructionSet = .current
    ) throws {
        precondition(renditions >= 1)
        try weights.configuration.checkRunnable()
        configuration = weights.configuration
        self.width = width
        self.height = height
        self.renditions = renditions
        self.pool = pool
        let size = try NetworkSize(width: width, height: height)
        network = Mutex(
            try GeneratorNetwork(
                weights, size: size, renditions: renditions, precision: precision,
                workspace: Workspace(threads: pool.threads),
                instructionSet: instructionSet))
    }

    /// Values that `setNoise` takes: 3 x height/128 x width/128.
    public var noiseCount: Int { 3 * (height >> 7) * (width >> 7) }

    /// Takes the Gaussian noise that the head starts from, layout `[3][height/128][width/128]`; drawn once per
    /// conversion, or frames flicker.
    ///
    /// - Throws: `TSITError` `.badSize` where there are not `noiseCount` values.
    public func setNoise(_ z: [Float]) throws {
        guard z.count == noiseCount else {
            throw TSITError(.badSize, "\(z.count) values of noise for a head that takes \(noiseCount)")
        }
        network.withLock { $0.setNoise(z, on: pool) }
    }

    /// Translates `content` into one picture for each style; all have the generator's size and values in [-1, 1].
    ///
    /// - Parameters:
    ///   - styles: as many as `renditions`.
    ///   - alpha: FAdaIN's own blend (1: the style's statistics, 0: the content's).
    ///   - trace: receives every intermediate map of the first rendition after the frame, named as in the reference:
    ///     `content_0`..., `head_0`..., with its shape and its values (`[channels][height][width]`).
    /// - Throws: `TSITError` `.badSize` for another size, `.styleMismatch` where a style is not one of a model of this
    ///   width, where their number is another, or before the noise is set.
    public func callAsFunction(
        _ content: PlanarImage<Float>, styles: [StyleStatistics], alpha: Float = 1,
        into pictures: [PlanarImage<Float>],
        trace: ((_ name: String, _ shape: [Int], _ values: [Float]) -> Void)? = nil
    ) throws {
        try check(styles, alpha: alpha)
        guard pictures.count == renditions, pictures.allSatisfy({ $0.width == width && $0.height == height }) else {
            throw TSITError(
                .badSize, "\(pictures.count) results that are not \(renditions) of \(width)x\(height), the network's size")
        }
        let isTraced = trace != nil
        let maps = try network.withLock { network in
            try network.run(content, styles: styles, alpha: alpha, into: pictures, on: pool)
            return isTraced ? network.trace() : []
        }
        for map in maps { trace?(map.name, map.shape, map.values) }
    }

    private func check(_ styles: [StyleStatistics], alpha: Float) throws(TSITError) {
        guard styles.count == renditions else {
            throw TSITError(.styleMismatch, "\(styles.count) styles for a network that renders \(renditions)")
        }
        let widths = configuration.mapWidths
        for style in styles {
            guard style.means.map(\.count) == widths, style.deviations.map(\.count) == widths else {
                throw TSITError(
                    .styleMismatch, "the style does not belong to a model of base width \(configuration.ngf)",
                    remedy: "make it again with this model")
            }
            guard style.means.allSatisfy(allFinite), style.deviations.allSatisfy(allFinite), alpha.isFinite else {
                throw TSITError(.styleMismatch, "the style's statistics are not finite")
            }
        }
    }
}

/// The layers of the generator and what flows between them.
final class GeneratorNetwork {
    /// Blocks in order: name, and the index of the content's and the style's map that it takes.
    private static let stages = [
        ("head_0", 7), ("G_middle_0", 6), ("G_middle_1", 5), ("up_0", 4), ("up_1", 3), ("up_2", 2), ("up_3", 1),
    ]

    private let contentStream: FeatureStream
    private let fc: Convolution
    private let noise: PlanarMap
    private let head: FeatureMap
    private let headMoments: Moments
    private let blocks: [FADEBlock]
    /// The last block's outputs.
    private let results: [FeatureMap]
    private let image: Convolution
    private var hasNoise = false

    init(
        _ source: any WeightSource, size: NetworkSize, renditions: Int, precision: NetworkPrecision, workspace: Workspace,
        instructionSet: InstructionSet
    ) throws {
        let ngf = source.configuration.ngf
        let widths = source.configuration.mapWidths
        contentStream = try FeatureStream(
            source, module: "content_stream", size: size, measuring: false, workspace: workspace,
            instructionSet: instructionSet)
        fc = try Convolution(
            .planar, name: "fc", inputs: 3, outputs: 16 * ngf, weights: source.tensor("fc.weight", shape: [16 * ngf, 3, 3, 3]),
            bias: source.tensor("fc.bias", shape: [16 * ngf]), instructionSet: instructionSet)
        noise = try PlanarMap(channels: 3, width: size.head.width, height: size.head.height)
        head = try FeatureMap(channels: 16 * ngf, width: size.head.width, height: size.head.height)
        headMoments = try Moments(channels: 16 * ngf, width: size.head.width, height: size.head.height)
        // The head knows nothing of the style, so all renditions start from one.
        var sources = Array(repeating: RenditionMap(map: head, moments: headMoments), count: renditions)
        blocks = try Self.stages.map { name, k in
            let block = try FADEBlock(
                LayerWeights(
                    source: source, module: name, instructionSet: instructionSet, size: size.map(k), workspace: workspace,
                    precision: precision.precision(of: name, instructionSet)),
                sources: sources, outputs: k > 4 ? widths[k] : widths[k - 1], isFirst: k == 7, isLast: k == 1)
            sources = block.outputs
            return block
        }
        results = sources.map(\.map)
        image = try PictureConvolution.make(
            source, algorithm: .fastest(.image, width: size.map(1).width, height: size.map(1).height, workspace: workspace),
            instructionSet)
    }

    func setNoise(_ z: [Float], on pool: ThreadPool) {
        noise.load(z)
        fc(noise, into: head, moments: headMoments, on: pool)
        hasNoise = true
    }

    func run(
        _ content: PlanarImage<Float>, styles: [StyleStatistics], alpha: Float, into pictures: [PlanarImage<Float>],
        on pool: ThreadPool
    ) throws(TSITError) {
        guard hasNoise else { throw TSITError(.styleMismatch, "the generator has no noise yet") }
        try contentStream(content, on: pool)
        let maps = contentStream.maps
        for (block, (_, k)) in zip(blocks, Self.stages) {
            for (index, style) in styles.enumerated() {
                block.adapt(index, means: style.means[k], deviations: style.deviations[k], alpha: alpha)
            }
            block(content: maps[k], on: pool)
        }
        for (result, picture) in zip(results, pictures) { draw(result, into: picture, on: pool) }
    }

    private func draw(_ x: FeatureMap, into picture: PlanarImage<Float>, on pool: ThreadPool) {
        picture.withPlane(0) { red in
            picture.withPlane(1) { green in
                picture.withPlane(2) { blue in
                    image.draw(x, red: red, green: green, blue: blue, rowStride: picture.rowStride, on: pool)
                }
            }
        }
    }

    /// Every intermediate map of the last frame.
    func trace() -> [(name: String, shape: [Int], values: [Float])] {
        func shape(_ map: FeatureMap) -> [Int] { [map.channels, map.height, map.width] }
        let contents = contentStream.maps.enumerated().map { ("content_\($0)", shape($1), $1.values) }
        return contents + zip(blocks, Self.stages).map { ($1.0, shape($0.outputs[0].map), $0.trace) }
    }
}
