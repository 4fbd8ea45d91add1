internal import Base

/// What the service's thread is told by others: bounded, so that a thousand files at once make their watcher wait.
///
/// Waits count by the clock that nobody sets: a condition variable of Foundation, and a semaphore of Dispatch too, would sleep
/// for an hour longer when the wall clock is put back by one.
final class Mailbox<Message: Sendable>: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `condition`.
    private let condition = MonotonicCondition()
    private var queue: [Message] = []
    /// Messages of `postFirst` at the queue's head, which take no room.
    private var urgent = 0
    private var isClosed = false
    private let capacity: Int

    /// So that whoever takes them looks up now and then.
    private static var mostAtOnce: Int { 64 }

    init(capacity: Int) { self.capacity = capacity }

    /// Puts a message before all others, without waiting for room.
    func postFirst(_ message: Message) {
        condition.lock()
        defer { condition.unlock() }
        queue.insert(message, at: 0)
        urgent += 1
        condition.broadcast()
    }

    /// Waits while the box is full. Once it is closed, messages are dropped.
    func post(_ message: Message) {
        condition.lock()
        defer { condition.unlock() }
        while queue.count - urgent >= capacity, !isClosed { condition.wait() }
        guard !isClosed else { return }
        queue.append(message)
        condition.broadcast()
    }

    /// What has come, oldest first, 64 messages at most; waits for the first message up to `seconds`.
    func take(waiting seconds: Double) -> [Message] {
        let deadline = MonotonicDeadline(after: seconds)
        condition.lock()
        defer { condition.unlock() }
        while queue.isEmpty, !isClosed, condition.wait(until: deadline) {}
        let messages = Array(queue.prefix(Self.mostAtOnce))
        queue.removeFirst(messages.count)
        urgent -= min(urgent, messages.count)
        condition.broadcast()
        return messages
    }

    /// Ends every wait of those who post.
    func close() {
        condition.lock()
        defer { condition.unlock() }
        isClosed = true
        condition.broadcast()
    }
}
