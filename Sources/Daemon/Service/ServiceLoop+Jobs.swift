internal import Foundation
internal import Jobs
internal import Logging
internal import SystemPackage
internal import Watch

/// From a queued job to its end.
extension ServiceLoop {
    // MARK: - Start

    /// Gives every free place to the next job that may run.
    func startJobs() throws {
        // A folder whose leases cannot be taken would send every job back.
        var misses = 0
        while sessions.count < configuration.jobs, misses < 8 {
            // By folder: a full disk stops a thousand jobs at once.
            var refused: [String: (hold: JobHold, note: String)] = [:]
            let workRoom = DiskRoom.of(FilePath(configuration.work))
            let job = try store.claim(owner: owner, now: Date()) { job in
                // Its last worker is still on its way out.
                guard sessions[job.id] == nil else { return false }
                guard let refusal = refusal(of: job, workRoom: workRoom) else { return true }
                refused[job.folder] = refused[job.folder] ?? refusal
                return false
            }
            for (folder, refusal) in refused {
                let held = try store.holdAll(refusal.hold, note: refusal.note, folder: folder)
                log.notice("jobs wait", metadata: ["folder": "\(folder)", "jobs": "\(held.count)", "why": "\(refusal.note)"])
            }
            guard let job else { return }
            if try !start(job) { misses += 1 }
        }
    }

    func refusal(of job: Job, workRoom: DiskRoom?) -> (hold: JobHold, note: String)? {
        guard let folder = folders[job.folder] else {
            return (.root, "the configuration has no folder '\(job.folder)' any more")
        }
        if let reason = folder.lostReason { return (.root, reason) }
        var work = DiskGuard.Place(path: configuration.work, room: workRoom)
        var target = DiskGuard.Place(path: folder.configuration.output, room: folder.outputRoom)
        // What those that run have yet to write is not free any more.
        let promised = sessions.values.reduce(Int64(0)) { $0 + DiskGuard.estimate($1.job) }
        work.room?.free -= promised
        target.room?.free -= promised
        let written = job.framesDone > 0 ? hiddenFolder(of: job).bytes : 0
        return DiskGuard(floor: configuration.diskFloor).refusal(toStart: job, written: written, work: work, target: target).map { (.disk, $0) }
    }

    /// False where the job is back in the queue.
    private func start(_ job: Job) throws -> Bool {
        guard takeLease(for: job) else { return false }
        do {
            let twin = try store.twin(of: job)
            let order = WorkOrder(
                job: job.id, source: job.source, relativePath: job.relativePath, target: job.target, workFolder: workFolder(of: job.id),
                identity: job.identity, settings: job.settings, checkpointSeconds: configuration.checkpoint, token: token, twin: twin?.target)
            sessions[job.id] = try WorkerSession(job: job, order: order, twin: twin?.id) { [mailbox] in mailbox.post($0) }
            log.info("job starts", metadata: ["job": "\(job.id)", "file": "\(job.source.shown)", "attempt": "\(job.attempts)"])
            return true
        } catch {
            releaseLease(of: job.id)
            _ = try store.apply(.failed(JobFailure(code: "internalFailure", text: "\(error)", mayPass: true)), to: job.id, now: Date())
            log.error("job cannot start", metadata: ["job": "\(job.id)", "error": "\(error)"])
            return false
        }
    }

    func workFolder(of job: Int64) -> String { "\(configuration.jobsFolder)/\(job)" }

    // MARK: - While it runs

    func take(_ message: WorkMessage, from session: WorkerSession) {
        session.heard(message)
        // What was on its way when the job was taken from its worker.
        guard !session.wasKilled else { return }
        guarded("write down job \(session.job.id)") {
            switch message {
            case .hashed(let hash): try hashed(hash, session)
            case .probed(let frames, _): _ = try store.apply(.probed(frames: frames), to: session.job.id, owner: owner)
            case .progress(let frames, let safe, let total, let rate):
                count("frames", max(0, frames - session.lastFrames))
                history.count(frames: frames - session.lastFrames)
                session.lastFrames = frames
                guard session.isProgressDue(safe: safe) else { return }
                _ = try store.apply(.progress(frames: frames, safe: safe, total: total, framesPerSecond: rate), to: session.job.id, owner: owner)
            case .verifying:
                // The last look before the result is put in its place.
                if leases[session.job.id]?.confirm() == false { return watchLeases() }
                _ = try store.apply(.verifying, to: session.job.id, owner: owner)
            case .notice(let text):
                log.notice("\(text)", metadata: ["job": "\(session.job.id)"])
                _ = try store.apply(.notice(text), to: session.job.id, owner: owner)
            case .settingsNow, .finished, .foundDone, .failed, .stopped: break
            }
        }
    }

