internal import Foundation
internal import Glibc
internal import Jobs
internal import Logging
internal import SystemPackage
internal import Watch

/// What is looked after all the time: room on the disks, leases, workers that hang, and what earlier lives left behind.
extension ServiceLoop {
    /// Takes over what a life before this one was at, and removes what it left.
    func recover() throws {
        let taken = try store.takeOver(owner: owner, now: Date())
        for job in taken {
            log.notice("job taken over", metadata: ["job": "\(job.id)", "file": "\(job.source.shown)", "safe": "\(job.framesDone)"])
        }
        // What was waited for then is looked at anew.
        for hold in [JobHold.root, .disk, .lease] { try store.releaseAll(hold) }
        SourceDisposal.putBackUnfinished(removalNote) { try? store.job($0) }
        try sweep()
    }

    // MARK: - Leftovers

    /// Removes what jobs that are over have left in the folder of work, whoever has ended them: a worker, a user, the watcher
    /// that saw the file go, or an earlier life.
    func sweep() throws {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: configuration.jobsFolder)) ?? []
        // The folder is this daemon's alone.
        for id in names.compactMap({ Int64($0) }) where sessions[id] == nil {
            let job = try store.job(id)
            if job?.state.isFinal != false { removeLeftovers(of: id, job) }
        }
    }

    /// Everything that a job has written besides its result, unless a worker is still at it that has outlived its daemon.
    /// - Parameter known: nil where the store does not know the job.
    func removeLeftovers(of job: Int64, _ known: Job?) {
        let lock = try? FileDescriptor.open(workFolder(of: job) + "/lock", .readOnly, options: [.closeOnExec, .noFollow, .nonBlocking])
        defer { try? lock?.close() }
        if let lock, flock(lock.rawValue, LOCK_EX | LOCK_NB) != 0 { return }
        // The work folder goes last: as long as it is there, a sweep that could not be finished is done again.
        let isClear = known.map(removeHidden) ?? true
        let folder = workFolder(of: job)
        if isClear { return _ = try? FileManager.default.removeItem(atPath: folder) }
        // `HiddenFolder` is found by its note.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name != "lock" && name != "hidden" {
            try? FileManager.default.removeItem(atPath: folder + "/" + name)
        }
    }

    /// Where the job's result is made, beside its target.
    func hiddenFolder(of job: Job) -> HiddenFolder {
        HiddenFolder(target: job.target, workFolder: workFolder(of: job.id), token: token, job: job.id)
    }

    /// False where something is left of it, or may be.
    private func removeHidden(_ job: Job) -> Bool {
        folders[job.folder]?.outputLost == nil && hiddenFolder(of: job).remove()
    }

    /// Puts jobs back into the queue whose worker's end could not be written down, as when the database's disk was full.
    func adoptOrphans() throws {
        for job in try store.jobs(state: [.probing, .running, .verifying]) where job.owner == owner && sessions[job.id] == nil {
            releaseLease(of: job.id)
            _ = try store.apply(.interrupted(safe: nil), to: job.id, owner: owner)
            log.notice("job goes on later", metadata: ["job": "\(job.id)", "why": "its worker has ended unheard"])
        }
    }

    /// Takes files that could not be written down when they came, and lets the jobs of folders go that are there.
    func takeUntaken() throws {
        while let (name, file) = untaken.first {
            if let folder = folders[name] { try offer(file, folder) }
            untaken.removeFirst()
        }
        for (name, folder) in folders where folder.lostReason == nil { try store.releaseAll(.root, folder: name) }
    }

    func watchWorkers() { for session in sessions.values { session.check() } }

    /// Lets the jobs go that have waited for room and have it now.
    func releaseDisks() throws {
        let workRoom = DiskRoom.of(FilePath(configuration.work))
        for folder in folders.keys {
            for job in try store.held(.disk, folder: folder, limit: 100) where refusal(of: job, workRoom: workRoom) == nil {
                try store.apply(.released, to: job.id)
            }
        }
    }

    /// Stops jobs whose disk runs full; they go on from their checkpoint when there is room again.
    func watchDisks() {
        let guardian = DiskGuard(floor: configuration.diskFloor)
        for session in sessions.values where !session.isStopping {
            var places = [DiskGuard.Place(path: configuration.work, room: DiskRoom.of(FilePath(configuration.work)))]
            if let folder = folders[session.job.folder] { places.append(.init(path: folder.configuration.output, room: folder.outputRoom)) }
            guard let why = guardian.refusal(toContinue: places) else { continue }
            session.stop(because: .init(hold: .disk, note: why, until: nil))
            log.warning("job pauses", metadata: ["job": "\(session.job.id)", "why": "\(why)"])
        }
    }

    // MARK: - Leases

    /// False where another daemon is at the same file: the job then waits.
    func takeLease(for job: Job) -> Bool {
        guard let keeper = folders[job.folder]?.leases else { return true }
        do {
            try Folders.make(job.target.removingLastComponent())
            switch try keeper.acquire(for: job.target) {
            case .acquired(let lease):
                leases[job.id] = lease
                return true
            case .held(let holder, let wait):
                let until = Date(timeIntervalSinceNow: min(wait.seconds, 10))
                _ = try store.apply(.held(.lease, "\(holder) is at this file", until: until), to: job.id, now: Date())
            }
        } catch {
            guarded("hold job \(job.id)") {
                _ = try store.apply(.held(.lease, "\(error)", until: Date(timeIntervalSinceNow: 30)), to: job.id, now: Date())
            }
        }
        return false
    }

    func releaseLease(of job: Int64) { leases.removeValue(forKey: job)?.release() }

    func watchLeases() {
        for (id, lease) in leases where !lease.isHeld {
            sessions[id]?.kill(because: .init(hold: .lease, note: "another daemon has taken this file over", until: Date(timeIntervalSinceNow: 30)))
            leases[id] = nil
            log.warning("lease lost", metadata: ["job": "\(id)"])
        }
    }
}
