internal import Jobs
internal import SystemPackage
internal import Watch

/// One watch folder of the configuration, being watched.
final class WatchedFolder {
    private(set) var configuration: WatchFolder
    /// Why its root cannot be used now; nil while it is watched.
    var lostReason: String?
    private let watcher: FolderWatcher
    /// Only where other daemons may be at the same folder.
    let leases: LeaseKeeper?

    /// Throws `WatchError` for a pattern that is none.
    init(_ configuration: WatchFolder, ignoring outputs: [FilePath], post: @escaping @Sendable (ServiceLoop.Message) -> Void) throws {
        self.configuration = configuration
        leases = configuration.isShared ? LeaseKeeper() : nil
        let name = configuration.name
        watcher = FolderWatcher(rules: try configuration.rules(ignoring: outputs)) { post(.watch(folder: name, $0)) }
        watcher.start()
    }

    var settlingCount: Int { watcher.settlingCount }

    /// Takes other settings without a gap in the watching, where it is still about the same folders.
    func update(_ next: WatchFolder, ignoring outputs: [FilePath]) throws -> Bool {
        guard next.input == configuration.input, next.output == configuration.output, next.shared == configuration.shared else { return false }
        watcher.update(try next.rules(ignoring: outputs))
        configuration = next
        return true
    }

    /// Its leases last: workers may still be at their last steps.
    func stopWatching() { watcher.stop() }

    func close() {
        watcher.stop()
        leases?.close()
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
