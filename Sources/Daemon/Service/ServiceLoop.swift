internal import Foundation
internal import Jobs
internal import Logging
internal import SystemPackage
internal import Watch
internal import Web

/// The daemon's work loop: takes what watchers, workers and users say, one after another, and acts on it.
///
/// Everything it has lives on one thread, so that there is one order of events; what blocks for long (workers, copies of
/// large files) runs elsewhere and reports back by message.
final class ServiceLoop {
    enum Message: Sendable {
        /// - Parameter watch: which watching it comes from.
        case watch(folder: String, watch: UUID, WatchEvent)
        case worker(job: Int64, WorkMessage)
        case workerEnded(job: Int64, ChildEnd)
        case disposed(job: Int64, SourceDisposal.Outcome)
        /// Something outside has changed: look at the store and the relays.
        case poke
        case reload
        case stop
    }

    let mailbox: Mailbox<Message>
    let board: StatusBoard
    let log: Logger
    var configuration: Configuration
    let store: JobStore
    /// Names this daemon's hidden folders.
    let token: String
    let owner = ProcessIdentity.current
    let started = ContinuousClock.now
    var folders: [String: WatchedFolder] = [:]
    var sessions: [Int64: WorkerSession] = [:]
    var leases: [Int64: Lease] = [:]
    /// Files that came while the store could not be written.
    var untaken: [(folder: String, file: FoundFile)] = []
    /// Jobs whose source is to be moved or deleted, and when.
    var disposals: [Int64: ContinuousClock.Instant] = [:]
    /// The one of them whose source is being moved or deleted now.
    var disposing: Int64?
    /// What sources that are to be moved or deleted were when they were first seen.
    var sightings: [Int64: SourceDisposal.Sighting] = [:]
    var hasToldOfWriters = false
    /// Workers of a job, in a row, that somebody outside has ended.
    var outsideEnds: [Int64: Int] = [:]
    /// What ends the daemon by itself.
    private var fatal: (any Error)?
    var history: ThroughputHistory
    var counters: [String: Int] = [:]
    var figures = FigureSampler()
    let relays: RelaySupervisor
    let version: String
    private let onReload: @Sendable (Configuration) -> Void
    private let reloading: @Sendable () throws -> Configuration
    private let notify: Notify?
    private(set) var isStopping = false
    private var dataVersion: JobStore.Version?
    private var lastPost = ContinuousClock.now - .seconds(10)
    private var lastCheck = ContinuousClock.now - .seconds(10)

    /// Seconds of the loop's clock since the daemon started.
    var now: Double { (ContinuousClock.now - started).seconds }

    init(
        _ configuration: Configuration, version: String, token: String, store: JobStore, mailbox: Mailbox<Message>, board: StatusBoard, relays: RelaySupervisor,
        notify: Notify?, log: Logger, reloading: @escaping @Sendable () throws -> Configuration, onReload: @escaping @Sendable (Configuration) -> Void
    ) {
        self.configuration = configuration
        self.version = version
        self.token = token
        self.onReload = onReload
        self.store = store
        self.mailbox = mailbox
        self.board = board
        self.relays = relays
        self.notify = notify
        self.log = log
        self.reloading = reloading
        history = ThroughputHistory(now: 0)
    }

    /// Runs until it is told to stop and everything is at rest. Throws `JobError` where the store cannot be used.
    func run() throws {
        try recover()
        openFolders()
        relays.start()
        post(force: true)
        notify?.ready()
        log.info("ready", metadata: ["folders": "\(folders.count)", "relays": "\(configuration.relays.count)"])
        while !(isStopping && sessions.isEmpty) {
            for message in mailbox.take(waiting: Self.pause) {
                handle(message)
                notify?.alive()
            }
            supervise()
            notify?.alive()
        }
        close()
        if let fatal { throw fatal }
    }

    /// Seconds between two looks at what nobody reports: the store, disks, leases, workers that hang.
    private static let pause = 0.5

    private func handle(_ message: Message) {
        switch message {
        case .watch(let folder, let watch, let event): if !isStopping, folders[folder]?.watch == watch { handle(event, in: folder) }
        case .worker(let job, let message): sessions[job].map { take(message, from: $0) }
        case .workerEnded(let job, let exit): sessions.removeValue(forKey: job).map { ended($0, exit) }
        case .disposed(let job, let outcome): disposed(job, outcome)
        case .poke: break
        case .reload: reload()
        case .stop: beginStop()
        }
    }

