/// What is wrong with a configuration, and where.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The file cannot be read; it is no YAML.
        case unreadable, badSyntax
        /// A key that does not exist, is missing, or stands there twice.
        case unknownKey, missingKey, duplicate
        /// A value of the wrong type, or one that is not possible.
        case wrongType, badValue
        /// Two things that exclude each other.
        case contradiction
    }

    public var code: Code
    /// Path of the configuration file as it was given; nil for a configuration that was made by a program.
    public var file: String?
    /// From 1; columns count characters.
    public var line: Int?
    public var column: Int?
    /// What is wrong: one clause without a full stop.
    public var message: String
    /// What the user can do about it: one clause, or nil where nothing is known to help.
    public var remedy: String?

    public init(
        _ code: Code, file: String? = nil, line: Int? = nil, column: Int? = nil, _ message: String, remedy: String? = nil
    ) {
        self.code = code
        self.file = file
        self.line = line
        self.column = column
        self.message = message
        self.remedy = remedy
    }

    /// As compilers write it: `FILE:LINE:COLUMN: message; remedy`.
    public var description: String {
        let place = ([file].compactMap { $0 } + [line, column].compactMap { $0.map(String.init) }).joined(separator: ":")
        return (place.isEmpty ? "" : place + ": ") + message + (remedy.map { "; \($0)" } ?? "")
    }
}
