/// What serving the page and the API can fail with.
public struct WebError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that a caller may tell apart; the program documents an exit code for each.
    public enum Code: String, Sendable, CaseIterable {
        /// The address is not one that can be listened on.
        case badAddress
        /// Something else listens there already.
        case addressInUse
        /// The address may not be listened on (a port below 1024).
        case notPermitted
        /// The address can be reached from other machines, and no token is set.
        case tokenRequired
        /// The token is too short, or holds characters that a header cannot carry.
        case badToken
        /// The files of the page are not where the program looks for them.
        case pageMissing
        case internalFailure
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
