public import Foundation

/// What happens to a job; `JobMachine` says what becomes of it.
public enum JobEvent: Sendable, Equatable {
    /// A worker is started by this process.
    case claimed(ProcessIdentity)
    /// SHA-256 of the content. A job whose content is in quarantine, or is at work in another job, is not active any more after it:
    /// its worker is to be ended.
    case hashed(String)
    /// The content is in quarantine: it is not tried.
    case quarantined
    /// The source was opened; frames as far as its container says.
    case probed(frames: Int?)
    /// Frames rendered, of which `safe` are in the journal.
    case progress(frames: Int, safe: Int, total: Int?, framesPerSecond: Double)
    case verifying
    /// A line for the user about the result.
    case notice(String)
    /// The result is in place. `frames` is nil where it was there already and nobody counted.
    case finished(frames: Int?, bytes: Int64, copyOf: Int64?)
    case failed(JobFailure)
    /// The worker ended without a word.
    case died(WorkerDeath)
    /// The worker was stopped, or its owner died: counts nothing. `safe` is nil where it is not known.
    case interrupted(safe: Int?)
    case request(JobRequest)
    /// Must wait; an active job goes back to the queue for it. `until` is nil where somebody is to say `released`.
    case held(JobHold, String, until: Date?)
    /// The reason to wait is gone; a job that the user has paused stays so.
    case released
    /// The file has changed, and another job is there for it.
    case replaced(by: Int64)
    /// The file is not among those of its folder any more. A queued job is cancelled until the file is back; an active one is left to its worker.
    case sourceVanished
    /// The file of a job that `sourceVanished` cancelled is back, the same as before.
    case sourceBack
}

/// How a worker that told no result has ended.
public enum WorkerDeath: Sendable, Equatable {
    /// The signal's number.
    case signal(Int32)
    /// The kernel took it, or its memory limit.
    case outOfMemory
    /// Its exit code.
    case exit(Int32)

    /// Linux, signal(7): SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS. A SIGKILL comes from outside.
    static let faults: [Int32: String] = [4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV", 31: "SIGSYS"]

    /// The content is to blame, as far as one can tell: the worker died by itself.
    public var isOfContent: Bool {
        switch self {
        case .signal(let number): Self.faults[number] != nil
        case .outOfMemory: true
        case .exit: false
        }
    }

    /// As what the job fails when that is to be its last attempt; it may pass otherwise.
    public var failure: JobFailure {
        switch self {
        case .signal(let number):
            let name = Self.faults[number] ?? (number == 9 ? "SIGKILL" : number == 15 ? "SIGTERM" : "signal \(number)")
            let words = isOfContent ? "the worker crashed" : "the worker was ended from outside"
            return JobFailure(code: isOfContent ? "crashed" : "killed", text: "\(words) (\(name))", mayPass: true)
        case .outOfMemory:
            return JobFailure(code: "outOfMemory", text: "the worker ran out of memory", mayPass: true)
        case .exit(let status):
            return JobFailure(code: "internalFailure", text: "the worker ended without a result (exit code \(status))", mayPass: true)
        }
    }
}
