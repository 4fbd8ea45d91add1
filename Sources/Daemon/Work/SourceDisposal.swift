internal import Glibc
internal import Jobs
internal import SystemPackage
internal import Watch

/// Does with a source what `after` says, once its translation is verified and on the disk. Blocks.
///
/// Every step can be cut off and done again: a source is only removed where the file that was translated is still there,
/// its result is too, nobody has it open for writing, and for `move` a whole copy lies in the other folder.
struct SourceDisposal: Sendable {
    enum Outcome: Equatable, Sendable {
        case kept, moved(FilePath), deleted
        /// Was not touched, and why.
        case left(String)
        /// Was not touched now, and why: another time it may be.
        case postponed(String)
        /// Who has it open for writing is not known: it is to be looked at again when it may have been quiet for long enough.
        case watched(Sighting)
    }

    /// What the source was, and since when.
    struct Sighting: Equatable, Sendable {
        var facts: FolderEntry.Facts
        /// By a clock that nobody sets, and that stands while the machine sleeps.
        var since: SuspendingClock.Instant
    }

    let job: Job
    /// Tells this daemon's partial copies from another's.
    let token: String
    /// The earliest look that has shown the source.
    var seen: Sighting?
    /// Where it is written down what is being removed.
    var note: RemovalNote?
    var quietTime = Self.quietTime
    var writers: @Sendable (FolderEntry) -> Writers = { $0.writers }
    /// Called between the look at a source and its removal; tests put another file in its place there.
    var beforeRemoval: @Sendable () -> Void = {}

    /// How long a source must have been unchanged where it is not known who has it open.
    static let quietTime = Duration.seconds(300)

    func run() -> Outcome {
        guard job.settings.after != .keep else { return .kept }
        guard let size = FileStatus(job.target)?.size, size > 0, job.outputBytes == nil || job.outputBytes == size else {
            return .left("its result is not there any more")
        }
        let source: FolderEntry
        do throws(Errno) { source = try FolderEntry.source(of: job) } catch {
            return [.noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels].contains(error) ? Self.gone : .postponed("its folder cannot be opened: \(error)")
        }
        guard let facts = source.facts else { return Self.gone }
        guard facts.size == job.identity.size, facts.modified == job.identity.modified else { return Self.changed }
        if let doubt = doubt(writers(source), facts) { return doubt }
        beforeRemoval()
        switch job.settings.after {
        case .keep: return .kept
        case .delete: return remove(source, facts) ?? .deleted
        case .move: return move(source, facts)
        }
    }

    private static let gone = Outcome.left("it is not there any more")
    private static let changed = Outcome.left("it has changed since")
    private static let isOpen = Outcome.postponed("a program has it open for writing")

    /// Nil where nobody writes to it, as far as can be known.
    private func doubt(_ writers: Writers, _ facts: FolderEntry.Facts) -> Outcome? {
        switch writers {
        case .none: return nil
        case .some: return Self.isOpen
        case .unknown:
            guard let seen, seen.facts == facts else { return .watched(Sighting(facts: facts, since: .now)) }
            return .now - seen.since >= quietTime ? nil : .watched(seen)
        }
    }

    // MARK: - Removing

    /// Gives the source a hidden name, looks whether it is the file that was translated and nobody has it open, and then removes
    /// it: another file that got its name meanwhile is put back. Returns why it was not removed.
    private func remove(_ source: FolderEntry, _ facts: FolderEntry.Facts) -> Outcome? {
        do throws(Errno) {
            let random = String(UInt64.random(in: .min ... .max), radix: 36)
            let hidden = try source.renamed(Array(".solstice-removed-\(token)-\(job.id)-\(random)".utf8))
            note?.write(job: job.id, hidden: hidden.name)
            defer { if !hidden.isThere { note?.remove() } }
            try source.move(to: hidden)
            guard hidden.facts == facts else { return putBack(hidden, source) ?? Self.changed }
            // Nobody can open it by its name any more; whoever has it open still has it.
            guard writers(hidden) != .some else { return putBack(hidden, source) ?? Self.isOpen }
            guard hidden.remove() else {
                let error = Errno(rawValue: errno)
                return putBack(hidden, source) ?? Self.refused("it cannot be removed", error)
            }
            source.synchronizeFolder()
            return nil
        } catch {
            return error == .noSuchFileOrDirectory ? Self.gone : Self.refused("it cannot be removed", error)
        }
    }

    /// Under its name, or one with a number where that is taken. Returns what went wrong.
    private func putBack(_ hidden: FolderEntry, _ source: FolderEntry) -> Outcome? {
        for name in Self.names(source.name) {
            do throws(Errno) {
                try hidden.move(to: source.renamed(name))
                return nil
            } catch {
                guard error == .fileExists else { return Self.refused("\(hidden.shownName) cannot get its name back", error) }
            }
        }
        return .left("\(hidden.shownName) cannot get its name back: all are taken")
    }

