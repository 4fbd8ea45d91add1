internal import Foundation
internal import Jobs
internal import Logging
internal import SystemPackage
internal import Watch

/// From a file that came in to its job.
extension ServiceLoop {
    /// Opens the folders of the configuration, takes new settings into those that are open, and closes those that it has no more.
    func openFolders() {
        let wanted = Set(configuration.folders.map(\.name))
        for (name, folder) in folders where !wanted.contains(name) {
            folder.close()
            folders[name] = nil
        }
        for next in configuration.folders {
            let outputs = next.ignoredFolders(in: configuration).map { FilePath($0) }
            guarded("watch \(next.input)") {
                if let folder = folders[next.name] {
                    if try folder.update(next, ignoring: outputs) { return }
                    folder.close()
                }
                let name = next.name
                folders[name] = try WatchedFolder(next, ignoring: outputs) { [mailbox] in mailbox.post(.watch(folder: name, watch: $0, $1)) }
                log.info("watching", metadata: ["folder": "\(next.name)", "input": "\(next.input)", "output": "\(next.output)"])
            }
        }
        watchOutputs()
        for folder in folders.values {
            removeStaleLeases(in: folder)
            guarded("plan the jobs of \(folder.configuration.name) anew") { try replan(folder) }
        }
    }

    private func removeStaleLeases(in folder: WatchedFolder) {
        guard folder.outputLost == nil, let removed = try? folder.leases?.removeLeftovers(in: FilePath(folder.configuration.output)), removed > 0
        else { return }
        log.info("stale leases removed", metadata: ["folder": "\(folder.configuration.name)", "leases": "\(removed)"])
    }

    /// Jobs that wait take what the configuration says now: what is to become of their sources, above all.
    /// - Parameter gone: jobs whose file is gone.
    private func replan(_ folder: WatchedFolder, gone: Set<Int64> = []) throws {
        let name = folder.configuration.name
        let changed = try store.replan(folder: name) { gone.contains($0.id) ? nil : folder.plan(for: $0) }
        for job in changed where job.target != folder.target(of: job.relativePath) {
            // Beside a target that nobody would look at again.
            hiddenFolder(of: job).remove()
        }
        if !changed.isEmpty { log.info("jobs planned anew", metadata: ["folder": "\(name)", "jobs": "\(changed.count)"]) }
    }

    /// A model, a style or a schedule of a folder has changed, as a worker has found: from here on its jobs are planned with what
    /// there is now.
    func adoptSettings(_ session: WorkerSession) {
        guard let identity = session.settingsNow, let folder = folders[session.job.folder],
            folder.configuration.arguments == session.job.settings.arguments, folder.configuration.identity != identity
        else { return }
        log.notice("models, styles or schedules have changed", metadata: ["folder": "\(session.job.folder)"])
        folder.adopt(identity: identity)
        for index in configuration.folders.indices where configuration.folders[index].name == session.job.folder {
            configuration.folders[index].identity = identity
        }
        guarded("plan the jobs of \(session.job.folder) anew") { try replan(folder) }
    }

    /// Lets the jobs go whose files went while nobody watched. One with frames in safety is worth some attempts: its disk may
    /// be mounted late.
    private func letGoOfMissing(in folder: WatchedFolder) throws {
        guard !folder.isScanned else { return }
        folder.isScanned = true
        let waiting = try store.jobs(state: [.queued], folder: folder.configuration.name)
        let gone = Set(waiting.lazy.filter { $0.framesDone == 0 && FileStatus($0.source) == nil }.map(\.id))
        if !gone.isEmpty { try replan(folder, gone: gone) }
    }

    func handle(_ event: WatchEvent, in name: String) {
        guard let folder = folders[name] else { return }
        switch event {
        case .ready(let file):
            // The watcher tells of a file once.
            do { try offer(file, folder) } catch {
                untaken.append((name, file))
                log.error("a file cannot be taken yet", metadata: ["file": "\(file.relativePath.shown)", "error": "\(error)"])
            }
        case .vanished(let path): guarded("let go of \(path.shown)") { try vanished(path, folder) }
        case .rootLost(let cause):
            folder.inputLost = "\(folder.configuration.input): \(cause)"
            lostOrBack(folder)
        case .rootBack:
            folder.inputLost = nil
            lostOrBack(folder)
        case .scanned(let files):
            log.debug("scanned", metadata: ["folder": "\(name)", "files": "\(files)"])
            guarded("let go of missing files of \(name)") { try letGoOfMissing(in: folder) }
        case .notice(let text): log.warning("\(text)", metadata: ["folder": "\(name)"])
        }
    }

    func watchOutputs() { for folder in folders.values where folder.checkOutput() { lostOrBack(folder) } }

    /// Holds the jobs of a folder of which one side is not there, and lets them go when both are.
    private func lostOrBack(_ folder: WatchedFolder) {
        let name = folder.configuration.name
        if let reason = folder.lostReason {
            guarded("hold the jobs of \(name)") { try store.holdAll(.root, note: reason, folder: name) }
            log.warning("folder paused", metadata: ["folder": "\(name)", "why": "\(reason)"])
        } else {
            guarded("release the jobs of \(name)") { try store.releaseAll(.root, folder: name) }
            log.info("folder is back", metadata: ["folder": "\(name)"])
            removeStaleLeases(in: folder)
        }
    }

    func offer(_ file: FoundFile, _ folder: WatchedFolder) throws {
        let identity = SourceIdentity(size: file.size, modified: file.modified)
        let offer = try store.offer(
            folder: folder.configuration.name, relativePath: file.relativePath, source: folder.source(of: file.relativePath),
            target: folder.target(of: file.relativePath), identity: identity, settings: folder.configuration.jobSettings, now: Date())
        switch offer {
        case .new(let job):
            note(file, of: job)
            count("files_found")
            log.info("file found", metadata: ["job": "\(job.id)", "file": "\(job.source.shown)"])
        case .changed(let job, let old):
            note(file, of: job)
            // The old content's translation would be put in place of the new one's.
            if let old { sessions[old]?.kill() }
            log.info("file changed", metadata: ["job": "\(job.id)", "file": "\(job.source.shown)"])
        case .known(let job):
            note(file, of: job)
            // A daemon that died between 'done' and what is to become of the source.
            if job.state == .done { dispose(job) }
        }
    }

    /// A file that is gone needs no translation; one that is only moved comes back under its new name.
    private func vanished(_ path: FilePath, _ folder: WatchedFolder) throws {
        guard let job = try store.job(folder: folder.configuration.name, relativePath: path) else { return }
        // It would render to the end, for hours maybe, what nobody wants then; its end is written down as the job's.
        if job.state.isActive, FileStatus(job.source) == nil, let session = sessions[job.id] {
            session.sourceIsGone = true
            session.kill()
        }
        guard job.state == .queued else { return }
        _ = try store.apply(.sourceVanished, to: job.id)
        log.info("file is gone", metadata: ["job": "\(job.id)", "file": "\(job.source.shown)"])
    }
}
