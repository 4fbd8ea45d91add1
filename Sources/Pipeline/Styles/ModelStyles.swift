internal import FoundationEssentials
internal import TSIT

/// The styles that lie beside a model: the `.style` files of its folder that were made for it.
struct ModelStyles {
    let model: ModelFile
    private let folder: String
    private let stem: String

    init(of model: ModelFile) {
        self.model = model
        folder = parentDirectory(of: model.path)
        let name = fileName(of: model.path)
        stem = name.lastIndex(of: ".").map { $0 == name.startIndex ? name : String(name[..<$0]) } ?? name
    }

    private func path(of name: String) -> String { folder == "/" ? "/\(name).style" : "\(folder)/\(name).style" }

    /// Names of all that belong to the model, sorted; broken files and those of other models are left out.
    var names: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return files.filter { $0.hasSuffix(".style") && $0 != ".style" }.map { String($0.dropLast(6)) }
            .filter { (try? StyleFile.read(path(of: $0), for: model)) != nil }.sorted()
    }

    func style(named name: String) throws(TSITError) -> StyleFile {
        if !name.isEmpty, !name.contains("/"), isFile(path(of: name)) { return try StyleFile.read(path(of: name), for: model) }
        let names = names
        let listed = names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", …" : "")
        throw TSITError(
            .noSuchFile, "there is no style or picture '\(name)'",
            remedy: names.isEmpty
                ? "give a picture or a style file; the model has no styles of its own"
                : "give a picture, a style file, or one of the model's own styles: \(listed)")
    }

    func defaultStyle() throws(TSITError) -> StyleFile? {
        isFile(path(of: stem)) ? try StyleFile.read(path(of: stem), for: model) : nil
    }
}
