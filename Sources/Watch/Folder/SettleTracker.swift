internal import SystemPackage

/// A file below the watched folder.
struct FileKey: Sendable, Hashable {
    /// Relative to the root; empty for the root itself.
    var folder: FilePath
    var name: FilePath.Component

    var path: FilePath { folder.appending(name) }
}

/// Decides when a file is complete, and when it has vanished.
///
/// It knows files by what stat(2) said of them and times by a clock that only goes forward, and does nothing itself: what is to
/// be looked at comes out of `due`, and what was seen goes into `looked`. All times are of one clock, whatever its beginning.
struct SettleTracker: Sendable {
    /// How a file came to be seen.
    enum Evidence: Sendable {
        /// By a listing of its folder.
        case listed
        /// Its name was made, and nothing else is known: somebody may be about to write it.
        case created
        /// Somebody who could write it has closed it, or it was moved here.
        case closed
    }

    /// What a look has led to.
    enum Verdict: Sendable, Equatable {
        case nothing
        case ready(FileFacts)
        case vanished
        /// Unchanged for long, and still open for writing; said once.
        case staysOpen
    }

    private enum Phase { case settling, settled, missing }

    private struct Entry {
        var phase: Phase
        var facts: FileFacts
        /// Since when it is as it is, or missing.
        var since: Duration
        /// Somebody who could write it has closed it, and it has not changed since.
        var wasClosed: Bool
        /// What it was when it was last told as ready.
        var told: FileFacts?
        /// When it is looked at next, as the heap knows it.
        var queued: Duration?
        var hasComplained = false
    }

    var settle: Duration
    /// How long a file is given that nobody was seen to close, where the kernel does not tell of writers: one may have it open.
    var patience: Duration
    private var files: [FilePath: [FilePath.Component: Entry]] = [:]
    private var deadlines = DeadlineHeap<FileKey>()
    /// Files that are known and not missing, and of them those that are not complete.
    private(set) var count = 0
    private(set) var settlingCount = 0

    /// How long a file is given that is empty: programs make the name long before the content.
    static let emptyPatience: Duration = .seconds(30)
    static let pauseAfterError: Duration = .seconds(10)
    /// How long a file may stay open for writing without a change before it is worth a word.
    static let openPatience: Duration = .seconds(600)

    init(settle: Duration, patience: Duration = .seconds(30)) { (self.settle, self.patience) = (settle, patience) }

    /// When something is to be looked at; nil where nothing is.
    var nextDeadline: Duration? { deadlines.first }

    /// A file was seen.
    mutating func saw(_ key: FileKey, _ facts: FileFacts, _ evidence: Evidence, at now: Duration) {
        guard var entry = files[key.folder]?[key.name] else {
            let entry = Entry(phase: .settling, facts: facts, since: now, wasClosed: evidence == .closed)
            set(key, entry, lookAt: now + settle)
            return
        }
        if entry.phase != .settling, facts == entry.told {
            entry.phase = .settled
            set(key, entry, lookAt: nil)
            return
        }
        let isQuiet = entry.phase == .settling && evidence == .listed && facts == entry.facts
        guard !isQuiet else { return }
        begin(&entry, facts, at: now)
        entry.wasClosed = evidence == .closed
        set(key, entry, lookAt: now + settle)
    }

    private func begin(_ entry: inout Entry, _ facts: FileFacts, at now: Duration) {
        entry.phase = .settling
        entry.facts = facts
        entry.since = now
        entry.wasClosed = false
        entry.hasComplained = false
    }

    /// A file was not seen where it was before. It is looked for once more after the time to settle: programs replace a file by
    /// removing it first.
    mutating func gone(_ key: FileKey, at now: Duration) {
        guard var entry = files[key.folder]?[key.name], entry.phase != .missing else { return }
        entry.phase = .missing
        entry.since = now
        set(key, entry, lookAt: now + settle)
    }

    /// As `gone`, for all files directly in a folder.
    mutating func gone(folder: FilePath, at now: Duration) {
        for name in files[folder].map({ Array($0.keys) }) ?? [] { gone(FileKey(folder: folder, name: name), at: now) }
    }

    /// The names of the files that are known directly in a folder, but those that are missing already.
    func names(in folder: FilePath) -> Set<FilePath.Component> {
        Set((files[folder] ?? [:]).lazy.filter { $0.value.phase != .missing }.map(\.key))
    }

    /// Folders that have known files directly in them.
    var folders: [FilePath] { Array(files.keys) }

