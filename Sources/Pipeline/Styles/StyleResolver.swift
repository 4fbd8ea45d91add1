internal import Imaging
internal import MediaIO
public import NeuralEngine
public import TSIT

/// Finds the statistics that recipes ask for: in style files, in the styles that lie beside the model, or by running the
/// model's style stream on pictures.
///
/// Each reference of a call is resolved once. The style stream, which is as large as the network's other half, is built
/// for the first picture that is not in the cache and dropped at the end of the call. All calls block.
public struct StyleResolver: Sendable {
    public let model: ModelFile
    private let pool: ThreadPool
    private let cache: StyleCache

    public init(model: ModelFile, pool: ThreadPool, cache: StyleCache = .standard()) {
        self.model = model
        self.pool = pool
        self.cache = cache
    }

    /// The statistics of several recipes, in their order; what they have in common is resolved once.
    ///
    /// - Returns: also whether the cache had all of them, so that no picture went through the style stream, and what the user
    ///   should know, such as a cache that cannot be written.
    /// - Throws: `TSITError` `.noSuchFile` for a reference that is nothing (the error lists the model's own styles),
    ///   `.styleMismatch` for a style of another model or a model without a style stream, `.damagedFile`; `MediaError`
    ///   `.badPicture`.
    public func statistics(
        of recipes: [StyleRecipe]
    ) throws -> (styles: [StyleStatistics], cached: Bool, notices: [String]) {
        let run = StyleResolution(model: model, pool: pool, cache: cache)
        let styles = try recipes.map(run.statistics)
        return (styles, run.cached, run.notices)
    }

    /// The style called `name` that lies beside the model: `NAME.style` in the model's folder.
    ///
    /// - Throws: `TSITError` `.noSuchFile`, listing the names that there are; `.styleMismatch`, `.damagedFile`.
    public func style(named name: String) throws(TSITError) -> StyleFile { try ModelStyles(of: model).style(named: name) }

    /// The style with the model's own stem in the model's folder (`night.style` beside `night.safetensors`); nil where
    /// there is none.
    ///
    /// - Throws: `TSITError` `.styleMismatch`, `.damagedFile`.
    public func defaultStyle() throws(TSITError) -> StyleFile? { try ModelStyles(of: model).defaultStyle() }

    /// Names of all styles beside the model that were made for it, sorted.
    public var names: [String] { ModelStyles(of: model).names }
}
