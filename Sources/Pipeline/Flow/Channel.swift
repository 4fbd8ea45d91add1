internal import Foundation

/// A bounded queue between stages that block: whoever is faster waits for the other.
///
/// It ends from both sides, as the queues of FFmpeg's command-line tools do. When every sender has called `finish()`,
/// the receiver gets what is left and then nil. After `cancel()` nothing is delivered any more: a waiting `receive()`
/// returns nil, a waiting `send(_:)` returns false, and what was queued is let go.
public final class Channel<Element: Sendable>: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `condition`.
    private let condition = NSCondition()
    private let capacity: Int
    private var queue: [Element] = []
    private var openSenders: Int
    private var isCancelled = false

    /// - Parameters:
    ///   - capacity: how many elements may wait; at least 1.
    ///   - senders: how many senders will call `finish()`.
    public init(capacity: Int, senders: Int = 1) {
        precondition(capacity > 0 && senders > 0)
        self.capacity = capacity
        openSenders = senders
        queue.reserveCapacity(capacity)
    }

    /// Queues `element`, waiting while the channel is full. Returns false when nobody will receive it any more.
    @discardableResult
    public func send(_ element: Element) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while queue.count == capacity && !isCancelled { condition.wait() }
        guard !isCancelled else { return false }
        queue.append(element)
        condition.broadcast()
        return true
    }

    /// The oldest element, waiting for one; nil when all senders have finished and the channel is empty, or after
    /// `cancel()`.
    public func receive() -> Element? {
        condition.lock()
        defer { condition.unlock() }
        while queue.isEmpty && openSenders > 0 && !isCancelled { condition.wait() }
        guard !isCancelled, !queue.isEmpty else { return nil }
        let element = queue.removeFirst()
        condition.broadcast()
        return element
    }

    /// One sender says that nothing follows from it.
    public func finish() {
        condition.lock()
        defer { condition.unlock() }
        openSenders = max(0, openSenders - 1)
        condition.broadcast()
    }
}

/// What ends every wait of a channel, whatever it carries.
protocol Cancellable: Sendable {
    /// Ends every present and future wait and lets go of what is queued.
    func cancel()
}

extension Channel: Cancellable {
    func cancel() {
        condition.lock()
        defer { condition.unlock() }
        isCancelled = true
        queue.removeAll()
        condition.broadcast()
    }
}