    private func supervise() {
        history.tick(now: now, wall: Date().timeIntervalSince1970)
        guard !isStopping else { return enforceStop() }
        do { try obeyRequests() } catch let error as JobError where error.code == .databaseUnavailable {
            // Removed or replaced: nothing that is written from now on would be found again.
            fatal = error
            beginStop()
            return
        } catch {
            log.error("cannot look at the store", metadata: ["error": "\(error)"])
        }
        if ContinuousClock.now - lastCheck >= .seconds(1) {
            lastCheck = .now
            watchWorkers()
            watchOutputs()
            watchDisks()
            watchLeases()
            guarded("look for room") { try releaseDisks() }
            guarded("take files") { try takeUntaken() }
            guarded("look for jobs without a worker") { try adoptOrphans() }
            guarded("remove leftovers") { try sweep() }
            guarded("move or delete a source") { try disposeNext() }
        }
        guarded("start jobs") { try startJobs() }
        post(force: false)
    }

    /// Runs what may fail without the daemon failing: the next round tries again.
    func guarded(_ what: String, _ body: () throws -> Void) {
        do { try body() } catch { log.error("cannot \(what)", metadata: ["error": "\(error)"]) }
    }

    func count(_ name: String, _ by: Int = 1) { counters[name, default: 0] += by }

    // MARK: - Requests

    /// What users asked for through the web page, the command line or the database.
    private func obeyRequests() throws {
        let version = try store.dataVersion()
        guard version != dataVersion else { return }
        for session in sessions.values where !session.wasKilled {
            guard let job = try store.job(session.job.id), job.state.isActive, job.owner == owner else {
                // Somebody took this daemon for dead: there must not be two workers at one job.
                session.kill()
                continue
            }
            switch job.request {
            case .cancel: session.kill()
            case .pause: session.stop()
            case .resume, .retry, nil: break
            }
        }
        dataVersion = version
    }

    // MARK: - Reload

    private func reload() {
        notify?.reloading()
        defer { notify?.ready() }
        let next: Configuration
        do { next = try reloading() } catch {
            log.error("the configuration is left as it was", metadata: ["error": "\(error)"])
            return
        }
        for (name, isFixed) in [("state", next.state == configuration.state), ("work", next.work == configuration.work), ("web", next.web == configuration.web)] where !isFixed {
            log.warning("a change of '\(name)' takes effect at the next start")
        }
        ServiceLog.set(level: next.logLevel)
        configuration.jobs = next.jobs
        configuration.logLevel = next.logLevel
        configuration.checkpoint = next.checkpoint
        configuration.diskFloor = next.diskFloor
        configuration.folders = next.folders
        configuration.relays = next.relays
        openFolders()
        guarded("release jobs") { try store.releaseAll(.root) }
        relays.update(next.relays)
        onReload(configuration)
        log.info("configuration reloaded", metadata: ["folders": "\(folders.count)", "relays": "\(next.relays.count)"])
    }

    // MARK: - End

    private var stopDeadline = ContinuousClock.now

    private func beginStop() {
        guard !isStopping else { return }
        isStopping = true
        notify?.stopping()
        log.info("stopping", metadata: ["running": "\(sessions.count)"])
        stopDeadline = .now + Self.grace
        for session in sessions.values { session.stop() }
        relays.stop()
        post(force: true)
    }

    /// How long workers have for a checkpoint; the rest of 10 s is for everything else.
    private static let grace = Duration.seconds(8)

    private func enforceStop() {
        guard ContinuousClock.now >= stopDeadline else { return }
        for session in sessions.values { session.kill() }
    }

    private func close() {
        mailbox.close()
        guarded("remove leftovers") { try sweep() }
        for lease in leases.values { lease.release() }
        for folder in folders.values { folder.close() }
        relays.waitUntilStopped()
        board.close()
    }

    // MARK: - Status

    private func post(force: Bool) {
        guard force || ContinuousClock.now - lastPost >= .milliseconds(500) else { return }
        lastPost = .now
        let status = statusNow(isStopping: isStopping)
        board.post(status)
        let running = sessions.isEmpty ? "idle" : "\(sessions.count) running, \(((history.points.last?.framesPerSecond ?? 0) * 10).rounded() / 10) fps"
        notify?.status(isStopping ? "stopping" : running)
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
