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
    private let arrived = DispatchSemaphore(value: 0)
    private let room: DispatchSemaphore

    init(capacity: Int) {
        // Counted up by hand: a semaphore that ends below the value it was made with stops the program.
        room = DispatchSemaphore(value: 0)
        for _ in 0..<capacity { room.signal() }
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

    /// Everything that has come, oldest first; waits for the first message up to `seconds`.
    func take(waiting seconds: Double) -> [Message] {
        _ = arrived.wait(timeout: .now() + seconds)
        let messages = state.withLock { state in
            defer { state.queue = [] }
            return state.queue
        }
        for _ in messages { room.signal() }
        // One signal was waited for; the others of these messages would only wake the next call for nothing.
        for _ in messages.dropFirst() { _ = arrived.wait(timeout: .now()) }
        return messages
    }

    /// Ends every wait of those who post.
    func close() {
        state.withLock { $0.isClosed = true }
        room.signal()
        arrived.signal()
    }
}
