internal import Foundation
public import Jobs
internal import MediaIO
public import Pipeline
internal import Synchronization
internal import SystemPackage

/// Does one job, from reading the source to the result in its place, and tells of it. What it has done is safe at every moment:
/// a worker with the same order goes on where this one has ended, however that was.
public final class Worker: Sendable {
    let order: WorkOrder
    let request: ConvertRequest
    let paths: WorkPaths
    let stop: StopSwitch
    let translation: Translation
    private let identity: @Sendable (JobSettings) throws -> String
    private let emit: @Sendable (WorkMessage) -> Void
    private let codeName: @Sendable (any Error) -> String

    /// - Parameters:
    ///   - request: how to convert; its paths are of no account.
    ///   - stop: ends the work at a checkpoint.
    ///   - identity: `JobSettings.identity` as it is now; asked before anything is taken that has it, and again when models and
    ///     styles are loaded.
    ///   - codeName: the name of an error's exit code.
    ///   - emit: takes what there is to tell, from any thread.
    /// - Throws: `WorkerError` `.badOrder`.
    public init(
        _ order: WorkOrder, request: ConvertRequest, stop: StopSwitch,
        identity: @escaping @Sendable (JobSettings) throws -> String = { $0.identity }, codeName: @escaping @Sendable (any Error) -> String,
        emit: @escaping @Sendable (WorkMessage) -> Void
    ) throws(WorkerError) {
        self.order = order
        paths = try WorkPaths(order)
        var request = request
        request.input = paths.sourceText
        request.overwrite = true
        self.request = request
        self.stop = stop
        self.identity = identity
        self.codeName = codeName
        self.emit = emit
        translation = Translation(request)
    }

    /// Does the job, and emits how it went; the last message is what is returned: `finished`, `foundDone`, `failed` or
    /// `stopped`.
    public func run() async -> WorkMessage {
        let last: WorkMessage
        do {
            last = try await work()
        } catch where stop.isStopped && (error as? WorkerError)?.code ?? .busy == .busy {
            // Whoever is stopped while a predecessor is still there has not failed either.
            last = .stopped(safe: safe)
        } catch {
            last = .failed(WorkFailure.of(error, codeName: codeName(error), paths: paths))
        }
        // What is in it is needed again; without anything it would only be left behind.
        paths.hidden.removeIfEmpty()
        emit(last)
        return last
    }

    func tell(_ message: WorkMessage) { emit(message) }

    /// Once, whatever is to be verified.
    func tellVerifying() {
        if isVerifying.withLock({ state in defer { state = true }; return !state }) { emit(.verifying) }
    }

    private let isVerifying = Mutex(false)

    private let safeFrames = Mutex(0)
    /// Frames that need not be rendered again, as far as is known.
    var safe: Int { safeFrames.withLock { $0 } }
    func note(safe: Int) { safeFrames.withLock { $0 = safe } }

    // MARK: - The way of a job

    private func work() async throws -> WorkMessage {
        try WorkFiles.makeFolder(.init(paths.folder))
        let lock = try await own("lock") { try FolderLock(self.paths.folder) { self.stop.isStopped } }
        defer { withExtendedLifetime(lock) {} }
        paths.hidden.open()
        try await own("inputs") { try self.checkInputs() }
        let opened = try OpenSource(paths)
        defer { withExtendedLifetime(opened) { paths.removeLink() } }
        try checkSource(is: opened.status)
        try paths.makeLink(to: opened)
        guard let hash = try await contentHash() else { return .stopped(safe: 0) }
        tell(.hashed(hash))
        try checkSource(is: opened.status)
        let key = "\(hash) \(order.settings.identity)"
        if let made = try MadeResult.load(from: paths.folder, key: key), made.isVerified {
            if Publication(paths: paths, made: made).isPossible { return try await finish(made, key: key) }
            MadeResult.forget(in: paths.folder)
        }
        let source = try await probe()
        tell(.probed(frames: source.frameCountEstimate, seconds: source.duration))
        let mark = OutputMark(contentHash: hash, settingsIdentity: order.settings.identity)
        let standing = try await standing(source, mark)
        if case .done(let bytes) = standing { return .foundDone(bytes: bytes) }
        guard var made = try await make(source, mark, key: key) else { return .stopped(safe: safe) }
        tellVerifying()
        made.replaces = standing == .older
        guard try await verify(&made) else { return .stopped(safe: safe) }
        try checkSource(is: opened.status)
        made.isVerified = true
        try made.save(in: paths.folder)
        return try await finish(made, key: key)
    }

    /// - Parameter key: what the result is marked with: the content's hash and the settings.
    private func finish(_ made: MadeResult, key: String) async throws -> WorkMessage {
        // What is replaced was looked at before the rendering, hours ago maybe.
        if made.replaces, WorkFiles.isThere(paths.placed), !made.isStill(paths.placed) {
            guard let mark = try await markThere(), isReplaceable(mark, contentHash: key.split(separator: " ").first.map(String.init) ?? "") else {
                throw WorkFiles.exists(paths.target)
            }
        }
        do throws(WorkerError) {
            try Publication(paths: paths, made: made).run()
        } catch {
            // Another daemon, whose lease came later, may have been faster.
            guard error.code == .outputExists, let mark = try await markThere(), "\(mark.contentHash) \(mark.settingsIdentity)" == key,
                let status = try WorkFiles.status(paths.placed)
            else { throw error }
            paths.hidden.remove()
            return .foundDone(bytes: status.size)
        }
        for name in [DurableConversion.journalName, "before.jpg", "after.jpg"] {
            WorkFiles.remove(.init(paths.folder).appending(name))
        }
        for notice in made.notices { tell(.notice(paths.shown(notice))) }
        return .finished(frames: made.frames, bytes: made.bytes, copied: made.isCopy)
    }

