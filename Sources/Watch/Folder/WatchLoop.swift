internal import Base
internal import Glibc
internal import SystemPackage

/// The work of a watcher's thread: it reads the kernel's notices, lists folders, looks at files when it is time, and sees
/// that the root is still there. Each turn does a little of everything, so nothing waits for a long scan.
final class WatchLoop {
    let control: WatchControl
    private let onEvent: @Sendable (WatchEvent) -> Void
    private let origin = SuspendingClock.now

    var rules: WatchRules
    var tracker: SettleTracker
    var folders = FolderMap()
    /// Folders to be listed, and whether they are those of a scan of everything.
    var pending = FolderQueue()
    private var isScanning = false
    /// The folders to be left out, however their paths are written.
    var ignored: Set<FolderIdentity> = []

    var root = RootKeeper()
    var inotify: Inotify?
    /// Other machines may write here.
    private(set) var isRemote = false

    private var nextRootCheck: Duration = .zero
    private var nextScan: Duration = .zero
    private var saidOnce: Set<String> = []
    private var saidOf: Set<FilePath> = []

    /// How often the root is looked at while it is there, and while it is not.
    static let rootInterval: Duration = .seconds(5)
    static let lostInterval: Duration = .seconds(1)
    static let shortestScanInterval: Duration = .seconds(1)
    /// Files looked at in one turn, and reads of the kernel's queue.
    private static let mostLooks = 256
    private static let mostReads = 16
    /// A network file system's client writes what it was given when it likes, so a pause says less than on a disk.
    static let remoteSettle: Duration = .seconds(10)

    init(control: WatchControl, onEvent: @escaping @Sendable (WatchEvent) -> Void) {
        self.control = control
        self.onEvent = onEvent
        // There are rules from the beginning on: those of the watcher's making.
        rules = control.take().rules!
        tracker = SettleTracker(settle: rules.settle, patience: rules.patience)
    }

    /// Seconds that this machine was awake since the beginning, so that neither a clock that is set nor a sleep makes a file look old.
    var now: Duration { SuspendingClock.now - origin }

    func run() {
        control.noteThread()
        while obey() {
            if now >= nextRootCheck { checkRoot() }
            if root.isThere { work() }
            control.note(settling: tracker.settlingCount, isRootThere: root.isThere)
            wait()
        }
    }

    func emit(_ event: WatchEvent) {
        if !control.isStopped { onEvent(event) }
    }

    /// Tells the user something once in the watcher's life.
    func say(once text: String) {
        if saidOnce.count < 1000, saidOnce.insert(text).inserted { emit(.notice(text)) }
    }

    /// Tells the user something once about each of some files: many of them leave room for other words.
    func say(onceOf path: FilePath, _ text: String) {
        guard saidOf.count < 100, saidOf.insert(path).inserted else { return }
        emit(.notice(text))
    }

    private func obey() -> Bool {
        let orders = control.take()
        guard !orders.isStopped else { return false }
        if let new = orders.rules { adopt(new) }
        if orders.wantsScan { requestScan() }
        return true
    }

    private func adopt(_ new: WatchRules) {
        let isSameRoot = new.root == rules.root
        rules = new
        nextScan = now
        guard isSameRoot else {
            leaveRoot()
            root = RootKeeper()
            nextRootCheck = now
            return
        }
        setSettle()
        tracker.forget { !rules.admits($0.path) }
        for folder in folders.all where !folder.isEmpty && !rules.admitsFolders(to: folder) { forget(folder) }
    }

    private func work() {
        readNotices()
        guard root.isThere else { return }
        if !isScanning, now >= nextScan { beginScan() }
        if let folder = pending.next() { list(folder) }
        if root.isThere, isScanning, pending.isEmpty { endScan() }
        if root.isThere { lookAtDue() }
    }

