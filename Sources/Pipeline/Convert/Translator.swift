internal import Imaging
internal import MediaIO
internal import NeuralEngine
public import TSIT

/// A model and a style made ready for translating frames: what a conversion loads once, and what several conversions
/// of one run share.
///
/// Making one and calling its methods blocks and works hard: use a thread of your own.
public final class Translator: @unchecked Sendable {
    // Safe to share: everything is constant after init but `current`, and conversions that share a translator run
    // one after another (`ConvertJob` takes it for its whole run).
    public let model: ModelFile
    public let style: StyleStatistics
    /// True where the style stream did not have to run.
    public let styleWasCached: Bool
    /// What the user should know, such as a style cache that cannot be written.
    public let notices: [String]
    let alpha: Float
    private let seed: UInt64
    private let pool: ThreadPool
    private var current: Generator?

    /// Loads the model and finds the style's statistics: in the package for a default style, in the cache, or by
    /// running the style stream on the picture.
    ///
    /// - Parameter cache: where statistics of style pictures are kept.
    /// - Throws: `TSITError` for the model, `MediaError` `.badPicture` for the style picture.
    public init(for request: ConvertRequest, cache: StyleCache = .standard()) throws {
        pool = ThreadPool(threads: request.threads ?? ThreadPool.coreCount)
        alpha = request.alpha
        seed = request.seed
        let own = InstructionSet.choice.notice.map { [$0] } ?? []
        let defaultStyle: StyleStatistics?
        switch request.model {
        case .embedded(let name):
            let embedded = try EmbeddedModels.load(name)
            (model, defaultStyle) = (embedded.model, embedded.style.statistics)
        case .file(let path):
            (model, defaultStyle) = (try ModelFile(contentsOfFile: path), nil)
        }
        // Opening a model reads its header only; a damaged weight would show as a wrong picture.
        try model.verifyDigest()
        if let picture = request.stylePicture {
            let found = try StyleResolver(model: model, pool: pool, cache: cache)
                .statistics(of: StyleRecipe(reference: picture))
            (style, styleWasCached) = (found.statistics, found.cached)
            notices = own + found.notices
        } else if let defaultStyle {
            (style, styleWasCached, notices) = (defaultStyle, true, own)
        } else {
            throw TSITError(
                .styleMismatch, "a model file has no style of its own", remedy: "name a reference picture with --style")
        }
    }

    /// Loads on a thread of its own, since loading blocks.
    public static func load(for request: ConvertRequest) async throws -> Translator {
        try await onOwnThread(named: "load") { try Translator(for: request) }
    }

    /// The size that the model was made for.
    var nativeSize: NetworkSize {
        .fixed(width: model.configuration.nativeWidth, height: model.configuration.nativeHeight)
    }

    /// The network at `width` x `height`, with the style and the noise set; kept until another size is asked for.
    func generator(width: Int, height: Int) throws -> Generator {
        if let current, current.width == width, current.height == height { return current }
        current = nil
        let generator = try Generator(weights: model, width: width, height: height, pool: pool)
        try generator.setNoise(Noise.draw(seed: seed, count: generator.noiseCount))
        current = generator
        return generator
    }
}
