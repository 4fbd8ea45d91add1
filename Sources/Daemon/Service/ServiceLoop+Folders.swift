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
                folders[next.name] = try WatchedFolder(next, ignoring: outputs) { [mailbox] in mailbox.post($0) }
                if let removed = try? folders[next.name]?.leases?.removeLeftovers(in: FilePath(next.output)), removed > 0 {
                    log.info("stale leases removed", metadata: ["folder": "\(next.name)", "leases": "\(removed)"])
                }
                log.info("watching", metadata: ["folder": "\(next.name)", "input": "\(next.input)", "output": "\(next.output)"])
            }
        }
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
            let reason = "\(folder.configuration.input): \(cause)"
            folder.lostReason = reason
            guarded("hold the jobs of \(name)") { try store.holdAll(.root, note: reason, folder: name) }
            log.warning("folder paused", metadata: ["folder": "\(name)", "why": "\(reason)"])
        case .rootBack:
            folder.lostReason = nil
            guarded("release the jobs of \(name)") { try store.releaseAll(.root, folder: name) }
            log.info("folder is back", metadata: ["folder": "\(name)"])
        case .scanned(let files): log.debug("scanned", metadata: ["folder": "\(name)", "files": "\(files)"])
        case .notice(let text): log.warning("\(text)", metadata: ["folder": "\(name)"])
        }
    }

    func offer(_ file: FoundFile, _ folder: WatchedFolder) throws {
        let identity = SourceIdentity(size: file.size, modified: file.modified)
        let offer = try store.offer(
            folder: folder.configuration.name, relativePath: file.relativePath, source: folder.source(of: file.relativePath),
            target: folder.target(of: file.relativePath), identity: identity, settings: folder.configuration.jobSettings, now: Date())
        switch offer {
        case .new(let job):
            count("files_found")
            log.info("file found", metadata: ["job": "\(job.id)", "file": "\(job.source.shown)"])
        case .changed(let job, let old):
            // The old content's translation would be put in place of the new one's.
            if let old { sessions[old]?.kill() }
            log.info("file changed", metadata: ["job": "\(job.id)", "file": "\(job.source.shown)"])
        case .known(let job):
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
