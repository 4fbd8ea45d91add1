internal import Jobs
internal import SystemPackage
internal import Watch

/// One watch folder of the configuration, being watched.
final class WatchedFolder {
    private(set) var configuration: WatchFolder
    /// Tells what its watcher says from what one before it said, under the same name.
    let watch: Int
    /// Why its input cannot be used now; nil while it is watched.
    var inputLost: String?
    /// Why nothing may be written to its output now.
    private(set) var outputLost: String?
    var lostReason: String? { inputLost ?? outputLost }
    /// A whole scan has ended since the watching began.
    var isScanned = false
    private var rules: WatchRules
    private let watcher: FolderWatcher
    private var output: Anchor
    private var archive: Anchor?
    private var keeper: LeaseKeeper?

    /// Throws `WatchError` for a pattern that is none.
    init(_ configuration: WatchFolder, ignoring outputs: [FilePath], post: @escaping @Sendable (Int, WatchEvent) -> Void) throws {
        Self.count += 1
        let watch = Self.count
        self.watch = watch
        self.configuration = configuration
        output = Anchor(configuration.output)
        archive = configuration.moveTo.map { Anchor($0) }
        rules = try configuration.rules(ignoring: outputs)
        watcher = FolderWatcher(rules: rules) { post(watch, $0) }
        watcher.start()
    }

    /// Of the service's thread only, as everything here.
    nonisolated(unsafe) private static var count = 0

    var settlingCount: Int { watcher.settlingCount }

    /// Takes other settings without a gap in the watching, where it is still about the same folders.
    func update(_ next: WatchFolder, ignoring outputs: [FilePath]) throws -> Bool {
        guard next.input == configuration.input, next.output == configuration.output, next.shared == configuration.shared else { return false }
        rules = try next.rules(ignoring: outputs)
        watcher.update(rules)
        configuration = next
        output = Anchor(next.output)
        archive = next.moveTo.map { Anchor($0) }
        return true
    }

    /// What the folder makes of a job's file; nil where it is none of the folder's.
    func plan(for job: Job) -> JobPlan? {
        guard rules.admits(job.relativePath), job.source == source(of: job.relativePath) else { return nil }
        return JobPlan(target: target(of: job.relativePath), settings: configuration.jobSettings)
    }

    // MARK: - Where it writes

    /// Looks whether results can go where they went before; true where the answer is another one than the last.
    func checkOutput() -> Bool {
        let before = outputLost
        outputLost = output.refusal()
        return outputLost != before
    }

    /// Why no source may be moved to where they go now; nil where it may.
    func archiveRefusal() -> String? { archive?.refusal() }

    /// Only where other daemons may be at the same folder. A network file system may be mounted at any time.
    var leases: LeaseKeeper? {
        if keeper == nil, configuration.isShared { keeper = LeaseKeeper() }
        return keeper
    }

    // MARK: - Its end

    func close() {
        watcher.stop()
        keeper?.close()
    }

    /// Where the result of a file below the folder goes: the same relative name.
    func target(of relativePath: FilePath) -> FilePath { FilePath(configuration.output).pushing(relativePath) }
    func source(of relativePath: FilePath) -> FilePath { FilePath(configuration.input).pushing(relativePath) }
}

extension WatchFolder {
    var isShared: Bool {
        switch shared {
        case .yes: true
        case .no: false
        case .auto: LeaseKeeper.isNetworkFileSystem(FilePath(output))
        }
    }

    /// Throws `WatchError` for a pattern that is none.
    func rules(ignoring outputs: [FilePath]) throws -> WatchRules {
        let usual = WatchRules.videoEndings.map { "*." + $0 }
        return try WatchRules(
            root: FilePath(input), include: include.isEmpty ? usual : include, exclude: exclude, settle: .seconds(settle),
            scanInterval: .seconds(scan), ignored: outputs)
    }
}
