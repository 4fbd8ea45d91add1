/// What a relay can fail with beside the errors of media, models and serving.
public struct RelayError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that a caller may tell apart; the program documents an exit code for each.
    public enum Code: String, Sendable, CaseIterable {
        /// Options that contradict each other or the addresses.
        case badRequest
        /// The control socket cannot be made, or nobody listens on it.
        case controlUnavailable
        /// A command on the control socket makes no sense or cannot be carried out.
        case badCommand
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
