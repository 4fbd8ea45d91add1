internal import FoundationEssentials
public import TSIT

/// A style file that was found, whole or broken.
public struct StyleEntry: Sendable {
    public let path: String
    /// File name without the extension: what `--to` and `--style` take for a style beside the model.
    public let name: String
    /// Bytes.
    public let size: Int
    public let contents: Result<StyleFile, TSITError>
}

/// Looks for style files, and for the models that they were made for.
public struct StyleShelf: Sendable {
    private var models: [String: String] = [:]

    /// Knows the embedded models.
    public init() {
        for name in EmbeddedModels.Name.allCases {
            guard let location = try? EmbeddedModels.locate(name) else { continue }
            note(model: location.modelPath, as: name.rawValue)
        }
    }

    /// The name of the model with that digest: that of an embedded one, or the file's; nil where it was not met.
    public func modelName(digest: String) -> String? { models[digest] }

    /// Learns the models in a folder; what is none is passed over.
    public mutating func noteModels(in folder: String) {
        for name in Self.names(in: folder, ending: ".safetensors") ?? [] {
            note(model: Self.joined(folder, name), as: name)
        }
    }

    public mutating func noteModel(_ model: ModelFile) {
        if models[model.digest] == nil { models[model.digest] = fileName(of: model.path) }
    }

    private mutating func note(model path: String, as name: String) {
        guard let model = try? ModelFile(contentsOfFile: path), models[model.digest] == nil else { return }
        models[model.digest] = name
    }

    /// The embedded models' default styles.
    public var embedded: [StyleEntry] {
        EmbeddedModels.Name.allCases.compactMap { name in
            (try? EmbeddedModels.locate(name)).map { Self.entry(at: $0.stylePath) }
        }
    }

    /// The style files of a folder, sorted by name.
    ///
    /// - Throws: `TSITError` `.noSuchFile` where it is not there or cannot be read.
    public func styles(in folder: String) throws(TSITError) -> [StyleEntry] {
        guard let names = Self.names(in: folder, ending: ".style") else {
            throw TSITError(.noSuchFile, "there is no folder '\(folder)' that can be read", remedy: "check its name and permissions")
        }
        return names.map { Self.entry(at: Self.joined(folder, $0)) }
    }

    public static func entry(at path: String) -> StyleEntry {
        let contents = Result { () throws(TSITError) in try StyleFile(contentsOfFile: path) }
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? Int
        let file = fileName(of: path)
        return StyleEntry(
            path: path, name: file.lowercased().hasSuffix(".style") ? String(file.dropLast(6)) : file, size: size ?? 0,
            contents: contents)
    }

    private static func joined(_ folder: String, _ name: String) -> String {
        folder == "." ? name : folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
    }

    private static func names(in folder: String, ending: String) -> [String]? {
        guard let all = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return nil }
        return all.filter { $0.lowercased().hasSuffix(ending) && isFile(joined(folder, $0)) }.sorted()
    }
}
