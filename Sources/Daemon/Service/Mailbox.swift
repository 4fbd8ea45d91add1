internal import Dispatch
internal import Synchronization

/// What the service's thread is told by others: bounded, so that a thousand files at once make their watcher wait.
///
/// Waits count by the clock that nobody sets: a condition variable of Foundation would sleep for an hour when the wall
/// clock is put back by one.
final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        var queue: [Message] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    /// Messages of `postFirst` in the queue.
    private let urgent = Mutex(0)
    private let arrived = DispatchSemaphore(value: 0)
    private let room: DispatchSemaphore

    /// So that whoever takes them looks up now and then.
    private static var mostAtOnce: Int { 64 }

    init(capacity: Int) {
        // Counted up by hand: a semaphore that ends below the value it was made with stops the program.
        room = DispatchSemaphore(value: 0)
        for _ in 0..<capacity { room.signal() }
    }

    /// Puts a message before all others, without waiting for room.
    func postFirst(_ message: Message) {
        state.withLock { $0.queue.insert(message, at: 0) }
        urgent.withLock { $0 += 1 }
        arrived.signal()
    }

    /// Waits while the box is full. Once it is closed, messages are dropped.
    func post(_ message: Message) {
        room.wait()
        let isTaken = state.withLock { state in
            if !state.isClosed { state.queue.append(message) }
            return !state.isClosed
        }
        // Whoever waits behind this one has to learn that nothing is taken any more.
        if isTaken { arrived.signal() } else { room.signal() }
    }

    /// What has come, oldest first, 64 messages at most; waits for the first message up to `seconds`.
    func take(waiting seconds: Double) -> [Message] {
        _ = arrived.wait(timeout: .now() + seconds)
        let (messages, rest) = state.withLock { state in
            let messages = state.queue.prefix(Self.mostAtOnce)
            state.queue.removeFirst(messages.count)
            return (Array(messages), state.queue.count)
        }
        // Those that came first took no room.
        let free = urgent.withLock { urgent in
            let taken = min(urgent, messages.count)
            urgent -= taken
            return messages.count - taken
        }
        for _ in 0..<free { room.signal() }
        // One signal was waited for; the others of these messages would only wake the next call for nothing.
        for _ in messages.dropFirst() { _ = arrived.wait(timeout: .now()) }
        if rest > 0 { arrived.signal() }
        return messages
    }

    /// Ends every wait of those who post.
    func close() {
        state.withLock { $0.isClosed = true }
        room.signal()
        arrived.signal()
    }
}
