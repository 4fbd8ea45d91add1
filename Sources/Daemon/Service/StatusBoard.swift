internal import Synchronization
internal import Web

/// The daemon's present state for everybody who asks, and those who want to hear when it changes.
final class StatusBoard: Sendable {
    private struct State {
        var status: ServiceStatus
        var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
        var nextListener = 0
    }

    private let state: Mutex<State>

    init(_ status: ServiceStatus) { state = Mutex(State(status: status)) }

    var status: ServiceStatus { state.withLock { $0.status } }

    /// Replaces the state, and wakes the listeners.
    func post(_ status: ServiceStatus) {
        let listeners = state.withLock { state in
            state.status = status
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.yield() }
    }

    /// One element for all changes since the last one was taken.
    func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.nextListener += 1
            state.listeners[state.nextListener] = continuation
            return state.nextListener
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.listeners.removeValue(forKey: number) }
        }
        return stream
    }

    /// Ends every listener's stream.
    func close() {
        let listeners = state.withLock { Array($0.listeners.values) }
        for listener in listeners { listener.finish() }
    }
}
