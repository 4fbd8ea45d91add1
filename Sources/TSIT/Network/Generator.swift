public import Imaging
public import NeuralEngine
internal import Synchronization

/// TSIT's generator (paper, section 3): content in, picture out, at one size, with weights packed for this machine.
///
/// What does not depend on the content - style statistics, noise and the head's first convolution - is computed when it
/// is set. A frame then allocates nothing. The output is the same from run to run and for any number of threads.
public final class Generator: Sendable {
    public let configuration: ModelConfiguration
    public let width: Int
    public let height: Int
    private let pool: ThreadPool
    // The lock makes sharing safe: one frame, or one change of style, at a time.
    private let network: Mutex<GeneratorNetwork>

    /// - Throws: `TSITError` `.badSize`, `.unsupported`, `.badConfiguration`, `.missingTensor`, `.wrongShape`;
    ///   `NeuralError` `.outOfMemory`.
    public init(
        weights: some WeightSource, width: Int, height: Int, pool: ThreadPool, instructionSet: InstructionSet = .current
    ) throws {
        try weights.configuration.checkRunnable()
        configuration = weights.configuration
        self.width = width
        self.height = height
        self.pool = pool
        let size = try NetworkSize(width: width, height: height)
        network = Mutex(try GeneratorNetwork(weights, size: size, instructionSet: instructionSet))
    }

    /// Values that `setNoise` takes: 3 x height/128 x width/128.
    public var noiseCount: Int { 3 * (height >> 7) * (width >> 7) }

    /// Takes the style of all frames to come; `alpha` is FAdaIN's own (1: the style's statistics, 0: the content's).
    ///
    /// - Throws: `TSITError` `.styleMismatch` where the statistics are not those of a model of this width.
    public func setStyle(_ style: StyleStatistics, alpha: Float = 1) throws {
        let widths = configuration.mapWidths
        guard style.means.map(\.count) == widths, style.deviations.map(\.count) == widths else {
            throw TSITError(
                .styleMismatch, "the style does not belong to a model of base width \(configuration.ngf)",
                remedy: "make it again with this model")
        }
        guard (style.means + style.deviations).allSatisfy({ $0.allSatisfy(\.isFinite) }), alpha.isFinite else {
            throw TSITError(.styleMismatch, "the style's statistics are not finite")
        }
        network.withLock {
            $0.style = style
            $0.alpha = alpha
        }
    }

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

    /// Translates `content` into `picture`; both have the generator's size and values in [-1, 1].
    ///
    /// - Throws: `TSITError` `.badSize` for another size, `.styleMismatch` before style and noise are set.
    public func callAsFunction(_ content: PlanarImage<Float>, into picture: PlanarImage<Float>) throws {
        try callAsFunction(content, into: picture, trace: nil)
    }

    /// As above; `trace` receives every intermediate map after the frame, named as in the reference: `content_0`...,
    /// `head_0`..., with its shape and its values (`[channels][height][width]`).
    public func callAsFunction(
        _ content: PlanarImage<Float>, into picture: PlanarImage<Float>,
        trace: ((_ name: String, _ shape: [Int], _ values: [Float]) -> Void)?
    ) throws {
        guard picture.width == width, picture.height == height else {
            throw TSITError(
                .badSize, "a result of \(picture.width)x\(picture.height) for a network of \(width)x\(height)")
        }
        let isTraced = trace != nil
        let maps = try network.withLock { network in
            try network.run(content, into: picture, on: pool)
            return isTraced ? network.trace() : []
        }
        for map in maps { trace?(map.name, map.shape, map.values) }
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
    private let image: Convolution
    private var hasNoise = false
    var style: StyleStatistics?
    var alpha: Float = 1

    init(_ source: any WeightSource, size: NetworkSize, instructionSet: InstructionSet) throws {
        let ngf = source.configuration.ngf
        let widths = source.configuration.mapWidths
        contentStream = try FeatureStream(
            source, module: "content_stream", size: size, measuring: false, instructionSet: instructionSet)
        fc = try Convolution(
            .planar, inputs: 3, outputs: 16 * ngf, weights: source.tensor("fc.weight", shape: [16 * ngf, 3, 3, 3]),
            bias: source.tensor("fc.bias", shape: [16 * ngf]), instructionSet: instructionSet)
        noise = try PlanarMap(channels: 3, width: size.head.width, height: size.head.height)
        head = try FeatureMap(channels: 16 * ngf, width: size.head.width, height: size.head.height)
        headMoments = try Moments(channels: 16 * ngf, width: size.head.width, height: size.head.height)
        blocks = try Self.stages.map { name, k in
            try FADEBlock(
                LayerWeights(source: source, module: name, instructionSet: instructionSet), inputs: widths[k],
                outputs: k > 4 ? widths[k] : widths[k - 1], size: size.map(k), isFirst: k == 7, isLast: k == 1)
        }
        image = try PictureConvolution.make(source, instructionSet)
    }

    func setNoise(_ z: [Float], on pool: ThreadPool) {
        noise.load(z)
        fc(noise, into: head, moments: headMoments, on: pool)
        hasNoise = true
    }

    func run(_ content: PlanarImage<Float>, into picture: PlanarImage<Float>, on pool: ThreadPool) throws(TSITError) {
        guard let style, hasNoise else {
            throw TSITError(.styleMismatch, "the generator has no \(style == nil ? "style" : "noise") yet")
        }
        try contentStream(content, on: pool)
        let maps = contentStream.maps
        var x = head
        var moments = headMoments
        for (block, (_, k)) in zip(blocks, Self.stages) {
            block.adapt(moments, styleMeans: style.means[k], styleDeviations: style.deviations[k], alpha: alpha)
            block(x, content: maps[k], on: pool)
            x = block.output
            if let measured = block.moments { moments = measured }
        }
        draw(x, into: picture, on: pool)
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
        return contents + zip(blocks, Self.stages).map { ($1.0, shape($0.output), $0.trace) }
    }
}
