internal import Foundation
internal import Logging
internal import Web

/// One relay of the configuration: its process, started again whenever it ends by itself.
final class RelayProcess: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `lock`.
    private let lock = NSLock()
    private var settings: RelaySettings
    private var relay: RelayState
    private var child: ChildProcess?
    private var isWanted = true
    /// Counts what supersedes a planned start.
    private var generation = 0
    private var pause = RelayPause()
    private var hasEnded = false
    /// The last reason that was logged, of the relay and of each target, so that an outage of days is not logged every 15 s.
    private var logged: [String: (reason: String, at: ContinuousClock.Instant)] = [:]

    private let context: Context

    /// What all relays of a supervisor share.
    struct Context: Sendable {
        let program: String
        let environment: [String: String]
        let pictures: @Sendable (String) -> String
        let log: Logger
        let onChange: @Sendable () -> Void
    }

    /// Seconds that a relay has to say goodbye before it is killed.
    static let patience = Duration.seconds(8)
    /// Seconds between two status lines.
    static let statusInterval = 2
    private static let repetition = Duration.seconds(600)

    init(_ settings: RelaySettings, context: Context) {
        self.settings = settings
        self.context = context
        relay = RelayState(name: settings.name, state: "starting", source: settings.source)
    }

    var state: RelayState {
        let (state, name) = lock.withLock { (relay, settings.name) }
        var shown = state
        shown.hasPicture = FileManager.default.fileExists(atPath: context.pictures(name) + "/after.jpg")
        return shown
    }

    var pid: Int32? { lock.withLock { child?.pid } }

    /// Nothing of it runs or will run.
    var isAtRest: Bool { lock.withLock { !isWanted && child == nil } }

    var isWorking: Bool { lock.withLock { child != nil } }

    // MARK: - Told from outside

    /// Starts the process, unless it runs.
    func start() { lock.withLock { startNow() } }

    /// Goes on with other settings: the process is told to end, and the next one has them.
    func change(to next: RelaySettings) {
        lock.withLock {
            guard next != settings || hasEnded else { return }
            settings = next
            (isWanted, hasEnded, pause) = (true, false, RelayPause())
            generation += 1
            relay = RelayState(name: next.name, state: "restarting", source: next.source, starts: relay.starts)
            if let child { child.stop(patience: Self.patience) } else { startNow() }
        }
    }

    /// Ends the process in order, and starts it no more.
    func stop() {
        lock.withLock {
            isWanted = false
            generation += 1
            child?.stop(patience: Self.patience)
        }
    }

    // MARK: - The process

    /// With `lock` held.
    private func startNow() {
        guard isWanted, child == nil, !hasEnded else { return }
        let folder = context.pictures(settings.name)
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
            let began = ContinuousClock.now
            child = try ChildProcess.start(
                ChildOrder(context.program, arguments(folder), environment: context.environment, oomScore: 250),
                onLine: { [weak self] in self?.heard($0) },
                onErrorLine: { [log = context.log, name = settings.name] in
                    log.debug("\(String(decoding: $0, as: UTF8.self))", metadata: ["relay": "\(name)"])
                },
                onEnd: { [weak self] in self?.ended($0, after: ContinuousClock.now - began) })
            relay = RelayState(name: settings.name, state: "starting", source: settings.source, starts: relay.starts + 1)
        } catch {
            failed("\(error)", afterRunning: 0)
        }
    }

    private func arguments(_ folder: String) -> [String] {
        var arguments = [
            "relay", "--json", "--until-input-ends", "--status-interval=\(Self.statusInterval)", "--preview-folder=\(folder)",
        ]
        // A socket's address has room for 107 bytes (unix(7)).
        let control = folder + "/control"
        if control.utf8.count <= 107 { arguments.append("--control=\(control)") }
        return arguments + settings.arguments + [settings.source] + settings.targets
    }

    private func heard(_ line: Data) {
        guard let report = RelayReport(line: line) else { return }
        let hasChanged = lock.withLock {
            log(report)
            return report.apply(to: &relay)
        }
        if hasChanged { context.onChange() }
    }

    private func ended(_ end: ChildEnd, after run: Duration) {
        lock.withLock {
            child = nil
            guard isWanted else {
                (relay.state, relay.reason) = ("stopped", nil)
                return
            }
            // Told to end for a change of settings.
            if end.sent == SIGTERM || end.sent == SIGKILL { return startNow() }
            if end.cause == .exited(0) {
                hasEnded = true
                (relay.state, relay.reason) = ("stopped", relay.reason ?? "the source has ended")
                log("relay has ended", level: .notice, reason: relay.reason ?? "")
                return
            }
            failed(reason(of: end), afterRunning: run.seconds)
        }
        context.onChange()
    }

    /// With `lock` held: plans the next start.
    private func failed(_ reason: String, afterRunning seconds: Double) {
        var generator = SystemRandomNumberGenerator()
        let seconds = pause.next(afterRunning: seconds, using: &generator)
        relay = RelayState(name: settings.name, state: "restarting", reason: reason, source: settings.source, starts: relay.starts)
        if isNews(reason, of: "process") {
            log("relay failed", level: .error, reason: reason, more: ["next_start_in": "\(String(format: "%.1f", seconds)) s"])
        }
        let planned = generation
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { [weak self] in
            guard let self else { return }
            lock.withLock { if generation == planned { startNow() } }
            context.onChange()
        }
    }

    /// With `lock` held.
    private func reason(of end: ChildEnd) -> String {
        if case .signalled(let number) = end.cause { return "it died of signal \(number) (\(String(cString: strsignal(number))))" }
        if let told = relay.reason, relay.state != "lost" { return told }
        let last = end.errors.split(separator: "\n").last.map(String.init) ?? "\(end.cause)"
        return last.hasPrefix("solstice: ") ? String(last.dropFirst("solstice: ".count)) : last
    }

    // MARK: - Log, with `lock` held

    private func log(_ report: RelayReport) {
        switch (report.event, report.state) {
        case (.listening, _): log("relay listens", level: .notice, reason: nil, more: ["address": "\(report.address ?? "")"])
        case (.notice, _): log("relay: \(report.text ?? "")", level: .notice, reason: nil)
        case (.source, "playing"):
            logged["source"] = nil
            log("relay plays", level: .notice, reason: nil, more: ["source": "\(report.description ?? "")"])
        case (.source, "lost"): if isNews(report.reason ?? "", of: "source") { log("relay lost its source", level: .warning, reason: report.reason) }
        case (.target, "running"):
            logged[report.address ?? ""] = nil
            log("relay sends", level: .info, reason: nil, more: ["target": "\(report.address ?? "")"])
        case (.target, "lost"):
            guard isNews(report.reason ?? "", of: report.address ?? "") else { return }
            log("relay lost a target", level: .warning, reason: report.reason, more: ["target": "\(report.address ?? "")"])
        case (.target, "slow"): log("a target is too slow", level: .warning, reason: nil, more: ["target": "\(report.address ?? "")"])
        case (.reader, "refused"): log("a reader is refused", level: .warning, reason: report.reason, more: ["reader": "\(report.address ?? "")"])
        case (.reader, let state?): log("reader \(state)", level: .debug, reason: report.reason, more: ["reader": "\(report.address ?? "")"])
        default: break
        }
    }

    private func log(_ text: String, level: Logger.Level, reason: String?, more: Logger.Metadata = [:]) {
        var fields = more
        fields["relay"] = "\(settings.name)"
        if let reason { fields["why"] = "\(reason)" }
        context.log.log(level: level, "\(text)", metadata: fields)
    }

    private func isNews(_ reason: String, of subject: String) -> Bool {
        let now = ContinuousClock.now
        if let last = logged[subject], last.reason == reason, now - last.at < Self.repetition { return false }
        // Readers and targets come from a configuration: they are few.
        logged[subject] = (reason, now)
        return true
    }
}
