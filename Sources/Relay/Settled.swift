internal import Foundation

/// A value that is not known at first and never changes afterwards; threads wait for it.
final class Settled<Value: Sendable>: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `condition`.
    private let condition = NSCondition()
    private var settled: Value?
    private var hasEnded = false

    var value: Value? {
        condition.lock()
        defer { condition.unlock() }
        return settled
    }

    func settle(_ value: Value) {
        condition.lock()
        defer { condition.unlock() }
        if settled == nil { settled = value }
        condition.broadcast()
    }

    /// The value, waiting for it; nil where the waiting has been ended without one.
    func wait() -> Value? {
        condition.lock()
        defer { condition.unlock() }
        while settled == nil && !hasEnded { condition.wait() }
        return settled
    }

    /// Ends every present and future wait.
    func end() {
        condition.lock()
        defer { condition.unlock() }
        hasEnded = true
        condition.broadcast()
    }
}
