public import Foundation

/// What becomes of a job when something happens to it: every transition there is, and nothing else.
public struct JobMachine {
    /// Notices that a job keeps; beyond them the first ones stay.
    static let mostNotices = 50

    /// Changes `job` as `event` demands.
    ///
    /// - Parameter deathsOfContent: how many workers have died of the job's content, with the one that `event` may be about.
    /// - Throws: `.notPossible` where the job is not in a state for the event; `job` is then as before.
    public static func apply(
        _ event: JobEvent, to job: inout Job, now: Date, policy: RetryPolicy = RetryPolicy(), deathsOfContent: Int = 0
    ) throws(JobError) {
        var machine = JobMachine(job: job, now: now, policy: policy, deathsOfContent: deathsOfContent)
        try machine.apply(event)
        job = machine.job
    }

    private var job: Job
    private let now: Date
    private let policy: RetryPolicy
    private let deathsOfContent: Int

    private mutating func apply(_ event: JobEvent) throws(JobError) {
        switch event {
        case .request(let request): try obey(request)
        case .held(let reason, let note, let until): try hold(reason, note, until: until)
        case .released: try release()
        case .replaced(let other): replace(by: other)
        case .quarantined: try shutAway()
        case .sourceVanished: vanish()
        case .sourceBack: try comeBack()
        case .claimed(let owner): try claim(owner)
        default: try advance(event)
        }
    }

    // MARK: a worker's own events

    /// What only happens to an active job.
    private mutating func advance(_ event: JobEvent) throws(JobError) {
        guard job.state.isActive else { throw refusal("no worker is at it") }
        switch event {
        case .hashed(let hash): try hashed(hash)
        case .probed(let frames):
            guard job.state == .probing else { throw refusal("it has been probed") }
            job.state = .running
            job.framesTotal = frames
        case .progress(let frames, let safe, let total, let rate): try progress(frames, safe: safe, total: total, rate: rate)
        case .verifying:
            guard job.state != .verifying else { throw refusal("it is being verified already") }
            job.state = .verifying
        case .notice(let text):
            if !job.notices.contains(text), job.notices.count < Self.mostNotices { job.notices.append(text) }
        case .finished(let frames, let bytes, let copyOf): finish(frames: frames, bytes: bytes, copyOf: copyOf)
        case .failed(let failure): fail(failure)
        case .died(let death): die(death)
        case .interrupted(let safe): interrupt(safe: safe)
        default: throw JobError(.internalFailure, "an event of no kind")
        }
    }

    private mutating func claim(_ owner: ProcessIdentity) throws(JobError) {
        guard job.state == .queued else { throw refusal("it does not wait in the queue") }
        guard job.isRunnable(now: now, policy: policy) else { throw refusal("it is held back" + (job.note.map { " (\($0))" } ?? "")) }
        job.state = .probing
        job.owner = owner
        job.attempts += 1
        job.started = now
        (job.hold, job.note, job.notBefore, job.failure, job.request, job.framesPerSecond) = (nil, nil, nil, nil, nil, nil)
        job.notices = []
    }

    private mutating func hashed(_ hash: String) throws(JobError) {
        guard job.state == .probing else { throw refusal("it has been probed") }
        job.identity.contentHash = hash
        if deathsOfContent >= policy.deathsOfContent { try shutAway() }
    }

    private mutating func progress(_ frames: Int, safe: Int, total: Int?, rate: Double) throws(JobError) {
        guard job.state == .running else { throw refusal("nothing is rendered now") }
        job.framesDone = max(0, safe)
        job.framesRendered = max(frames, job.framesDone)
        if let total { job.framesTotal = total }
        job.framesPerSecond = rate.isFinite && rate >= 0 ? rate : nil
    }

    private mutating func finish(frames: Int?, bytes: Int64, copyOf: Int64?) {
        end(.done, nil)
        if let frames { (job.framesDone, job.framesRendered, job.framesTotal) = (frames, frames, frames) }
        (job.outputBytes, job.copyOf, job.failedAttempts) = (bytes, copyOf, 0)
    }

    private mutating func fail(_ failure: JobFailure) {
        if isUnwanted { return giveUp() }
        job.failedAttempts += 1
        guard let pause = policy.pause(after: failure, failedAttempts: job.failedAttempts) else { return end(.failed, failure) }
        requeue()
        job.failure = failure
        job.notBefore = now.addingTimeInterval(pause)
        wait()
    }

    private mutating func die(_ death: WorkerDeath) {
        guard death.isOfContent, deathsOfContent >= policy.deathsOfContent, !isUnwanted else { return fail(death.failure) }
        end(.failed, quarantine(death))
    }

    private mutating func shutAway() throws(JobError) {
        guard !job.state.isFinal else { throw refusal("it is not to be tried") }
        if isUnwanted { giveUp() } else { end(.failed, quarantine(nil)) }
    }

    private func quarantine(_ death: WorkerDeath?) -> JobFailure {
        let last = death.map { ": \($0.failure.text)" } ?? ""
        return JobFailure(
            code: "quarantined", text: "in quarantine, as \(deathsOfContent) workers have died of this content\(last)", mayPass: false)
    }

