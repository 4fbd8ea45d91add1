/// What loading a model, a style or a golden, or running the network, can fail with.
public struct TSITError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that a caller may tell apart.
    public enum Code: String, Sendable, CaseIterable {
        /// No file there, or it may not be read.
        case noSuchFile
        /// A disk or a network that fails: another time the file may well be read.
        case unreadable
        /// Not a file of the kind that is needed, truncated, or inconsistent in itself.
        case damagedFile
        /// A checkpoint that asks for more than rebuilding tensors needs.
        case unsafeCheckpoint
        /// A tensor that the configuration calls for is not there.
        case missingTensor
        /// A tensor that the configuration does not know.
        case surplusTensor
        /// A tensor whose shape is not the one that the configuration calls for.
        case wrongShape
        /// A configuration that no TSIT network has.
        case badConfiguration
        /// A width or height that the network cannot run at.
        case badSize
        /// Style statistics that do not belong to the model.
        case styleMismatch
        /// A class that the model's label set does not have.
        case badLabel
        /// Keyframes, a mixture or a list of styles that make no sense.
        case badTimeline
        /// A task or variant that this version does not run.
        case unsupported
        /// A file that cannot be written.
        case unwritable
        /// A file of the output's name is there already.
        case outputExists
        /// An embedded model or resource that is not installed.
        case notInstalled
    }

    public var code: Code
    /// What went wrong, naming the file, tensor or value: one clause without a full stop.
    public var message: String
    /// What the user can do about it: one clause, or nil where nothing is known to help.
    public var remedy: String?
    /// The words of what failed underneath.
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
