internal import Foundation
internal import Jobs
internal import SystemPackage
internal import Watch

/// One watch folder of the configuration, being watched.
final class WatchedFolder {
    private(set) var configuration: WatchFolder
    /// Tells what its watcher says from what one before it said, under the same name.
    let watch: UUID
    /// Why its input cannot be used now; nil while it is watched.
    var inputLost: String?
    /// Why nothing may be written to its output now.
    private(set) var outputLost: String?
    var lostReason: String? { inputLost ?? outputLost }
    /// A whole scan has ended since the watching began.
    var isScanned = false
    private var rules: WatchRules
    private let watcher: FolderWatcher
    private var output: PlaceWatch
    private var archive: PlaceWatch?
    private var keeper: LeaseKeeper?

    /// Throws `WatchError` for a pattern that is none.
    init(_ configuration: WatchFolder, ignoring outputs: [FilePath], post: @escaping @Sendable (UUID, WatchEvent) -> Void) throws {
        let watch = UUID()
        self.watch = watch
        self.configuration = configuration
        rules = try configuration.rules(ignoring: outputs)
        output = PlaceWatch(configuration.output)
        archive = configuration.moveTo.map { PlaceWatch($0) }
        watcher = FolderWatcher(rules: rules) { post(watch, $0) }
        watcher.start()
    }

    var settlingCount: Int { watcher.settlingCount }

    /// Takes other settings without a gap in the watching, where it is still about the same folders.
    func update(_ next: WatchFolder, ignoring outputs: [FilePath]) throws -> Bool {
        guard next.input == configuration.input, next.output == configuration.output, next.shared == configuration.shared else { return false }
        rules = try next.rules(ignoring: outputs)
        watcher.update(rules)
        configuration = next
        // As they are now is how they are to be, from here on.
        stopLooking()
        output = PlaceWatch(next.output)
        archive = next.moveTo.map { PlaceWatch($0) }
        return true
    }

    /// See `JobSettings.identity`.
    func adopt(identity: String) { configuration.identity = identity }

    /// What the folder makes of a job's file; nil where it is none of the folder's.
    func plan(for job: Job) -> JobPlan? {
        guard rules.admits(job.relativePath), job.source == source(of: job.relativePath) else { return nil }
        return JobPlan(target: target(of: job.relativePath), settings: configuration.jobSettings)
    }

    // MARK: - Where it writes

    /// Looks whether results can go where they went before; true where the answer is another one than the last.
    func checkOutput() -> Bool {
        let before = outputLost
        outputLost = output.sight.refusal
        return outputLost != before
    }

    /// Why no source may be moved to where they go now; nil where it may.
    var archiveRefusal: String? { archive?.sight.refusal }

    /// Room on the output's file system, a second ago or so; nil where it does not answer.
    var outputRoom: DiskRoom? { output.sight.room }

    /// Only where other daemons may be at the same folder. A network file system may be mounted at any time.
    var leases: LeaseKeeper? {
        if keeper == nil, configuration.isShared { keeper = LeaseKeeper() }
        return keeper
    }

    // MARK: - Its end

    private func stopLooking() {
        output.stop()
        archive?.stop()
    }

    func close() {
        stopLooking()
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
            patience: after == .keep ? .seconds(30) : SourceDisposal.quietTime, scanInterval: .seconds(scan), ignored: outputs)
    }
}
