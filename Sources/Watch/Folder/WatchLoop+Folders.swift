internal import Base
internal import Glibc
internal import SystemPackage

extension WatchLoop {
    // MARK: - What the kernel says

    func heed(_ event: Inotify.Event) {
        if event.isAny(of: Int(IN_Q_OVERFLOW)) { return requestScan() }
        guard let folder = folders.path(of: event.watch) else { return }
        guard let name = event.name else { return heedFolder(event, folder) }
        let key = FileKey(folder: folder, name: name)
        let isGone = event.isAny(of: Int(IN_DELETE), Int(IN_MOVED_FROM))
        if event.isAny(of: Int(IN_ISDIR)) {
            if isGone { leave(key.path) } else if rules.admitsFolder(key.path) { pending.push(key.path) }
        } else if rules.admitsFile(key.path) {
            if isGone { tracker.gone(key, at: now) } else { heedFile(key, wasClosed: !event.isAny(of: Int(IN_CREATE))) }
        }
    }

    /// Something befell the watched folder itself.
    private func heedFolder(_ event: Inotify.Event, _ folder: FilePath) {
        let isUnmounted = event.isAny(of: Int(IN_UNMOUNT))
        if folder.isEmpty {
            if isUnmounted { return loseRoot("it was unmounted") }
            if event.isAny(of: Int(IN_DELETE_SELF), Int(IN_IGNORED)) { return loseRoot("it was removed") }
            return checkRoot()
        }
        if isUnmounted {
            forgetUnmounted(folder)
        } else if event.isAny(of: Int(IN_IGNORED)) {
            folders.drop(event.watch)
        }
    }

    private func heedFile(_ key: FileKey, wasClosed: Bool) {
        guard let status = status(key.path), status.kind == .regular else { return }
        // A file of several names that got one more is not about to be written.
        let evidence: SettleTracker.Evidence = wasClosed ? .closed : status.links > 1 ? .listed : .created
        tracker.saw(key, status.facts, evidence, at: now)
    }

    /// What a file is at the end of links that may be followed; nil for any other.
    private func status(_ path: FilePath) -> FileStatus? {
        do throws(TrustedPath.Failure) { return try FileStatus.of(path, below: rules.root) } catch {
            heed(error, path)
            return nil
        }
    }

    /// Tells of a link that is not followed.
    func heed(_ failure: TrustedPath.Failure, _ path: FilePath) {
        guard case .foreignLink(let link, let file) = failure else { return }
        say(
            onceOf: path,
            "\(rules.root.pushing(path).display) is a link of user \(link) to a file of user \(file): it is not followed; "
                + "give the link to the file's owner (chown -h) where it is meant")
    }

    // MARK: - Listing

    /// Lists a folder: its files are seen, its folders are put down for listing, and what is no longer in it is gone.
    ///
    /// It is watched before it is listed, so that what comes into it is either listed or told of, and mostly both.
    func list(_ path: FilePath) {
        do throws(Errno) {
            let folder = try OpenFolder(rules.root.pushing(path), followsLink: path.isEmpty)
            let facts = try folder.status().facts
            let identity = FolderIdentity(device: facts.device, inode: facts.inode)
            guard path.isEmpty || !ignored.contains(identity) else { return forget(path) }
            // One file system below the root has made way for another, or for the folder it was mounted on.
            if let known = folders[path], known.identity.device != identity.device {
                if path.isEmpty { return checkRoot() }
                forgetUnmounted(path)
            }
            watch(path, folder, identity)
            try listEntries(of: folder, path)
        } catch {
            if path.isEmpty { return checkRoot() }
            if error.meansAbsent || error == .tooManySymbolicLinkLevels { return leave(path) }
            say(once: "the folder \(rules.root.pushing(path).display) cannot be read (\(error)); what is in it is not taken")
        }
    }

    private func watch(_ path: FilePath, _ folder: OpenFolder, _ identity: FolderIdentity) {
        var record = folders[path] ?? FolderMap.Folder(identity: identity)
        if record.identity != identity || record.watch == nil {
            if let old = record.watch { inotify?.remove(old) }
            record.identity = identity
            record.watch = addWatch(folder)
        }
        folders.set(path, record)
        folders.noteChild(path)
    }

    private func addWatch(_ folder: OpenFolder) -> Int32? {
        do throws(Errno) {
            return try inotify?.add(openFolder: folder.descriptor)
        } catch {
            let remedy = error == .noSpace ? "; raise fs.inotify.max_user_watches" : ""
            say(
                once: "the kernel does not give notices of changes in all folders below \(rules.root.display) (\(error)): "
                    + "some are only scanned" + remedy)
            return nil
        }
    }

    private func listEntries(of folder: OpenFolder, _ path: FilePath) throws(Errno) {
        var missing = tracker.names(in: path)
        var missingFolders = folders[path]?.children ?? []
        var count = 0
        while let entry = try folder.next() {
            count += 1
            if count % 256 == 0, control.isStopped { return }
            let key = FileKey(folder: path, name: entry.name)
            switch kind(of: entry, in: folder, key.path) {
            case .folder:
                missingFolders.remove(entry.name)
                if rules.admitsFolder(key.path) { pending.push(key.path) }
            case .file(let facts):
                missing.remove(entry.name)
                tracker.saw(key, facts, .listed, at: now)
            case .none: break
            }
        }
        for name in missing { tracker.gone(FileKey(folder: path, name: name), at: now) }
        for name in missingFolders { leave(path.appending(name)) }
    }

    private enum Listed { case folder, file(FileFacts) }

    /// Nil where it is nothing to take. What has the name of no video is not looked at any closer.
    private func kind(of entry: (name: FilePath.Component, kind: OpenFolder.Kind), in folder: OpenFolder, _ path: FilePath) -> Listed? {
        if entry.kind == .folder { return .folder }
        guard entry.kind != .other, rules.admitsFile(path) || entry.kind == .unknown else { return nil }
        let own = entry.kind == .link ? nil : try? FileStatus.ofEntry(entry.name, in: folder.descriptor)
        guard let status = own ?? (rules.admitsFile(path) ? status(path) : nil) else { return nil }
        switch status.kind {
        // A link to a folder is not followed: it may lead in a circle.
        case .folder: return own == nil ? nil : .folder
        case .regular: return rules.admitsFile(path) ? .file(status.facts) : nil
        case .other: return nil
        }
    }

    // MARK: - Leaving

    /// A folder is no longer there: its files are looked for once more, and then gone.
    func leave(_ path: FilePath) {
        for (path, folder) in folders.remove(path) {
            if let watch = folder.watch { inotify?.remove(watch) }
            tracker.gone(folder: path, at: now)
        }
    }

    /// A folder is no longer watched, for no fault of its files.
    func forget(_ path: FilePath) {
        for (path, folder) in folders.remove(path) {
            if let watch = folder.watch { inotify?.remove(watch) }
            tracker.forget(folder: path)
        }
    }

    private func forgetUnmounted(_ path: FilePath) {
        forget(path)
        let shown = rules.root.pushing(path).display
        emit(.notice("another file system is at \(shown) now; nothing is concluded about the files that were there"))
    }

    /// True where the root and the folder are still those whose files are known, so that a file that is not there is gone. A
    /// folder that is not there, either, is no reason to doubt.
    func isIntact(_ path: FilePath) -> Bool {
        checkRoot()
        guard root.isThere, !path.isEmpty, let known = folders[path] else { return root.isThere }
        guard let status = try? FileStatus.of(rules.root.pushing(path)), status.facts.device != known.identity.device else { return true }
        forgetUnmounted(path)
        pending.push(path)
        return false
    }
}
