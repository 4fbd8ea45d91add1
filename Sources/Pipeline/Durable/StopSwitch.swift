internal import Synchronization

/// The wish that work which can be taken up again ends soon. Safe to use from any thread.
public final class StopSwitch: Sendable {
    private struct State {
        var isStopped = false
        var handlers: [Int: @Sendable () -> Void] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    public init() {}

    public var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Calls every handler once.
    public func stop() {
        let handlers = state.withLock { state in
            state.isStopped = true
            defer { state.handlers = [:] }
            return Array(state.handlers.values)
        }
        for handler in handlers { handler() }
    }

    /// Runs `body`, during which a stop calls `handler`; at once where it has come already.
    public func whileStopping<Result>(_ handler: @escaping @Sendable () -> Void, _ body: () async throws -> Result) async rethrows -> Result {
        let place: Int? = state.withLock { state in
            guard !state.isStopped else { return nil }
            state.next += 1
            state.handlers[state.next] = handler
            return state.next
        }
        if place == nil { handler() }
        defer { if let place { state.withLock { $0.handlers[place] = nil } } }
        return try await body()
    }
}
