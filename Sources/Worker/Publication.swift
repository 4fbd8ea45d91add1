internal import SystemPackage

/// Gives the files of a verified result their names: sidecars first and the result last, so that it is never there without
/// them. Ended between any two steps, it is taken up at the next one.
struct Publication {
    let paths: WorkPaths
    let made: MadeResult

    /// Throws `.outputExists` before anything is in place, `.unwritable`, `.diskFull`.
    func run() throws(WorkerError) {
        let files = Array(made.files.dropFirst()) + made.files.prefix(1)
        let moves = files.map { (from: paths.stage.appending($0), to: paths.place(ofStaged: $0)) }
        if !made.replaces {
            for move in moves where WorkFiles.isThere(move.from) && WorkFiles.isThere(move.to) {
                // Both names of one file: ended in the middle of a move.
                guard try WorkFiles.status(move.from) == WorkFiles.status(move.to) else { throw WorkFiles.exists(move.to) }
                WorkFiles.remove(move.from)
            }
        }
        for move in moves {
            // Not there any more: a life before this one has moved it.
            guard WorkFiles.isThere(move.from) else { continue }
            try WorkFiles.move(move.from, to: move.to, replacing: made.replaces)
        }
        // A file system that has just gone answers as if nothing were left to be moved.
        guard WorkFiles.synchronizeFolder(paths.hidden.place), made.isStill(paths.placed), moves.allSatisfy({ WorkFiles.isThere($0.to) }),
            paths.hidden.isInPlace
        else { throw WorkerError(.unwritable, "\(paths.target.shown) could not be put in place", remedy: "it is tried again") }
        paths.hidden.remove()
    }

    /// True where every file is in one place or the other.
    var isPossible: Bool {
        made.files.allSatisfy { WorkFiles.isThere(paths.stage.appending($0)) || WorkFiles.isThere(paths.place(ofStaged: $0)) }
            && (made.isStill(paths.result) || made.isStill(paths.placed))
    }
}
