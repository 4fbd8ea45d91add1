public import Imaging
internal import MediaIO
public import NeuralEngine
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
    private let alpha: Float
    private let seed: UInt64
    private let pool: ThreadPool
    private var current: Generator?

    /// Loads the model and finds the style's statistics: in the package for a default style, in the cache, or by
    /// running the style stream on the picture.
    ///
    /// - Parameter cache: where statistics of style pictures are kept.
    /// - Throws: `TSITError` for the model, `MediaError` `.badPicture` for the style picture.
    public init(for request: ConvertRequest, cache: StyleCache = StyleCache()) throws {
        pool = ThreadPool(threads: request.threads ?? ThreadPool.coreCount)
        alpha = request.alpha
        seed = request.seed
        let embedded: EmbeddedModel?
        switch request.model {
        case .embedded(let name):
            let found = try EmbeddedModels.locate(name)
            embedded = found
            model = try ModelFile(contentsOfFile: found.modelPath)
        case .file(let path):
            embedded = nil
            model = try ModelFile(contentsOfFile: path)
        }
        if let picture = request.stylePicture {
            let found = try Self.statistics(ofPicture: picture, model: model, pool: pool, cache: cache)
            (style, styleWasCached) = (found.statistics, found.hit)
            notices = found.notice.map { [$0] } ?? []
        } else if let embedded {
            style = try StyleFile.read(contentsOfFile: embedded.stylePath, for: model).statistics
            (styleWasCached, notices) = (true, [])
        } else {
            throw TSITError(
                .styleMismatch, "a model file has no style of its own", remedy: "name a reference picture with --style")
        }
    }

    private static func statistics(
        ofPicture path: String, model: ModelFile, pool: ThreadPool, cache: StyleCache
    ) throws -> StyleCache.Lookup {
        let digest = try StyleCache.pictureDigest(contentsOfFile: path)
        return try cache.statistics(model: model, pictureDigest: digest) {
            let (width, height) = (model.configuration.nativeWidth, model.configuration.nativeHeight)
            let picture = try PictureIO.load(path: path).resizedBicubic(width: width, height: height)
            return try StyleStream(weights: model, width: width, height: height, pool: pool)(picture)
        }
    }

    /// The size that the network works at for an upright picture of `width` x `height` samples.
    ///
    /// - Throws: `TSITError` `.badSize` where the request names a size that the network cannot have.
    func networkSize(_ size: ConvertRequest.NetworkSize, width: Int, height: Int) throws -> (width: Int, height: Int) {
        let configuration = model.configuration
        switch size {
        case .modelNative: return (configuration.nativeWidth, configuration.nativeHeight)
        case .fixed(let width, let height):
            try Generator.check(width: width, height: height)
            return (width, height)
        case .video:
            return PaddedSize.size(width: width, height: height)
        }
    }

    /// The network at `width` x `height`, with the style and the noise set; kept until another size is asked for.
    func generator(width: Int, height: Int) throws -> Generator {
        if let current, current.width == width, current.height == height { return current }
        current = nil
        let generator = try Generator(weights: model, width: width, height: height, pool: pool)
        try generator.setStyle(style, alpha: alpha)
        try generator.setNoise(Noise.draw(seed: seed, count: generator.noiseCount))
        current = generator
        return generator
    }
}
