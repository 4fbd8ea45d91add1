internal import Foundation

/// What starting a process or speaking to systemd can fail with.
public struct SystemFailure: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// A program cannot be started.
        case cannotStart
        /// `$NOTIFY_SOCKET` or the journal's socket cannot be used.
        case badSocket
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

    init(_ code: Code, _ message: String, errno number: Int32) {
        self.init(code, message, cause: String(cString: strerror(number)))
    }

    public var description: String {
        var line = message
        if let cause { line += " (\(cause))" }
        if let remedy { line += "; \(remedy)" }
        return line
    }
}
