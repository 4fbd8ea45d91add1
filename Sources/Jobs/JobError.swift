/// What the job store can fail with.
public struct JobError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The database cannot be opened or written; it is damaged; a newer solstice has written it.
        case databaseUnavailable, databaseDamaged, newerVersion
        /// There is no database at the path.
        case noDatabase
        case noSuchJob
        /// The job is not in a state for what was asked.
        case notPossible
        case diskFull, internalFailure
    }

    public var code: Code
    /// What went wrong: one clause without a full stop.
    public var message: String
    /// What the user can do about it: one clause, or nil where nothing is known to help.
    public var remedy: String?
    /// SQLite's own words.
    public var cause: String?

    public init(_ code: Code, _ message: String, remedy: String? = nil, cause: String? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.cause = cause
    }

    public static func noSuchJob(_ id: Int64) -> JobError {
        JobError(.noSuchJob, "there is no job \(id)", remedy: "'solstice jobs list' shows the jobs")
    }

    public var description: String {
        var line = message
        if let cause { line += " (\(cause))" }
        if let remedy { line += "; \(remedy)" }
        return line
    }
}
