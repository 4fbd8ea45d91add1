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

    init(_ configuration: WatchFolder, ignoring outputs: [FilePath], post: @escaping @Sendable (ServiceLoop.Message) -> Void) {
        self.configuration = configuration
        leases = configuration.isShared ? LeaseKeeper() : nil
        let name = configuration.name
        watcher = FolderWatcher(configuration.rules(ignoring: outputs)) { post(.watch(folder: name, $0)) }
        watcher.start()
    }

    var settlingCount: Int { watcher.settlingCount }

    /// Takes other settings without a gap in the watching, where it is still about the same folders.
    func update(_ next: WatchFolder, ignoring outputs: [FilePath]) -> Bool {
        guard next.input == configuration.input, next.output == configuration.output, next.shared == configuration.shared else { return false }
        configuration = next
        watcher.update(next.rules(ignoring: outputs))
        return true
    }

    func rescan() { watcher.rescan() }

    func close() { watcher.stop() }

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

    func rules(ignoring outputs: [FilePath]) -> WatchRules {
        var rules = WatchRules(root: FilePath(input))
        if !include.isEmpty { rules.include = include }
        rules.exclude = exclude
        rules.settle = .seconds(settle)
        rules.scanInterval = .seconds(scan)
        rules.ignored = outputs
        return rules
    }
}