    /// The content is known: it may be in quarantine, or at work or done in another job, for which this one waits.
    private func hashed(_ hash: String, _ session: WorkerSession) throws {
        let job = try store.apply(.hashed(hash), to: session.job.id, owner: owner)
        if !job.state.isActive { session.kill() }
    }

    // MARK: - End

    func ended(_ session: WorkerSession, _ exit: ChildEnd) {
        let id = session.job.id
        defer { releaseLease(of: id) }
        guarded("write down the end of job \(id)") {
            // Its place in the queue may have changed while it was on its way out.
            guard let known = try store.job(id), known.owner == owner, known.state.isActive else { return tidy(after: try store.job(id)) }
            var job = try store.apply(ending(of: session, exit), to: id, now: Date())
            if job.state == .queued, job.hold == nil, let hold = session.hold {
                job = try store.apply(.held(hold.hold, hold.note, until: hold.until), to: id, now: Date())
            }
            adoptSettings(session)
            if isGone(job, session) { job = try store.apply(.sourceVanished, to: id) }
            job = try pausedAfterOutsideEnd(job, session)
            tell(job, session, exit)
            tidy(after: job)
        }
    }

    /// The watcher knows that a file was removed and not just cannot be reached; one that went while nobody watched is missed
    /// for a while.
    private func isGone(_ job: Job, _ session: WorkerSession) -> Bool {
        guard job.state == .queued, FileStatus(job.source) == nil else { return false }
        let isMissed = job.failure?.code == "noSuchFile" && job.failedAttempts >= 5 && folders[job.folder]?.inputLost == nil
        return session.sourceIsGone || isMissed
    }

    /// Whoever ends workers from outside, such as a guard of the memory, counts nothing; but one that does it again and
    /// again gets a pause.
    private func pausedAfterOutsideEnd(_ job: Job, _ session: WorkerSession) throws -> Job {
        guard job.state == .queued, job.hold == nil, !session.wasKilled, !session.isStopping else {
            outsideEnds[job.id] = nil
            return job
        }
        outsideEnds[job.id, default: 0] += 1
        guard outsideEnds[job.id, default: 0] > 3 else { return job }
        return try store.apply(
            .held(.retry, "its worker was ended from outside", until: Date(timeIntervalSinceNow: 30)), to: job.id)
    }

    /// Removes what a job does not need any more.
    private func tidy(after job: Job?) {
        guard let job, job.state.isFinal else { return }
        removeLeftovers(of: job.id, job)
        if job.state == .done { dispose(job) }
    }

    private func ending(of session: WorkerSession, _ exit: ChildEnd) -> JobEvent {
        switch session.last {
        case .finished(let frames, let bytes, let copied):
            return .finished(frames: frames, bytes: bytes, copyOf: copied ? session.twin : nil)
        case .foundDone(let bytes): return .finished(frames: nil, bytes: bytes, copyOf: nil)
        case .failed(let failure): return .failed(failure)
        case .stopped(let safe):
            // A worker that was stopped before it opened its journal knows of nothing that lies there.
            return .interrupted(safe: safe > 0 ? safe : nil)
        default: break
        }
        if session.wasStalled { return .failed(JobFailure(code: "stalled", text: "the worker did nothing for \(Int(WorkerSession.patience)) s", mayPass: true)) }
        if session.wasKilled { return .interrupted(safe: nil) }
        count("worker_deaths")
        switch exit.cause {
        case .signalled(let number) where number == SIGKILL:
            // The kernel's way to make room; anybody else who kills a worker has reasons that are not the file's.
            return MachineFigures.outOfMemoryKills > session.killsBefore ? .died(.outOfMemory) : .interrupted(safe: nil)
        case .signalled(let number) where WorkerSession.ownDeaths.contains(number): return .died(.signal(number))
        case .signalled: return .interrupted(safe: nil)
        case .exited(let code): return .died(.exit(code))
        }
    }

    private func tell(_ job: Job, _ session: WorkerSession, _ exit: ChildEnd) {
        let metadata: Logger.Metadata = ["job": "\(job.id)", "file": "\(job.source.shown)"]
        switch job.state {
        case .done:
            count("jobs_done")
            let seconds = (session.busy * 10).rounded() / 10
            log.info("job done", metadata: metadata.merging(["frames": "\(job.framesDone)", "seconds": "\(seconds)", "output": "\(job.target.shown)"]) { $1 })
        case .failed:
            count("jobs_failed")
            log.error("job failed", metadata: metadata.merging(["why": "\(job.failure?.text ?? "unknown")"]) { $1 })
        case .cancelled: log.notice("job cancelled", metadata: metadata)
        default:
            let why = job.failure?.text ?? job.note ?? "interrupted"
            log.notice("job goes on later", metadata: metadata.merging(["why": "\(why)", "safe": "\(job.framesDone)", "exit": "\(exit.cause)"]) { $1 })
        }
    }
}