    // MARK: - The source

    private func checkSource(is before: WorkFiles.Status) throws {
        let now = try OpenSource.statusNow(paths)
        guard now == before, order.identity.looksLike(SourceIdentity(size: now.size, modified: now.modified)) else { throw changed }
    }

    private var changed: WorkerError {
        WorkerError(.sourceChanged, "\(paths.source.shown) has changed since the job was made", remedy: "it becomes a new job")
    }

    private func contentHash() async throws -> String? {
        // Of a file of this size and time, so it need not be read again.
        if let known = order.identity.contentHash { return known }
        return try await own("hash") { try ContentHash.of(FilePath(self.paths.sourceText)) { self.stop.isStopped } }
    }

    /// Throws `.inputsChanged`, having told what the settings come to now, so that the job can be planned anew.
    func checkInputs() throws {
        let now = try identity(order.settings)
        guard now != order.settings.identity else { return }
        tell(.settingsNow(identity: now))
        throw WorkerError(
            .inputsChanged, "a model, a style or a schedule, or the program, is another one than when the job was planned",
            remedy: "it is planned anew")
    }

    private func probe() async throws -> SourceInfo {
        let source = try await interruptible("probe") { try SourceProbe.probe(path: self.paths.sourceText, interrupt: $0) }
        guard try source.readMark() == nil else {
            throw WorkerError(
                .ownOutput, "\(paths.source.shown) is a translation already",
                remedy: "put originals into the watch folder, and let results go elsewhere")
        }
        return source
    }

    // MARK: - What stands in the place

    enum Standing: Equatable {
        case nothing
        /// The result of this content with these settings.
        case done(bytes: Int64)
        /// A result of something else, or of other settings.
        case older
    }

    private func standing(_ source: SourceInfo, _ mark: OutputMark) async throws -> Standing {
        guard WorkFiles.isThere(paths.placed) else {
            // Better now than when everything is rendered.
            for place in SidecarEnding.allCases.map({ paths.place(ofStaged: paths.name + $0.rawValue) }) where WorkFiles.isThere(place) {
                throw WorkFiles.exists(place)
            }
            return .nothing
        }
        guard let found = try await markThere() else { throw WorkFiles.exists(paths.target) }
        guard found == mark else {
            guard isReplaceable(found, contentHash: mark.contentHash) else { throw WorkFiles.exists(paths.target) }
            return .older
        }
        let view = try view()
        defer { WorkFiles.remove(.init(view)) }
        tellVerifying()
        let isWhole = try await readingTarget(through: view) { interrupt in
            guard try OutputVerifier.isComplete(output: view, matches: source, interrupt: interrupt) else { return false }
            do throws(MediaError) {
                _ = try ResultVerifier.decode(path: view, expectedFrames: nil, interrupt: interrupt)
                return true
            } catch {
                // What cannot be read now may be whole.
                guard [.cancelled, .unreadable, .outOfMemory].contains(error.code) else { return false }
                throw error
            }
        }
        guard isWhole, let status = try WorkFiles.status(paths.placed) else {
            throw WorkerError(
                .outputExists, "\(paths.target.shown) was made of this source, but is not whole any more", remedy: "remove it, then retry")
        }
        return .done(bytes: status.size)
    }

    /// The target under a name that libraries take; to be removed afterwards.
    private func view() throws -> String {
        let view = paths.folder + "/there." + (paths.name.split(separator: ".").last.map(String.init) ?? "mp4")
        try WorkFiles.makeLink(to: paths.placed, at: .init(view))
        return view
    }

    /// Runs what reads the target under the name `view`. Throws `.unreadable` with the target's own name.
    private func readingTarget<Result: Sendable>(
        through view: String, _ body: @escaping @Sendable (Interrupt) throws -> Result
    ) async throws -> Result {
        do { return try await interruptible("look", body) } catch let error as MediaError {
            guard error.code == .unreadable, error.message.contains(view) else { throw error }
            throw WorkerError(.unreadable, "\(paths.target.shown) cannot be read", remedy: "it is tried again", cause: error.cause)
        }
    }

    /// Nil where what stands there is no result of a watch folder.
    private func markThere() async throws -> OutputMark? {
        let view = try view()
        defer { WorkFiles.remove(.init(view)) }
        let found = try await readingTarget(through: view) { try OutputMark.read(path: view, interrupt: $0) }
        return found.flatMap { $0.contentHash.isEmpty ? nil : $0 }
    }

    /// Where sources are taken away afterwards, an older result may be all that is left of another one: a camera uses its
    /// names again.
    private func isReplaceable(_ found: OutputMark, contentHash: String) -> Bool {
        found.contentHash == contentHash || order.settings.after == .keep
    }

    // MARK: - Threads

    /// Runs what blocks on a thread of its own.
    func own<Result: Sendable>(_ name: String, _ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await onOwnThread(named: name, body)
    }

    /// The same with an interrupt that a stop triggers.
    func interruptible<Result: Sendable>(
        _ name: String, _ body: @escaping @Sendable (Interrupt) throws -> Result
    ) async throws -> Result {
        let interrupt = Interrupt()
        return try await stop.whileStopping({ interrupt.trigger() }) {
            try await onOwnThread(named: name) { try body(interrupt) }
        }
    }
}

/// The translator, loaded when it is first asked for.
final class Translation: Sendable {
    private let request: ConvertRequest
    private let translator = Mutex<Translator?>(nil)

    init(_ request: ConvertRequest) { self.request = request }

    /// Blocks. Throws what `Translator.init` throws.
    func load() throws -> Translator {
        try translator.withLock { translator in
            if let translator { return translator }
            let loaded = try Translator(for: request)
            translator = loaded
            return loaded
        }
    }
}
