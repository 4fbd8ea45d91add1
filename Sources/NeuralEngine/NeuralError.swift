/// What building or running a network can fail with.
public struct NeuralError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that a caller may tell apart.
    public enum Code: String, Sendable, CaseIterable {
        /// A shape that a layer cannot take.
        case badShape
        /// Memory that the system does not give.
        case outOfMemory
        /// An instruction set that is unknown, or that this CPU or build lacks.
        case noInstructionSet
    }

    public var code: Code
    /// What went wrong: one clause without a full stop.
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
