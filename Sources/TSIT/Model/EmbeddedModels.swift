internal import FoundationEssentials

/// The models that come with the program, each with its default style.
///
/// They are looked for in the folder `SOLSTICE_MODELS` where that is set; else beside the program's binary in
/// `solstice_TSIT.resources/Models` (where a build puts them), else in `../share/solstice/Models` from there (where an
/// installation puts them).
public enum EmbeddedModels {
    public enum Name: String, Sendable, CaseIterable {
        /// Day to night.
        case night
        /// Summer to winter.
        case winter
    }

    /// Where a model and its default style lie.
    public struct Location: Sendable, Equatable {
        public var name: Name
        public var modelPath: String
        public var stylePath: String
    }

    /// Finds the model called `name`.
    ///
    /// - Parameter environment: default: this process's.
    /// - Throws: `TSITError` `.notInstalled`, saying where it was looked for.
    public static func locate(
        _ name: Name, environment: [String: String]? = nil
    ) throws(TSITError) -> Location {
        let folders = searchPath(environment ?? ProcessInfo.processInfo.environment)
        for folder in folders {
            let location = Location(
                name: name, modelPath: "\(folder)/\(name.rawValue).safetensors",
                stylePath: "\(folder)/\(name.rawValue).style")
            if fileExists(location.modelPath), fileExists(location.stylePath) { return location }
        }
        throw TSITError(
            .notInstalled, "the embedded model \(quoted(name.rawValue)) is not installed",
            remedy: "install the program's resources beside it, set SOLSTICE_MODELS to their folder, or give --model",
            cause: "looked in \(folders.joined(separator: ", "))")
    }

    /// Opens the model called `name` and its default style, and makes sure that they belong together.
    ///
    /// - Parameter environment: default: this process's.
    /// - Throws: `TSITError` as `locate`, `ModelFile` and `StyleFile` throw it.
    public static func load(
        _ name: Name, environment: [String: String]? = nil
    ) throws(TSITError) -> (model: ModelFile, style: StyleFile) {
        let location = try locate(name, environment: environment)
        let model = try ModelFile(contentsOfFile: location.modelPath)
        return (model, try StyleFile.read(location.stylePath, for: model))
    }

    static func searchPath(_ environment: [String: String]) -> [String] {
        ResourceDirectory.candidates(
            "Models", override: environment["SOLSTICE_MODELS"], binaries: ResourceDirectory.binaryDirectories())
    }
}
