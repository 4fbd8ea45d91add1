/// What watching folders and holding leases can fail with.
public struct WatchError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that a caller may tell apart.
    public enum Code: String, Sendable, CaseIterable {
        /// A pattern to include or exclude cannot be read.
        case badPattern
        /// The folder is not there, or is none.
        case noSuchFolder
        /// The folder, or a lease in it, cannot be read or written.
        case unreadable, unwritable
        case diskFull
    }

    public var code: Code
    /// What went wrong: one clause without a full stop.
    public var message: String
    /// What the user can do about it: one clause, or nil where nothing is known to help.
    public var remedy: String?
    /// The system's own words.
    public var cause: String?

    public init(_ code: Code, _ message: String, remedy: String? = nil, cause: String? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.cause = cause
    }

    public var description: String {
        var line = message
        if let cause { line += " (\(cause))" }
        if let remedy { line += "; \(remedy)" }
        return line
    }
}
