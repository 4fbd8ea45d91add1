/// A reader of untrusted bytes, called with any bytes at all: by the fuzzer with those that it makes up, by the tests with those
/// that are kept in `Corpus/NAME`.
public struct Harness: Sendable {
    /// As in `.ci/fuzz NAME`.
    public let name: String
    private let body: @Sendable ([UInt8]) throws -> Bool

    /// - Parameter body: reads the bytes, and returns whether they were taken for good ones. It catches the errors that bad input
    ///   may give; whatever else it throws is a finding, as is a crash. It keeps no state from one call to the next, so that one
    ///   input is enough to repeat a finding.
    public init(_ name: String, _ body: @escaping @Sendable ([UInt8]) throws -> Bool) {
        self.name = name
        self.body = body
    }

    /// Whether the bytes were taken for good ones. Throws what the body throws.
    public func run(_ bytes: [UInt8]) throws -> Bool { try body(bytes) }
}

/// What must hold for every input, and does not for this one.
public struct Violation: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) { self.description = description }
}

/// Throws `Violation` where `condition` does not hold.
public func hold(_ condition: Bool, _ what: @autoclosure () -> String) throws {
    guard condition else { throw Violation(description: what()) }
}
