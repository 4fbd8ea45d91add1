internal import Foundation
internal import Jobs
internal import Logging
internal import Watch

/// What becomes of sources whose translation is safe: one after another, each on a thread, since a copy to another file system
/// takes its time.
extension ServiceLoop {
    func dispose(_ job: Job) {
        guard job.settings.after != .keep, disposals[job.id] == nil, disposing != job.id else { return }
        disposals[job.id] = .now
    }

    /// How long it takes until what could not be done is tried again.
    private static let disposalPause = Duration.seconds(600)

    /// Begins with the next one, where none is at work.
    func disposeNext() throws {
        let now = ContinuousClock.now
        guard disposing == nil, let id = disposals.lazy.filter({ $0.value <= now }).min(by: { $0.value < $1.value })?.key else { return }
        disposals[id] = nil
        guard let job = try store.job(id), job.state == .done, isWantedStill(job) else { return }
        if job.settings.after == .move, let why = folders[job.folder]?.archiveRefusal { return postpone(id, why) }
        disposing = id
        let disposal = SourceDisposal(job: job, token: token, seen: sightings[id], note: removalNote)
        let thread = Thread { [mailbox] in mailbox.post(.disposed(job: id, disposal.run())) }
        thread.name = "dispose"
        thread.start()
    }

    /// What was configured when the job was made is done only while it is configured: nothing is taken back later.
    private func isWantedStill(_ job: Job) -> Bool {
        guard let folder = folders[job.folder]?.configuration else { return false }
        return folder.after == job.settings.after && folder.moveTo == job.settings.moveTo
    }

    func disposed(_ id: Int64, _ outcome: SourceDisposal.Outcome) {
        disposing = nil
        switch outcome {
        case .kept: break
        case .moved(let place): log.info("source moved", metadata: ["job": "\(id)", "to": "\(place.shown)"])
        case .deleted: log.info("source deleted", metadata: ["job": "\(id)"])
        case .watched(let sighting):
            sightings[id] = sighting
            disposals[id] = .now + max(.zero, SourceDisposal.quietTime - (SuspendingClock.now - sighting.since))
            sayWaiting(id)
        case .left(let why): log.warning("source left as it is", metadata: ["job": "\(id)", "why": "\(why)"])
        case .postponed(let why): postpone(id, why)
        }
        if disposals[id] == nil { sightings[id] = nil }
        if !isStopping { guarded("move or delete a source") { try disposeNext() } }
    }

    /// Remembers what a file was when it was found, which is unchanged for some time by then.
    func note(_ file: FoundFile, of job: Job) {
        guard job.settings.after != .keep else { return }
        let facts = FolderEntry.Facts(device: file.device, number: file.inode, size: file.size, modified: file.modified)
        if sightings[job.id]?.facts != facts { sightings[job.id] = .init(facts: facts, since: .now) }
    }

    var removalNote: RemovalNote { RemovalNote(path: configuration.jobsFolder + "/removing") }

    /// Said once: it is so for all files of a folder.
    private func sayWaiting(_ id: Int64) {
        guard !hasToldOfWriters else { return }
        hasToldOfWriters = true
        log.notice(
            "it is not known who has sources open for writing: they are moved or deleted when they have not changed for \(Int(SourceDisposal.quietTime.seconds)) s",
            metadata: ["job": "\(id)"])
    }

    private func postpone(_ id: Int64, _ why: String) {
        disposals[id] = .now + Self.disposalPause
        log.warning("source left as it is for now", metadata: ["job": "\(id)", "why": "\(why)"])
    }
}
