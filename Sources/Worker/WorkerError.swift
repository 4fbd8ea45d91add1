/// What a worker can fail with, besides what the pipeline does.
public struct WorkerError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The source is not the file any more that the job is about.
        case sourceChanged
        /// A model, a style or a schedule is another one than when the job was planned.
        case inputsChanged
        /// The source is a link of one user to a file of another.
        case foreignLink
        /// The source is a translation already.
        case ownOutput
        /// Something that no worker made stands where the result belongs.
        case outputExists
        /// Another worker is at the same job.
        case busy
        case noSuchFile, unreadable, unwritable, diskFull, outOfMemory, badOrder
        /// A name that the result, or a file beside it, would get is too long for its disk.
        case nameTooLong
    }

    public var code: Code
    /// What went wrong, naming the file: one clause without a full stop.
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