    private mutating func interrupt(safe: Int?) {
        if let safe { job.framesDone = max(0, safe) }
        if isUnwanted { return giveUp() }
        requeue()
        wait()
    }

    // MARK: holds

    private mutating func hold(_ hold: JobHold, _ note: String, until: Date?) throws(JobError) {
        guard !job.state.isFinal else { throw refusal("it does not wait for anything") }
        if job.state.isActive {
            if isUnwanted { return giveUp() }
            requeue()
        }
        // What the user wants comes first.
        if job.hold == .user { return }
        (job.hold, job.note) = (hold, note)
        if let until { job.notBefore = until }
    }

    private mutating func release() throws(JobError) {
        guard job.state == .queued else { throw refusal("it is not held back") }
        if job.hold != .user { wait() }
    }

    /// Sets the hold of a queued job by what its last attempt left behind.
    private mutating func wait() {
        if job.hold == .user { return }
        let waits = !policy.isDue(job.notBefore, now: now)
        job.hold = waits ? .retry : nil
        job.note = waits ? job.failure?.text : nil
        if !waits { job.notBefore = nil }
    }

    // MARK: requests

    private mutating func obey(_ request: JobRequest) throws(JobError) {
        switch request {
        case .cancel: try cancel()
        case .pause: try pause()
        case .resume: try resume()
        case .retry: try retry()
        }
    }

    private mutating func cancel() throws(JobError) {
        guard !job.state.isFinal else { throw refusal("it is over") }
        if job.state.isActive { job.request = .cancel } else { giveUp() }
    }

    private mutating func pause() throws(JobError) {
        guard !job.state.isFinal else { throw refusal("it is over") }
        guard job.hold != .user, job.request != .pause else { throw refusal("it is paused already") }
        guard job.request != .cancel else { throw refusal("it is being cancelled") }
        if job.state.isActive { job.request = .pause } else { (job.hold, job.note) = (.user, "paused") }
    }

    private mutating func resume() throws(JobError) {
        if job.state.isActive, job.request == .pause { return job.request = nil }
        guard job.state == .queued, job.hold == .user else { throw refusal("it is not paused") }
        job.hold = nil
        wait()
    }

    private mutating func retry() throws(JobError) {
        guard !job.state.isActive else { throw refusal("a worker is at it") }
        if let other = job.replacedBy { throw refusal("its file has changed, and job \(other) is there for it") }
        if job.state == .queued {
            guard job.hold == .retry else { throw refusal(job.hold == .user ? "it is paused" : "it has not been tried yet") }
        }
        (job.state, job.hold, job.note, job.notBefore) = (.queued, nil, nil, nil)
        (job.failedAttempts, job.finished, job.copyOf, job.outputBytes) = (0, nil, nil, nil)
        job.failure = nil
    }

    // MARK: the source

    private mutating func replace(by other: Int64) {
        job.replacedBy = other
        if job.state.isActive { job.request = .cancel } else if job.state != .done { giveUp() }
    }

    private mutating func vanish() {
        guard job.state == .queued else { return }
        end(.cancelled, Self.gone)
        job.note = Self.gone.text
    }

    private mutating func comeBack() throws(JobError) {
        guard job.state == .cancelled, job.failure == Self.gone, job.replacedBy == nil else { throw refusal("its file was there") }
        (job.state, job.note, job.failure, job.finished, job.failedAttempts) = (.queued, nil, nil, nil, 0)
    }

    /// What a job says that was cancelled because its file is gone, or is none of its folder's by a new configuration.
    static let gone = JobFailure(code: "sourceVanished", text: "the file is not among those of its folder any more", mayPass: true)

    // MARK: the ways out

    /// It is not to be tried again, whatever the worker says.
    private var isUnwanted: Bool { job.request == .cancel || job.replacedBy != nil }

    private mutating func giveUp() {
        end(.cancelled, nil)
        job.note = job.replacedBy.map { "the file has changed; job \($0) is there for it" }
    }

    private mutating func end(_ state: JobState, _ failure: JobFailure?) {
        leaveWorker()
        (job.state, job.failure, job.finished) = (state, failure, now)
        (job.hold, job.note, job.notBefore) = (nil, nil, nil)
    }

    private mutating func requeue() {
        let isPaused = job.request == .pause
        leaveWorker()
        job.state = .queued
        (job.hold, job.note, job.notBefore) = isPaused ? (.user, "paused", nil) : (nil, nil, nil)
    }

    private mutating func leaveWorker() {
        // A clock that was set back takes no time off.
        if job.state.isActive, let started = job.started { job.busySeconds += max(0, now.timeIntervalSince(started)) }
        (job.owner, job.request, job.framesRendered) = (nil, nil, job.framesDone)
    }

    private func refusal(_ reason: String) -> JobError { JobError(.notPossible, "job \(job.id) is \(job.state.rawValue): \(reason)") }
}

extension Job {
    /// A worker may be started for it now: it is queued, and nothing holds it back.
    public func isRunnable(now: Date, policy: RetryPolicy = RetryPolicy()) -> Bool {
        guard state == .queued else { return false }
        switch hold {
        case nil, .retry, .lease, .twin: return policy.isDue(notBefore, now: now)
        case .user, .disk, .root: return false
        }
    }
}