    /// A file could not be looked at, whether it is there or not.
    mutating func postpone(_ key: FileKey, at now: Duration) {
        guard let entry = files[key.folder]?[key.name] else { return }
        set(key, entry, lookAt: now + Self.pauseAfterError)
    }

    /// Forgets files without a word.
    mutating func forget(folder: FilePath) {
        for entry in (files.removeValue(forKey: folder) ?? [:]).values { count(entry, -1) }
    }

    mutating func forget(where isForgotten: (FileKey) -> Bool) {
        for (folder, names) in files {
            for name in names.keys where isForgotten(FileKey(folder: folder, name: name)) { remove(FileKey(folder: folder, name: name)) }
        }
    }

    mutating func forgetAll() { self = SettleTracker(settle: settle, patience: patience) }

    /// Files that are to be looked at now, at most `limit`. Each must be given to `looked`.
    mutating func due(at now: Duration, limit: Int) -> [FileKey] {
        var keys: [FileKey] = []
        while keys.count < limit, let (deadline, key) = deadlines.pop(upTo: now) {
            guard files[key.folder]?[key.name]?.queued == deadline else { continue }
            files[key.folder]?[key.name]?.queued = nil
            keys.append(key)
        }
        return keys
    }

    /// What a look at a file has shown; `facts` are nil where none is there.
    mutating func looked(_ key: FileKey, _ facts: FileFacts?, _ writers: Writers, at now: Duration) -> Verdict {
        guard var entry = files[key.folder]?[key.name] else { return .nothing }
        guard let facts else { return lookedInVain(key, &entry, at: now) }
        if entry.phase != .settling, facts == entry.told {
            entry.phase = .settled
            set(key, entry, lookAt: nil)
            return .nothing
        }
        if entry.phase != .settling || facts != entry.facts {
            begin(&entry, facts, at: now)
            set(key, entry, lookAt: now + settle)
            return .nothing
        }
        let quiet = now - entry.since
        if let wait = wait(for: entry, quiet: quiet, writers) {
            let complains = writers == .some && quiet >= Self.openPatience && !entry.hasComplained
            if complains { entry.hasComplained = true }
            set(key, entry, lookAt: now + wait)
            return complains ? .staysOpen : .nothing
        }
        let isNew = entry.told != facts
        entry.phase = .settled
        entry.told = facts
        set(key, entry, lookAt: nil)
        return isNew ? .ready(facts) : .nothing
    }

    /// How long an unchanged file has to wait on; nil where it is complete.
    private func wait(for entry: Entry, quiet: Duration, _ writers: Writers) -> Duration? {
        if quiet < settle { return settle - quiet }
        // Its close will be heard of; where it is not, somebody has to ask again.
        if writers == .some { return min(max(settle, .seconds(1)), .seconds(10)) }
        var least = settle
        if entry.facts.size == 0 { least = max(least, Self.emptyPatience) }
        if writers == .unknown, !entry.wasClosed { least = max(least, patience) }
        return quiet < least ? least - quiet : nil
    }

    private mutating func lookedInVain(_ key: FileKey, _ entry: inout Entry, at now: Duration) -> Verdict {
        guard entry.phase == .missing else {
            entry.phase = .missing
            entry.since = now
            set(key, entry, lookAt: now + settle)
            return .nothing
        }
        guard now - entry.since >= settle else {
            set(key, entry, lookAt: entry.since + settle)
            return .nothing
        }
        remove(key)
        return entry.told == nil ? .nothing : .vanished
    }

    private mutating func count(_ entry: Entry, _ sign: Int) {
        if entry.phase != .missing { count += sign }
        if entry.phase == .settling { settlingCount += sign }
    }

    private mutating func remove(_ key: FileKey) {
        guard let entry = files[key.folder]?.removeValue(forKey: key.name) else { return }
        count(entry, -1)
        if files[key.folder]?.isEmpty == true { files[key.folder] = nil }
    }

    private mutating func set(_ key: FileKey, _ entry: Entry, lookAt deadline: Duration?) {
        var entry = entry
        if let old = files[key.folder]?[key.name] { count(old, -1) }
        count(entry, 1)
        // One place in the heap is enough, unless it is to be looked at sooner; a look that comes too early does no harm.
        if let deadline, entry.queued.map({ deadline < $0 }) ?? true {
            entry.queued = deadline
            deadlines.push(deadline, key)
        }
        files[key.folder, default: [:]][key.name] = entry
    }
}
