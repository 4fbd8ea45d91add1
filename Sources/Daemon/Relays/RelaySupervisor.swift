internal import Foundation
internal import Logging
internal import Web

/// Runs the relays of a configuration, each in a process of its own, for as long as the daemon runs.
final class RelaySupervisor: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `lock`.
    private let lock = NSLock()
    private var relays: [RelayProcess]
    /// The names of `relays`, in their order.
    private var names: [String]
    /// Relays that the configuration has no more, until their process has ended.
    private var leaving: [RelayProcess] = []
    private let context: RelayProcess.Context

    /// Seconds that the end of all relays is waited for: theirs, and a moment for the killing.
    private static let patience = 9.0

    /// - Parameters:
    ///   - pictures: the folder for a relay's pictures and its control socket, by name; made where it is missing.
    ///   - onChange: called from any thread when a relay's state has changed.
    ///   - program: what to start; its arguments begin with `relay`.
    init(
        _ relays: [RelaySettings], pictures: @escaping @Sendable (String) -> String, log: Logger,
        onChange: @escaping @Sendable () -> Void, program: String = ChildProcess.ownProgram,
        environment: [String: String] = ChildProcess.inheritedEnvironment
    ) {
        let context = RelayProcess.Context(
            program: program, environment: environment, pictures: pictures, log: log, onChange: onChange)
        self.context = context
        self.relays = relays.map { RelayProcess($0, context: context) }
        names = relays.map(\.name)
    }

    func start() { for relay in lock.withLock({ relays }) { relay.start() } }

    /// Stops the relays that are not there any more, starts new ones, and starts those anew whose settings have changed, or
    /// that had ended; all others go on undisturbed.
    func update(_ next: [RelaySettings]) {
        lock.withLock {
            let known = Dictionary(uniqueKeysWithValues: zip(names, relays))
            let wanted = Set(next.map(\.name))
            for (name, relay) in known where !wanted.contains(name) {
                relay.stop()
                leaving.append(relay)
            }
            leaving.removeAll(where: \.isAtRest)
            relays = next.map { settings in
                if let relay = known[settings.name] {
                    relay.change(to: settings)
                    return relay
                }
                let relay = RelayProcess(settings, context: context)
                relay.start()
                return relay
            }
            names = next.map(\.name)
        }
    }

    /// Tells all relays to end; returns at once.
    func stop() { for relay in all { relay.stop() } }

    /// Blocks until all have ended after `stop()`, within nine seconds.
    func waitUntilStopped() {
        let deadline = ContinuousClock.now + .seconds(Self.patience)
        while all.contains(where: \.isWorking), ContinuousClock.now < deadline { usleep(10_000) }
    }

    /// In the order of the configuration.
    var states: [RelayState] { lock.withLock { relays }.map(\.state) }

    /// Process ids of those that run.
    var processes: [Int32] { all.compactMap(\.pid) }

    private var all: [RelayProcess] { lock.withLock { relays + leaving } }
}
