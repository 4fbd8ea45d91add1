internal import Glibc
internal import Jobs
internal import SystemPackage

/// Where a job's files are, under names that libraries take: those that are not UTF-8 are reached through links in the job's
/// folder.
struct WorkPaths: Sendable {
    let source: FilePath
    /// The watched folder, and the source's path below it.
    let root: FilePath
    let relativePath: FilePath
    /// Where the result goes, for people; what is done there is done with `placed`, which others cannot turn elsewhere.
    let target: FilePath
    private let targetName: FilePath.Component
    let folder: String
    /// The hidden folder beside the target in which the result is made, and the target's folder, as they are open.
    let hidden: HiddenFolder
    /// The source as a library is to open it: a link of the source's name to the file as it is open.
    let sourceText: String
    private let sourceFolder: String
    /// The result's name in the hidden folder.
    let name: String

    /// Throws `.badOrder` for paths that are none.
    init(_ order: WorkOrder) throws(WorkerError) {
        guard let source = FilePath(bytes: order.source), let target = FilePath(bytes: order.target),
            let component = target.lastComponent, source.lastComponent != nil
        else { throw WorkerError(.badOrder, "the order names no source or target") }
        self.source = source
        self.target = target
        (root, relativePath) = source.split(at: FilePath(bytes: order.relativePath) ?? FilePath())
        folder = order.workFolder
        hidden = HiddenFolder(target: target, workFolder: order.workFolder, token: order.token, job: order.job)
        targetName = component
        let ending = source.extension.flatMap { FilePath($0).lastComponent }.flatMap { String(validating: $0) }
        let sourceName = source.lastComponent.flatMap { String(validating: $0) } ?? "source" + (ending.map { "." + $0 } ?? "")
        sourceFolder = folder + "/source"
        sourceText = sourceFolder + "/" + sourceName
        name = Self.name(component)
    }

    private static func name(_ component: FilePath.Component) -> String {
        if let name = String(validating: component) { return name }
        let shown = FilePath(root: nil, [component]).shown
        // Escaped, a name may get too long.
        return shown.utf8.count <= 200 ? shown : "result" + (component.extension.map { "." + $0 } ?? "")
    }

    var stage: FilePath { hidden.path }
    /// The target in its folder as that is open.
    var placed: FilePath { hidden.place.appending(targetName) }
    var result: FilePath { stage.appending(name) }
    /// The result in the hidden folder, as a library is to write it.
    var resultText: String { stage.string + "/" + name }

    /// Makes the link by which libraries open the source. Throws `.unwritable`, `.diskFull`.
    func makeLink(to source: OpenSource) throws(WorkerError) {
        try WorkFiles.makeFolder(FilePath(sourceFolder))
        try WorkFiles.makeLink(to: source.path, at: FilePath(sourceText))
    }

    func removeLink() {
        WorkFiles.remove(FilePath(sourceText))
        rmdir(sourceFolder)
    }

    /// A text of a library with the names that the user knows.
    func shown(_ text: String) -> String {
        let place = target.removingLastComponent().shown + "/"
        return text.replacing(resultText, with: target.shown).replacing(stage.string + "/", with: place)
            .replacing(hidden.place.string + "/", with: place).replacing(sourceText, with: source.shown)
    }

    /// Where a file of the hidden folder belongs: the result's name is part of the names of all that goes with it.
    func place(ofStaged file: String) -> FilePath {
        guard file.hasPrefix(name) else { return hidden.place.appending(file) }
        return FilePath(bytes: placed.bytes + Array(file.utf8.dropFirst(name.utf8.count))) ?? placed
    }
}
