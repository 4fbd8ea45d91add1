internal import Foundation
internal import Glibc
internal import Jobs
internal import SystemPackage

/// One worker process and what it has told so far. Used by the service's thread only.
final class WorkerSession {
    let job: Job
    let order: WorkOrder
    /// Its last word about how it ended; nil as long as there is none.
    private(set) var last: WorkMessage?
    /// Frames of the newest progress.
    var lastFrames: Int
    /// The job whose result it may copy.
    let twin: Int64?
    /// What its job's settings come to by now, where that is not what the job was planned with.
    private(set) var settingsNow: String?
    private(set) var wasKilled = false
    private(set) var wasStalled = false
    /// The watcher has seen that its source was removed.
    var sourceIsGone = false
    /// How often the kernel had made room by killing when the worker was started.
    let killsBefore = MachineFigures.outOfMemoryKills
    private let process: ChildProcess
    private let started = ContinuousClock.now
    private var lastWrite: ContinuousClock.Instant?
    private var safe = 0
    private var lastSign = ContinuousClock.now
    private var lastBusy = 0.0
    private var stopDeadline: ContinuousClock.Instant?

    /// What a job that was stopped has to wait for.
    struct Reason {
        var hold: JobHold
        var note: String
        /// Nil where the service is to say when it is over.
        var until: Date?
    }

    /// Ways in which a process dies by its own fault (signal(7)).
    static let ownDeaths: Set<Int32> = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS]
    /// Seconds without a message and without using the processor after which a worker counts as hung.
    static let patience = 600.0
    /// Seconds that a worker has for its last checkpoint.
    private static let grace = Duration.seconds(8)

    /// A worker that crashes is gone at once: a backtrace takes Swift's runtime ten seconds, and systemd keeps the core.
    private static let environment = ChildProcess.inheritedEnvironment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }

    /// Starts the worker. Throws `ServiceError` where it cannot be started.
    init(job: Job, order: WorkOrder, twin: Int64?, post: @escaping @Sendable (ServiceLoop.Message) -> Void) throws {
        self.job = job
        self.order = order
        self.twin = twin
        lastFrames = job.framesDone
        let id = job.id
        process = try ChildProcess.start(
            ChildOrder(ChildProcess.ownProgram, ["worker"], environment: Self.environment, input: try JSONEncoder().encode(order) + Data([UInt8(ascii: "\n")])),
            onLine: { line in
                guard let message = try? JSONDecoder().decode(WorkMessage.self, from: line) else { return }
                post(.worker(job: id, message))
            },
            onEnd: { post(.workerEnded(job: id, $0)) })
    }

    var pid: Int32 { process.pid }
    /// Seconds since it was started.
    var busy: Double { (ContinuousClock.now - started).seconds }

    func heard(_ message: WorkMessage) {
        lastSign = .now
        switch message {
        case .finished, .foundDone, .failed, .stopped: last = message
        case .settingsNow(let identity): settingsNow = identity
        default: break
        }
    }

    /// True where this progress is worth a write: the first, one with more frames in safety, and else one in 2 s.
    func isProgressDue(safe: Int) -> Bool {
        let now = ContinuousClock.now
        if let lastWrite, now - lastWrite < .seconds(2), safe == self.safe { return false }
        lastWrite = now
        self.safe = safe
        return true
    }

    var isStopping: Bool { stopDeadline != nil }
    /// Why the service ended it, where the job shall wait for something then.
    private(set) var hold: Reason?

    /// Asks for a checkpoint and an end.
    func stop(because hold: Reason? = nil) {
        guard stopDeadline == nil else { return }
        self.hold = hold
        stopDeadline = .now + Self.grace
        process.closeInput()
    }

    /// Ends it at once; what is behind the last checkpoint is lost.
    func kill(because hold: Reason? = nil) {
        self.hold = hold ?? self.hold
        wasKilled = true
        process.kill()
    }

    /// Looks whether it hangs, or has been asked to stop for too long.
    func check() {
        let now = ContinuousClock.now
        if let stopDeadline, now >= stopDeadline { return kill() }
        let busy = ProcessFigures.read("\(process.pid)").busy
        if busy > lastBusy {
            lastBusy = busy
            lastSign = now
        }
        guard (now - lastSign).seconds > Self.patience else { return }
        wasStalled = true
        kill()
    }
}
