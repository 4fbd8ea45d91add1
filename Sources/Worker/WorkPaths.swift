internal import Jobs
internal import SystemPackage

/// Where a job's files are, under names that libraries take: those that are not UTF-8 are reached through links in the job's
/// folder.
struct WorkPaths: Sendable {
    let source: FilePath
    let target: FilePath
    let folder: String
    /// The hidden folder beside the target in which the result is made.
    let stage: FilePath
    /// The source as a library is to open it.
    let sourceText: String
    private let stageText: String
    /// The result's name in the hidden folder.
    let name: String

    /// Throws `.badOrder` for paths that are none.
    init(_ order: WorkOrder) throws(WorkerError) {
        guard let source = FilePath(bytes: order.source), let target = FilePath(bytes: order.target),
            let component = target.lastComponent, source.lastComponent != nil
        else { throw WorkerError(.badOrder, "the order names no source or target") }
        self.source = source
        self.target = target
        folder = order.workFolder
        stage = target.removingLastComponent().appending(WorkOrder.hiddenName(token: order.token, job: order.job))
        let ending = source.extension.flatMap { FilePath($0).lastComponent }.flatMap { String(validating: $0) }
        sourceText = String(validating: source) ?? folder + "/source" + (ending.map { "." + $0 } ?? "")
        stageText = String(validating: stage) ?? folder + "/out"
        name = Self.name(component)
    }

    private static func name(_ component: FilePath.Component) -> String {
        if let name = String(validating: component) { return name }
        let shown = FilePath(root: nil, [component]).shown
        // Escaped, a name may get too long.
        return shown.utf8.count <= 200 ? shown : "result" + (component.extension.map { "." + $0 } ?? "")
    }

    /// The result in the hidden folder, as a library is to write it.
    var resultText: String { stageText + "/" + name }
    var result: FilePath { stage.appending(name) }

    /// Makes the links where they are needed. Throws `.unwritable`, `.diskFull`.
    func makeLinks() throws(WorkerError) {
        if String(validating: source) == nil { try WorkFiles.makeLink(to: source, at: FilePath(sourceText)) }
        if String(validating: stage) == nil { try WorkFiles.makeLink(to: stage, at: FilePath(stageText)) }
    }

    /// A text of a library with the names that the user knows.
    func shown(_ text: String) -> String {
        text.replacing(resultText, with: target.shown).replacing(stageText + "/", with: target.removingLastComponent().shown + "/")
            .replacing(sourceText, with: source.shown)
    }

    /// Where a file of the hidden folder belongs: the result's name is part of the names of all that goes with it.
    func place(ofStaged file: String) -> FilePath {
        guard file.hasPrefix(name) else { return target.removingLastComponent().appending(file) }
        return FilePath(bytes: target.bytes + Array(file.utf8.dropFirst(name.utf8.count))) ?? target
    }
}
