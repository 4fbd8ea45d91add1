internal import GRDB

extension JobError {
    /// What the store's own code or SQLite threw, as the store's error.
    /// https://www.sqlite.org/rescode.html
    static func of(_ error: any Error, path: String) -> JobError {
        if let error = error as? JobError { return error }
        guard let error = error as? DatabaseError else {
            return JobError(.internalFailure, "the job database '\(path)' cannot be used", cause: "\(error)")
        }
        let cause = "\(error.message ?? "SQLite gives no reason"), code \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_FULL:
            return JobError(.diskFull, "the disk of the job database '\(path)' is full", remedy: "make room on it", cause: cause)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return damaged(path, cause: cause)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return JobError(.databaseUnavailable, "the job database '\(path)' is in use by another process that does not let go of it", cause: cause)
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            return JobError(
                .databaseUnavailable, "the job database '\(path)' cannot be opened or written",
                remedy: "run it as the user that the service runs as, or give --state-folder", cause: cause)
        case .SQLITE_IOERR, .SQLITE_NOMEM:
            return JobError(.databaseUnavailable, "the job database '\(path)' cannot be read or written", cause: cause)
        default:
            return JobError(.internalFailure, "the job database '\(path)' does not do what it should", cause: cause)
        }
    }

    static func damaged(_ path: String, cause: String) -> JobError {
        JobError(
            .databaseDamaged, "the job database '\(path)' is damaged",
            remedy: "'solstice serve' moves it aside at its start and begins a new one", cause: cause)
    }
}
