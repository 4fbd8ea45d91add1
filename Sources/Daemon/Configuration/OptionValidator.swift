/// Checks options of commands that this room does not know; the program gives it.
public struct OptionValidator: Sendable {
    /// Throws an error whose description is one line for the user where `solstice convert` would refuse the options.
    public var convert: @Sendable (_ arguments: [String]) throws -> Void
    /// The same for `solstice relay` with a source, targets and options.
    public var relay: @Sendable (_ arguments: [String]) throws -> Void
    /// Digest of all that a result with these options of `solstice convert` depends on beside its source: the options, the
    /// model's and the styles' content. Throws where a file cannot be read.
    public var identity: @Sendable (_ arguments: [String]) throws -> String

    public init(
        convert: @escaping @Sendable ([String]) throws -> Void, relay: @escaping @Sendable ([String]) throws -> Void,
        identity: @escaping @Sendable ([String]) throws -> String
    ) {
        self.convert = convert
        self.relay = relay
        self.identity = identity
    }
}
