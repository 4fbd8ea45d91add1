internal import Foundation
internal import Jobs
internal import Synchronization

/// What all listeners are told, made once for all of them, and only while there is one.
///
/// The state is told in sections (the status, the running jobs, ...). A listener gets those that are new to it; one that is slow
/// skips what was overtaken.
final class EventHub: Sendable {
    /// A part of the state as text of an event stream; another version is another content.
    struct Section: Sendable, Equatable {
        let name: String
        let version: Int
        let bytes: [UInt8]
    }

    /// One listener's place; free again when nobody holds it any more.
    final class Subscription: Sendable {
        /// The newest state, whenever there is one.
        let states: AsyncStream<[Section]>
        private let id: Int
        private let hub: EventHub

        fileprivate init(id: Int, states: AsyncStream<[Section]>, hub: EventHub) {
            self.id = id
            self.states = states
            self.hub = hub
        }

        /// Ends `states`.
        func end() { hub.state.withLock { $0.listeners[id] }?.finish() }

        deinit { hub.leave(id) }
    }

    private struct State {
        var listeners: [Int: AsyncStream<[Section]>.Continuation] = [:]
        var nextID = 0
        var newest: [Section] = []
        var pump: Task<Void, Never>?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let limit: Int
    private let maker: SectionMaker
    private let backend: any Backend
    /// Between two states at least, and at most.
    private let pace: Duration
    private let heartbeat: Duration

    init(backend: any Backend, uploadLimit: Int64, limit: Int, pace: Duration = .milliseconds(400), heartbeat: Duration = .seconds(10)) {
        self.backend = backend
        self.limit = limit
        self.pace = pace
        self.heartbeat = heartbeat
        maker = SectionMaker(backend: backend, uploadLimit: uploadLimit)
    }

    var listeners: Int { state.withLock { $0.listeners.count } }

    /// Nil where there are as many as allowed, or the server stops.
    func subscribe() -> Subscription? {
        let (states, continuation) = AsyncStream<[Section]>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let id: Int? = state.withLock { state in
            guard !state.isClosed, state.listeners.count < limit else { return nil }
            state.nextID += 1
            state.listeners[state.nextID] = continuation
            if !state.newest.isEmpty { continuation.yield(state.newest) }
            if state.pump == nil { state.pump = Task { await self.run() } }
            return state.nextID
        }
        return id.map { Subscription(id: $0, states: states, hub: self) }
    }

    private func leave(_ id: Int) {
        state.withLock { state in
            state.listeners[id] = nil
            guard state.listeners.isEmpty else { return }
            state.pump?.cancel()
            state.pump = nil
            // What is kept would be old for the next one.
            state.newest = []
        }
    }

    /// Ends all streams, and takes no more.
    func close() {
        let (listeners, pump) = state.withLock { state in
            state.isClosed = true
            defer { state.pump = nil }
            return (Array(state.listeners.values), state.pump)
        }
        pump?.cancel()
        for listener in listeners { listener.finish() }
    }

    /// A new state after every change, and now and then without one: a connection that is dead shows only when written to.
    private func run() async {
        let (ticks, ticking) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await _ in await self.backend.changes() { ticking.yield() }
            }
            group.addTask {
                while !Task.isCancelled {
                    ticking.yield()
                    try? await Task.sleep(for: self.heartbeat)
                }
                ticking.finish()
            }
            for await _ in ticks {
                if Task.isCancelled { break }
                tell(await maker.sections(after: state.withLock { $0.newest }))
                try? await Task.sleep(for: pace)
            }
            group.cancelAll()
        }
    }

    private func tell(_ sections: [Section]) {
        // A pump that was cancelled must not leave its state to the next one.
        guard !Task.isCancelled else { return }
        let listeners = state.withLock { state in
            state.newest = sections
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.yield(sections) }
    }
}
