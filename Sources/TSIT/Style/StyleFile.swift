/// A style as a file: statistics only, tied to the model whose style stream gave them.
///
/// A safetensors file with `mean_0` … `mean_7` and `deviation_0` … `deviation_7` (F32, one dimension), and `thumbnail`
/// (U8, height x width x 3) where there is one; its metadata hold the model's digest, a name, the origin and, as JSON,
/// the `sources`. The digest covers all tensors. Further ones are let be, so that files of later versions can be read.
public struct StyleFile: Sendable, Equatable {
    public var statistics: StyleStatistics
    /// `ModelFile.digest` of the model that the statistics belong to.
    public var modelDigest: String
    public var name: String
    /// What the style was taken from, in words; never a path of the machine.
    public var origin: String
    /// The files that it was taken from; empty where nobody says.
    public var sources: [StyleSource]
    public var thumbnail: StyleThumbnail?

    static let format = "solstice.style.1"

    public init(
        statistics: StyleStatistics, modelDigest: String, name: String, origin: String, sources: [StyleSource] = [],
        thumbnail: StyleThumbnail? = nil
    ) {
        self.statistics = statistics
        self.modelDigest = modelDigest
        self.name = name
        self.origin = origin
        self.sources = sources
        self.thumbnail = thumbnail
    }

    /// Reads the style at `path`, whatever model it belongs to.
    ///
    /// - Throws: `TSITError` `.noSuchFile`, `.damagedFile`, `.unsupported` (a later format).
    public init(contentsOfFile path: String) throws(TSITError) {
        let file = try Self.open(path)
        let metadata = file.header.metadata
        try ModelMetadata.checkFormat(metadata["format"], expected: Self.format, kind: "style", path: path)
        guard let digest = metadata["model_digest"], isSHA256(digest), let name = metadata["name"],
            let origin = metadata["origin"]
        else { throw Self.damaged(path, "its metadata is incomplete") }
        guard try metadata["digest"] == file.digest() else {
            throw Self.damaged(path, "its values are not those of its digest")
        }
        var means: [[Float]] = [], deviations: [[Float]] = []
        for index in 0..<8 {
            if let values = try file.floats("mean_\(index)") { means.append(values) }
            if let values = try file.floats("deviation_\(index)") { deviations.append(values) }
        }
        guard let sources = metadata["sources"].map(StyleSource.list) ?? [] else {
            throw Self.damaged(path, "its list of sources is not one")
        }
        self.init(
            statistics: StyleStatistics(means: means, deviations: deviations), modelDigest: digest, name: name,
            origin: origin, sources: sources, thumbnail: try Self.thumbnail(in: file))
        if let fault = statistics.fault { throw Self.damaged(path, fault) }
    }

    private static func open(_ path: String) throws(TSITError) -> SafetensorsFile {
        do throws(TSITError) {
            return try SafetensorsFile(contentsOfFile: path)
        } catch where error.code == .damagedFile {
            // What it says of a file in general is said of models; a style is quickly made again.
            throw damaged(path, error.message + (error.cause.map { ": \($0)" } ?? ""))
        }
    }

    private static func thumbnail(in file: SafetensorsFile) throws(TSITError) -> StyleThumbnail? {
        guard let entry = file.header.entries[thumbnailKey] else { return nil }
        // Sizes first: only then is it read.
        guard entry.type == .byte, entry.shape.count == 3, entry.shape[2] == 3,
            entry.shape[..<2].allSatisfy({ (1...StyleThumbnail.longestSide).contains($0) }),
            let pixels = try file.integers(thumbnailKey),
            let thumbnail = StyleThumbnail(width: entry.shape[1], height: entry.shape[0], pixels: pixels)
        else { throw damaged(file.path, "its thumbnail is \(entry.type.rawValue) of \(shapeText(entry.shape))") }
        return thumbnail
    }

    private static let thumbnailKey = "thumbnail"

    /// Reads the style at `path` and makes sure that it was made for `model`.
    ///
    /// - Throws: besides what `init(contentsOfFile:)` throws, `TSITError` `.styleMismatch`.
    public static func read(_ path: String, for model: ModelFile) throws(TSITError) -> StyleFile {
        let style = try StyleFile(contentsOfFile: path)
        guard style.modelDigest == model.digest, style.statistics.means.map(\.count) == model.configuration.mapWidths
        else {
            throw TSITError(
                .styleMismatch, "the style \(quoted(path)) was made for another model than \(quoted(model.path))",
                remedy: "make the style again with this model, or use the model that it was made for",
                cause: "it was made for \(style.modelDigest.prefix(12))…, the model is \(model.digest.prefix(12))…")
        }
        return style
    }

    /// Whether the file at `path` is meant to be a style: by its extension, or because it begins as a file of this program.
    ///
    /// What is meant to be one and is damaged is then called that, instead of a bad picture.
    public static func isMeant(by path: String) -> Bool {
        if path.lowercased().hasSuffix(".style") { return true }
        guard let file = try? RandomAccessFile(path: path), let start = try? file.bytes(at: 0, count: min(file.size, 4096)),
            start.count > 9, start[8] == UInt8(ascii: "{")
        else { return false }
        return String(decoding: start[9...], as: UTF8.self).contains("\"solstice.")
    }

    /// Writes the file; an older one of that name is replaced at once, never half.
    ///
    /// - Throws: `TSITError` `.unwritable`, `.styleMismatch` where the statistics are not eight maps of finite numbers.
    public func write(to path: String) throws(TSITError) {
        if let fault = statistics.fault {
            throw TSITError(.styleMismatch, "the style \(quoted(name)) cannot be kept: \(fault)")
        }
        var values: [String: [Float]] = [:]
        for index in 0..<8 {
            values["mean_\(index)"] = statistics.means[index]
            values["deviation_\(index)"] = statistics.deviations[index]
        }
        var tensors: [(key: String, type: SafetensorsType, shape: [Int])] = values.map { ($0, .float32, [$1.count]) }
        if let thumbnail { tensors.append((Self.thumbnailKey, .byte, [thumbnail.height, thumbnail.width, 3])) }
        var metadata = ["format": Self.format, "model_digest": modelDigest, "name": name, "origin": origin]
        if !sources.isEmpty { metadata["sources"] = StyleSource.text(sources) }
        let writer = try SafetensorsWriter(path: path, tensors: tensors, metadata: metadata, digestKey: "digest")
        for key in values.keys.sorted() { try writer.append(key, values[key] ?? []) }
        // Last, since tensors are written in the order of their keys.
        if let thumbnail { try writer.append(Self.thumbnailKey, thumbnail.pixels) }
        _ = try writer.commit()
    }

    private static func damaged(_ path: String, _ why: String) -> TSITError {
        TSITError(
            .damagedFile, "\(quoted(path)) is not a usable style file", remedy: "make the style again", cause: why)
    }
}

extension StyleStatistics {
    /// What keeps these from being the statistics of a style stream's eight maps; nil where nothing does.
    var fault: String? {
        let widths = means.map(\.count)
        guard let ngf = widths.first, ngf > 0, widths == ModelConfiguration(ngf: ngf).mapWidths,
            deviations.map(\.count) == widths
        else { return "it has not the eight maps of a style stream" }
        guard means.allSatisfy(allFinite), deviations.allSatisfy(allFinite) else {
            return "it has values that are infinite or not numbers"
        }
        guard deviations.allSatisfy({ $0.allSatisfy { $0 > 0 } }) else {
            return "it has a deviation that is not positive"
        }
        return nil
    }
}
