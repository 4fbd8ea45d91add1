internal import FoundationEssentials

/// Style statistics kept on disk, so that a style picture goes through the style stream once, not once per run.
///
/// An entry is a style file whose name is the sha256 of all that its numbers depend on. Any number of programs may read
/// and write the same folder: entries appear whole, and those that cannot be read are computed and written anew.
public struct StyleCache: Sendable {
    /// Where the entries lie; nil where there is no place for them, then every look-up computes.
    public let directory: String?

    public init(directory: String?) { self.directory = directory }

    /// The user's cache: `$XDG_CACHE_HOME/solstice/styles`, else `~/.cache/solstice/styles`
    /// (XDG Base Directory Specification; a relative `XDG_CACHE_HOME` is not valid and ignored).
    ///
    /// - Parameter environment: default: this process's.
    public static func standard(environment: [String: String]? = nil) -> StyleCache {
        let environment = environment ?? ProcessInfo.processInfo.environment
        func absolute(_ name: String) -> String? { environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil } }
        let base = absolute("XDG_CACHE_HOME") ?? absolute("HOME").map { $0 + "/.cache" }
        return StyleCache(directory: base.map { $0 + "/solstice/styles" })
    }

    /// The statistics of a picture: those kept, or those that `compute` gives, which are then kept.
    ///
    /// - Parameters:
    ///   - model: the model whose style stream is meant.
    ///   - pictureDigest: sha256 of the picture's content.
    ///   - size: the size that the picture is resized to; default: the model's native size.
    ///   - variant: what else the last bits of the numbers depend on, such as the instruction set.
    ///   - compute: runs the style stream.
    /// - Returns: the statistics, whether they came from the cache, and what to tell the user where the cache could not
    ///   be used: that is never a failure.
    /// - Throws: only what `compute` throws.
    public func statistics(
        model: ModelFile, pictureDigest: String, size: (width: Int, height: Int)? = nil, variant: String = "",
        compute: () throws -> StyleStatistics
    ) throws -> (statistics: StyleStatistics, hit: Bool, notice: String?) {
        guard let directory else {
            return (try compute(), false, "styles are not cached: neither XDG_CACHE_HOME nor HOME is set")
        }
        let configuration = model.configuration
        let name = Self.entryName(
            modelDigest: model.digest, pictureDigest: pictureDigest,
            width: size?.width ?? configuration.nativeWidth, height: size?.height ?? configuration.nativeHeight,
            variant: variant)
        let path = "\(directory)/\(name)"
        if let entry = try? StyleFile.read(path, for: model) { return (entry.statistics, true, nil) }
        let statistics = try compute()
        let entry = StyleFile(
            statistics: statistics, modelDigest: model.digest, name: "cached",
            origin: "picture with sha256 \(pictureDigest)")
        return (statistics, false, keep(entry, at: path, in: directory))
    }

    /// File name of the entry for everything that the numbers depend on.
    static func entryName(
        modelDigest: String, pictureDigest: String, width: Int, height: Int, variant: String
    ) -> String {
        let parts = [StyleFile.format, modelDigest, pictureDigest, "\(width)x\(height)", variant]
        return ContentDigest.of(Array(parts.joined(separator: "\n").utf8)) + ".style"
    }

    /// Writes an entry; returns what to tell the user where that was not possible.
    private func keep(_ entry: StyleFile, at path: String, in directory: String) -> String? {
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            return "styles are not cached: the folder \(quoted(directory)) cannot be made"
        }
        do throws(TSITError) {
            try entry.write(to: path)
            return nil
        } catch {
            return "the style was not cached: \(error)"
        }
    }
}