    /// Gives a source its name back that a life before this one was about to remove.
    /// - Parameter job: finds a job by its number.
    static func putBackUnfinished(_ note: RemovalNote, job: (Int64) -> Job?) {
        guard let known = note.read(), let job = job(known.job), let source = try? FolderEntry.source(of: job),
            let hidden = try? source.renamed(known.hidden), hidden.isThere
        else { return note.remove() }
        if SourceDisposal(job: job, token: "").putBack(hidden, source) == nil { note.remove() }
    }

    // MARK: - Moving

    private func move(_ source: FolderEntry, _ facts: FolderEntry.Facts) -> Outcome {
        guard let root = job.settings.moveTo else { return .left("no folder to move it to is given") }
        let wanted = FilePath(root).pushing(job.relativePath)
        let folder = wanted.removingLastComponent()
        let archive: FileDescriptor
        do throws(Errno) {
            // Its name must be on the disk before what is moved into it leaves its place.
            try Folders.make(folder)
            archive = try Folders.open(folder)
        } catch { return Self.refused("\(folder.shown) cannot be made", error) }
        let first = FolderEntry(folder: archive, name: source.name)
        // Through a link, or a second mount: what is taken for a copy there would be the source itself.
        guard !Self.isOneFolder(archive, source.folder) else { return .left("\(folder.shown) is where it is") }
        for name in Self.names(source.name) {
            let shown = folder.appending(FilePath(bytes: name)?.components ?? wanted.components)
            do throws(Errno) {
                let place = try first.renamed(name)
                if place.isThere {
                    // A run that was cut off behind the copying, or another file of that name.
                    guard ArchiveCopy.isWhole(place, of: job.identity) else { continue }
                    return remove(source, facts) ?? .moved(shown)
                }
                return try moved(source, facts, to: place, shown)
            } catch {
                if error != .fileExists { return Self.refused("it cannot be moved to \(shown.shown)", error) }
            }
        }
        return .left("there are too many files of its name in \(folder.shown)")
    }

    /// Throws `.fileExists` where something has the name by now.
    private func moved(_ source: FolderEntry, _ facts: FolderEntry.Facts, to place: FolderEntry, _ shown: FilePath) throws(Errno) -> Outcome {
        do throws(Errno) { try source.move(to: place) } catch {
            guard error == .improperLink || error == .invalidArgument else { throw error }
            return copied(source, facts, to: place, shown)
        }
        // What had the name in that moment may have been another file.
        guard place.facts == facts else { return putBack(place, source) ?? Self.changed }
        guard writers(place) != .some else { return putBack(place, source) ?? Self.isOpen }
        place.synchronizeFolder()
        source.synchronizeFolder()
        return .moved(shown)
    }

    private static func isOneFolder(_ one: FileDescriptor, _ other: FileDescriptor) -> Bool {
        var first = stat(), second = stat()
        guard fstat(one.rawValue, &first) == 0, fstat(other.rawValue, &second) == 0 else { return false }
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }

    /// To another file system: copied under a hidden name, synced, put in place, and only then removed here.
    private func copied(_ source: FolderEntry, _ facts: FolderEntry.Facts, to place: FolderEntry, _ shown: FilePath) -> Outcome {
        do throws(Errno) {
            // A name has at most 255 bytes, however many characters these are.
            let partial = try place.renamed([UInt8(ascii: ".")] + place.name.prefix(100) + Array(".partial-\(token)-\(job.id)".utf8))
            defer { partial.remove() }
            try ArchiveCopy.make(of: source, at: partial)
            guard ArchiveCopy.isWhole(partial, of: job.identity) else { return .left("its copy in \(shown.shown) is not the file that was translated") }
            try partial.move(to: place)
            guard place.synchronizeFolder() else { return Self.refused("its copy \(shown.shown) is not safe on the disk", Errno(rawValue: errno)) }
            // It may have taken minutes, in which somebody may have begun to write.
            if writers(source) == .some { return Self.isOpen }
            return remove(source, facts) ?? .moved(shown)
        } catch {
            return Self.refused("it cannot be copied to \(shown.shown)", error)
        }
    }

    // MARK: - Names and words

    /// `name.mp4`, then `name-2.mp4`, `name-3.mp4` and so on.
    private static func names(_ name: [UInt8]) -> [[UInt8]] {
        let dot = name.lastIndex(of: UInt8(ascii: ".")).flatMap { $0 > 0 ? $0 : nil } ?? name.endIndex
        return [name] + (2...99).map { Array(name[..<dot]) + Array("-\($0)".utf8) + Array(name[dot...]) }
    }

    /// Another time it may be, unless it is the name.
    private static func refused(_ what: String, _ error: Errno) -> Outcome {
        error == .fileNameTooLong ? .left("\(what): \(error)") : .postponed("\(what): \(error)")
    }
}