    private func wait() {
        var moment = nextRootCheck
        if root.isThere {
            guard pending.isEmpty else { return }
            moment = min(moment, nextScan, tracker.nextDeadline ?? moment)
        }
        let left = max(.zero, moment - now).components
        // Rounded up: waking a moment early would mean a turn for nothing.
        let milliseconds = min(left.seconds, 3600) * 1000 + left.attoseconds / 1_000_000_000_000_000 + 1
        var sources = [
            pollfd(fd: control.alarm.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: inotify?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        poll(&sources, nfds_t(sources.count), Int32(moment <= now ? 0 : milliseconds))
    }

    // MARK: - Scans

    /// Everything is listed as soon as what is being listed is done.
    func requestScan() { nextScan = min(nextScan, now) }

    private func beginScan() {
        isScanning = true
        // Where the kernel had none left, it may have by now; folders without a watch are tried again as they are listed.
        if inotify == nil { inotify = try? Inotify() }
        nextScan = now + max(rules.scanInterval, Self.shortestScanInterval)
        ignored = Set(
            rules.ignored.compactMap { folder in
                (try? FileStatus.of(folder)).map { FolderIdentity(device: $0.facts.device, inode: $0.facts.inode) }
            })
        pending.push(FilePath())
    }

    private func endScan() {
        isScanning = false
        // The next comes after a whole pause, or at once where it was asked for meanwhile, but never without any pause.
        nextScan = max(min(nextScan, now + max(rules.scanInterval, Self.shortestScanInterval)), now + Self.shortestScanInterval)
        for folder in tracker.folders where folders[folder] == nil { tracker.gone(folder: folder, at: now) }
        emit(.scanned(files: tracker.count))
    }

    // MARK: - The root

    func checkRoot() {
        nextRootCheck = now + (root.isThere ? Self.rootInterval : Self.lostInterval)
        switch root.judge(RootKeeper.look(at: rules.root), holder: { Mount.holding(rules.root) }) {
        case .none: break
        case .lost(let reason):
            leaveRoot()
            emit(.rootLost(reason))
        case .back: enterRoot()
        case .replaced:
            leaveRoot()
            emit(.rootLost("another folder is in its place"))
            enterRoot(isAgain: true)
        }
    }

    /// The kernel has said that the root's watch is over; the folder that is there now may have the same numbers.
    func loseRoot(_ reason: String) {
        guard case .lost = root.lose(reason) else { return }
        leaveRoot()
        emit(.rootLost(reason))
        checkRoot()
    }

    private func leaveRoot() {
        inotify = nil
        folders.removeAll()
        pending.removeAll()
        isScanning = false
        tracker.forgetAll()
        nextRootCheck = now + Self.lostInterval
    }

    private func enterRoot(isAgain: Bool = false) {
        nextRootCheck = now + Self.rootInterval
        nextScan = now
        isRemote = root.mount?.isRemote ?? false
        setSettle()
        do {
            inotify = try Inotify()
        } catch {
            inotify = nil
            say(
                once: "the kernel does not give notices of changes in \(rules.root.display) (\(error)): it is only scanned; "
                    + "raise fs.inotify.max_user_instances")
        }
        if isAgain || root.hasBeenLost { emit(.rootBack) }
        if isRemote, let type = root.mount?.type {
            say(once: "\(rules.root.display) is on a file system of other machines (\(type)): what they change is found by scans")
        }
    }

    private func setSettle() {
        tracker.settle = isRemote ? max(rules.settle, Self.remoteSettle) : max(rules.settle, .zero)
        tracker.patience = rules.patience
    }

    // MARK: - The kernel's notices

    private func readNotices() {
        for _ in 0..<Self.mostReads {
            guard let events = inotify?.read(), !events.isEmpty, !control.isStopped else { return }
            for event in events {
                heed(event)
                guard root.isThere else { return }
            }
        }
    }

    // MARK: - Files

    private func lookAtDue() {
        var intact: [FilePath: Bool] = [:]
        for key in tracker.due(at: now, limit: Self.mostLooks) {
            guard !control.isStopped else { return }
            let look: FileLook
            do throws(TrustedPath.Failure) {
                look = try FileLook.at(key.path, below: rules.root, isRemote: isRemote)
            } catch {
                heed(error, key.path)
                guard case .foreignLink = error else {
                    tracker.postpone(key, at: now)
                    continue
                }
                // What was there has made way for it.
                look = FileLook(facts: nil, writers: .unknown)
            }
            if look.facts == nil {
                let isIntact = intact[key.folder] ?? isIntact(key.folder)
                guard root.isThere else { return }
                intact[key.folder] = isIntact
                guard isIntact else { continue }
            }
            if look.facts != nil, look.writers == .unknown { sayUnknown() }
            tell(key, tracker.looked(key, look.facts, look.writers, at: now))
        }
    }

    private func sayUnknown() {
        let cause = isRemote ? "other machines may write there" : "CAP_LEASE is missing, or the file system has no leases"
        say(
            once: "who has files below \(rules.root.display) open for writing is not known (\(cause)): a file that nobody was seen to "
                + "close is taken when it has not changed for \(rules.patience.components.seconds) s")
    }

    private func tell(_ key: FileKey, _ verdict: SettleTracker.Verdict) {
        switch verdict {
        case .nothing: break
        case .ready(let facts):
            emit(
                .ready(
                    FoundFile(
                        relativePath: key.path, size: facts.size, modified: facts.modified, device: facts.device, inode: facts.inode)))
        case .vanished: emit(.vanished(key.path))
        case .staysOpen:
            let minutes = SettleTracker.openPatience.components.seconds / 60
            emit(
                .notice(
                    "\(rules.root.pushing(key.path).display) has not changed for \(minutes) min, but a program still has it open for "
                        + "writing; it is taken when that closes it"))
        }
    }
}
