public import Imaging
public import NeuralEngine
internal import Synchronization

/// TSIT's generator (paper, section 3): content in, a picture out for each style, at one size, with weights packed for this
/// machine.
///
/// What depends on neither content nor style - the head's first layer on noise or a latent vector - is computed when it is
/// set. A frame then allocates nothing. Several styles go through the network in lock step: the content stream and FADE's
/// gamma and beta, which depend on the content alone, are computed once for all of them, and each picture has the bits
/// that it has alone. The output is the same from run to run and for any number of threads.
///
/// Semantic image synthesis takes labels and no style, and gives one picture.
public final class Generator: Sendable {
    public let configuration: ModelConfiguration
    public let width: Int
    public let height: Int
    /// Pictures that come of one content.
    public let renditions: Int
    private let pool: ThreadPool
    // The lock makes sharing safe: one frame, or one change of noise, at a time.
    private let network: Mutex<GeneratorNetwork>

    /// - Parameter renditions: how many styles each content is translated to, at least 1; for SIS 1.
    /// - Throws: `TSITError` `.badSize` (a latent head has one size only), `.badConfiguration`, `.missingTensor`,
    ///   `.wrongShape`, `.styleMismatch` for several renditions of SIS; `NeuralError` `.outOfMemory`.
    public init(
        weights: some WeightSource, width: Int, height: Int, renditions: Int = 1, precision: NetworkPrecision = .float32,
        pool: ThreadPool, instructionSet: InstructionSet = .current
    ) throws {
        precondition(renditions >= 1)
        try weights.configuration.checkRunnable()
        guard renditions == 1 || weights.configuration.labels == nil else {
            throw TSITError(.styleMismatch, "semantic image synthesis has no styles to make \(renditions) pictures of")
        }
        configuration = weights.configuration
        self.width = width
        self.height = height
        self.renditions = renditions
        self.pool = pool
        let size = try NetworkSize(width: width, height: height)
        network = Mutex(
            try GeneratorNetwork(
                weights, size: size, renditions: renditions, precision: precision,
                workspace: Workspace(threads: pool.threads), instructionSet: instructionSet, pool: pool))
    }

    /// What the head starts from: noise and latent vectors are set with `setNoise` before the first frame.
    public var headInput: HeadInput { configuration.headInput(width: width, height: height) }

    /// Values that `setNoise` takes: 3 x height/128 x width/128 of noise, or the length of the latent vector; 0 where the
    /// head starts from the labels.
    public var noiseCount: Int { headInput.count }

    /// Takes what the head starts from: Gaussian noise, layout `[3][height/128][width/128]`, or a latent vector; drawn once
    /// per conversion, or frames flicker.
    ///
    /// - Throws: `TSITError` `.badSize` where there are not `noiseCount` values, or they are not finite.
    public func setNoise(_ z: [Float]) throws {
        guard z.count == noiseCount, allFinite(z) else {
            throw TSITError(.badSize, "\(z.count) values of noise for a head that takes \(noiseCount) finite ones")
        }
        if z.isEmpty { return }
        network.withLock { $0.setNoise(z, on: pool) }
    }

    /// Translates `content` into one picture for each style; all have the generator's size and values in [-1, 1].
    ///
    /// - Parameters:
    ///   - styles: as many as `renditions`; none for SIS.
    ///   - alpha: FAdaIN's own blend (1: the style's statistics, 0: the content's); without meaning for SIS.
    ///   - trace: receives every intermediate map of the first rendition after the frame, named as in the reference:
    ///     `content_0`..., `head_0`..., with its shape and its values (`[channels][height][width]`).
    /// - Throws: `TSITError` `.badSize` for another size, `.styleMismatch` where a style is not one of a model of this
    ///   width, where their number is another, or before the noise is set; `.badLabel` for a class that the model does not
    ///   have; `.unsupported` for labels where a picture is needed, or the other way round.
    public func callAsFunction(
        _ content: NetworkContent, styles: [StyleStatistics], alpha: Float = 1, into pictures: [PlanarImage<Float>],
        trace: NetworkTrace? = nil
    ) throws {
        try run(GeneratorContent(content), styles: styles, alpha: alpha, into: pictures, trace: trace)
    }

    /// Translates a photograph, see above.
    public func callAsFunction(
        _ content: PlanarImage<Float>, styles: [StyleStatistics], alpha: Float = 1,
        into pictures: [PlanarImage<Float>], trace: NetworkTrace? = nil
    ) throws {
        try self(.picture(content), styles: styles, alpha: alpha, into: pictures, trace: trace)
    }

    func run(
        _ content: GeneratorContent, styles: [StyleStatistics], alpha: Float, into pictures: [PlanarImage<Float>],
        trace: NetworkTrace?
    ) throws {
        try check(styles, alpha: alpha)
        guard pictures.count == renditions, pictures.allSatisfy({ $0.width == width && $0.height == height }) else {
            throw TSITError(
                .badSize, "\(pictures.count) results that are not \(renditions) of \(width)x\(height), the network's size")
        }
        let isTraced = trace != nil
        let maps = try network.withLock { network in
            try network.run(content, styles: styles, alpha: alpha, into: pictures, isTraced: isTraced, on: pool)
            return isTraced ? network.trace() : []
        }
        for map in maps { trace?(map.name, map.shape, map.values) }
    }

    private func check(_ styles: [StyleStatistics], alpha: Float) throws(TSITError) {
        let wanted = configuration.labels == nil ? renditions : 0
        guard styles.count == wanted else {
            throw TSITError(.styleMismatch, "\(styles.count) styles for a network that takes \(wanted)")
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

/// Receives an intermediate map: its name in the reference, its shape and its values.
public typealias NetworkTrace = (_ name: String, _ shape: [Int], _ values: [Float]) -> Void
