internal import Imaging
package import MediaIO
internal import NeuralEngine
public import TSIT

/// A model and its styles made ready for translating frames: what a conversion loads once, and what several conversions
/// of one run share.
///
/// Making one and calling its methods blocks and works hard: use a thread of your own.
public final class Translator: @unchecked Sendable {
    // Safe to share: everything is constant after init but `current`, and conversions that share a translator run
    // one after another (`ConvertJob` takes it for its whole run).
    public let model: ModelFile
    /// One for each of the request's outputs; none where the model translates labels.
    public let styles: [Timeline<StyleStatistics>]
    /// True where the style stream did not have to run.
    public let styleWasCached: Bool
    /// What the user should know, such as a style cache that cannot be written.
    public let notices: [String]
    package let alpha: Float
    private let normalization: ModelConfiguration.Normalization
    private let precision: NetworkPrecision
    private let seed: UInt64
    /// What the head starts from where a reference picture says so.
    private let latent: [Float]?
    private let pool: ThreadPool
    private let cache: StyleCache
    private var current: Generator?

    /// Loads the model and finds the statistics of every output's style: beside the model, in style files, in the cache,
    /// or by running the style stream on pictures.
    ///
    /// - Parameter cache: where statistics of style pictures are kept.
    /// - Throws: `TSITError` for the model and the styles, `MediaError` `.badPicture` for a style picture.
    public init(for request: ConvertRequest, cache: StyleCache = .standard()) throws {
        pool = ThreadPool(threads: request.threads ?? ThreadPool.coreCount)
        self.cache = cache
        alpha = request.alpha
        precision = request.precision
        let ownNotices = [InstructionSet.choice.notice, precision.notice].compactMap(\.self)
        seed = request.seed
        model = try Self.model(request.model)
        normalization = request.normalization ?? model.configuration.normalization
        // Opening a model reads its header only; a damaged weight would show as a wrong picture.
        try model.verifyDigest()
        if model.configuration.labels != nil {
            latent = try LabelStyle.latent(of: request, model: model, pool: pool)
            (styles, styleWasCached) = ([], false)
            notices = ownNotices
            return
        }
        latent = nil
        let found = try Self.styles(of: request, resolver: StyleResolver(model: model, pool: pool, cache: cache))
        styles = found.styles
        styleWasCached = found.cached
        notices = ownNotices + found.notices
    }

    /// Loads on a thread of its own, since loading blocks.
    public static func load(for request: ConvertRequest) async throws -> Translator {
        try await onOwnThread(named: "load") { try Translator(for: request) }
    }

    private static func model(_ model: ConvertRequest.Model) throws -> ModelFile {
        switch model {
        case .embedded(let name): try EmbeddedModels.load(name).model
        case .file(let path): try ModelFile(contentsOfFile: path)
        }
    }

    /// All styles in one call of the resolver, so that what they have in common is resolved once.
    private static func styles(
        of request: ConvertRequest, resolver: StyleResolver
    ) throws -> (styles: [Timeline<StyleStatistics>], cached: Bool, notices: [String]) {
        var own: StyleStatistics?
        var keyframes: [(seconds: Double, recipe: StyleRecipe)] = []
        switch request.style {
        case .standard: own = try standardStyle(of: resolver)
        case .named(let name): own = try resolver.style(named: name).statistics
        case .recipe(let recipe): keyframes = [(0, recipe)]
        case .keyframes(let given): keyframes = given
        }
        let found = try resolver.statistics(of: keyframes.map(\.recipe) + request.also.map(\.recipe))
        let first = try own.map { Timeline($0) }
            ?? Timeline(zip(keyframes, found.styles).map { .init(seconds: $0.seconds, value: $1) })
        let others = found.styles.dropFirst(keyframes.count).map { Timeline($0) }
        return ([first] + others, found.cached, found.notices)
    }

    private static func standardStyle(of resolver: StyleResolver) throws -> StyleStatistics {
        if let style = try resolver.defaultStyle() { return style.statistics }
        let names = resolver.names
        let remedy = names.isEmpty ? "name a picture or style file with --style"
            : "name a picture or style file with --style, or one of its styles with --to: \(names.joined(separator: ", "))"
        throw TSITError(.styleMismatch, "the model \(resolver.model.path) has no default style", remedy: remedy)
    }

    /// The size that the model was made for.
    package var nativeSize: NetworkSize {
        .fixed(width: model.configuration.nativeWidth, height: model.configuration.nativeHeight)
    }

    /// How much of the lights that the source does not explain is added, 0...1: what was asked for, else what the model says.
    package func detailResidual(_ request: ConvertRequest) -> Float {
        request.detailResidual ?? model.configuration.detailResidual ?? 1
    }

    /// The network at `width` x `height` for so many styles at once, with the noise set; kept until another one is asked
    /// for.
    package func generator(width: Int, height: Int, renditions: Int) throws -> Generator {
        if let current, current.width == width, current.height == height, current.renditions == renditions { return current }
        current = nil
        let generator = try newGenerator(width: width, height: height, renditions: renditions)
        current = generator
        return generator
    }

    /// A network of its own, beside the one that is kept: for a change of size while that one still runs.
    package func newGenerator(width: Int, height: Int, renditions: Int) throws -> Generator {
        let generator = try Generator(
            weights: RenormalizedWeights(model, normalization), width: width, height: height, renditions: renditions,
            precision: precision, pool: pool)
        try generator.setNoise(latent ?? Noise.draw(seed: seed, count: generator.noiseCount))
        return generator
    }

    /// The statistics of a style that is asked for while the network runs; a picture goes through the style stream on one
    /// thread, so that the network keeps the others.
    ///
    /// - Throws: what `StyleResolver.statistics(of:)` throws.
    package func statistics(of recipe: StyleRecipe) throws -> (statistics: StyleStatistics, notices: [String]) {
        let found = try StyleResolver(model: model, pool: ThreadPool(threads: 1), cache: cache).statistics(of: [recipe])
        return (found.styles[0], found.notices)
    }
}
