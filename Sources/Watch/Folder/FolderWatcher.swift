internal import Foundation
internal import Synchronization

/// Watches a folder and tells which files in it are complete.
///
/// It works on a thread of its own, on which `onEvent` is called, too: one event at a time, in order, and the watcher waits
/// until the call returns. The kernel's notices (inotify(7)) say at once what happens; scans find what they do not tell of, such
/// as what other machines do on a network file system.
public final class FolderWatcher: Sendable {
    private let control: WatchControl
    private let onEvent: @Sendable (WatchEvent) -> Void

    public init(rules: WatchRules, onEvent: @escaping @Sendable (WatchEvent) -> Void) {
        control = WatchControl(rules: rules)
        self.onEvent = onEvent
    }

    deinit { control.stop() }

    /// Begins; where the root is not there, the first event says so. A watcher is started once.
    public func start() {
        guard control.begin() else { return }
        let thread = Thread { [control, onEvent] in
            WatchLoop(control: control, onEvent: onEvent).run()
            control.noteEnd()
        }
        thread.name = "watch"
        thread.start()
    }

    /// Scans as soon as possible.
    public func rescan() { control.rescan() }

    /// Goes on with other rules. Under the same root nothing that was told is told again.
    public func update(_ rules: WatchRules) { control.update(rules) }

    /// Ends the watching. No event comes after this has returned, unless called from within one; where the file system hangs,
    /// the thread is left to itself after two seconds, and its events are dropped.
    public func stop() {
        control.stop()
        control.waitForEnd(upTo: 2)
    }

    /// Files that were seen and are not complete yet.
    public var settlingCount: Int { control.settlingCount }

    /// False while the root is lost, and before it was looked at for the first time.
    public var isRootThere: Bool { control.isRootThere }
}
