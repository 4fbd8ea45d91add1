internal import Imaging
internal import MediaIO
internal import NeuralEngine
internal import TSIT

/// One call of `StyleResolver`: what it has found so far.
final class StyleResolution {
    private let model: ModelFile
    private let pool: ThreadPool
    private let cache: StyleCache
    private var known: [String: StyleStatistics] = [:]
    private var stream: StyleStream?
    /// False once the style stream has run.
    private(set) var cached = true
    private(set) var notices: [String] = []

    init(model: ModelFile, pool: ThreadPool, cache: StyleCache) {
        self.model = model
        self.pool = pool
        self.cache = cache
    }

    func statistics(of recipe: StyleRecipe) throws -> StyleStatistics {
        // All are looked for, also those of no weight: a name that leads nowhere is a mistake.
        let parts = try recipe.parts.map { (statistics: try statistics(of: $0.reference), weight: $0.weight) }
        return parts.count == 1 ? parts[0].statistics : .mixed(parts)
    }

    private func statistics(of reference: String) throws -> StyleStatistics {
        if let statistics = known[reference] { return statistics }
        let statistics = try find(reference)
        known[reference] = statistics
        return statistics
    }

    private func find(_ reference: String) throws -> StyleStatistics {
        guard isFile(reference) else { return try ModelStyles(of: model).style(named: reference).statistics }
        if StyleFile.isMeant(by: reference) { return try StyleFile.read(reference, for: model).statistics }
        return try statistics(ofPicture: reference)
    }

    /// The statistics of a picture file: those in the cache, or those that the style stream gives.
    func statistics(ofPicture path: String) throws -> StyleStatistics {
        try checkStyleStream()
        return try statistics(of: StylePicture.load(path), digest: ContentDigest.ofFile(path))
    }

    /// The same for a picture that is loaded by need; `digest` is that of its file.
    func statistics(of picture: @autoclosure () throws -> PlanarImage<UInt8>, digest: String) throws -> StyleStatistics {
        // The last bits of the statistics are those of the kernels that computed them.
        let variant = InstructionSet.current.rawValue
        let found = try cache.statistics(model: model, pictureDigest: digest, variant: variant) {
            try statistics(of: picture())
        }
        if let notice = found.notice, !notices.contains(notice) { notices.append(notice) }
        return found.statistics
    }

    /// The statistics of an upright picture, which is squeezed to the size that the model was made for.
    func statistics(of picture: PlanarImage<UInt8>) throws -> StyleStatistics {
        try checkStyleStream()
        let (width, height) = (model.configuration.nativeWidth, model.configuration.nativeHeight)
        let squeezed = try picture.resizedBicubic(width: width, height: height)
        let stream = try stream ?? StyleStream(weights: model, width: width, height: height, pool: pool)
        self.stream = stream
        cached = false
        return try stream(PlanarImage<Float>(squeezed))
    }

    /// - Throws: `TSITError` `.styleMismatch` for a model that takes no style pictures.
    func checkStyleStream() throws {
        guard model.configuration.task != .sis else {
            throw TSITError(
                .styleMismatch, "the model '\(model.path)' has no style stream: its task is sis, which takes no style of this kind",
                remedy: "use a model for ast or mmis")
        }
    }
}
