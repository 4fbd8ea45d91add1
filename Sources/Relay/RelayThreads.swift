internal import Pipeline
internal import Synchronization

/// The threads of a relay, and the wait for the end of all of them.
///
/// The wait can be given up: some calls end with nothing, such as the resolver of host names where no name server answers, or
/// a disk that hangs, and the program is to end all the same.
final class RelayThreads: Sendable {
    private struct State: Sendable {
        /// Names by number.
        var running: [Int: String] = [:]
        var started = 0
        var isGivenUp = false
        var waiter: CheckedContinuation<[String], Never>?
    }

    private let state = Mutex(State())

    /// Runs `body`, which may block, on a thread of its own.
    func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let number = state.withLock { state in
            state.started += 1
            state.running[state.started] = name
            return state.started
        }
        Task {
            try? await onOwnThread(named: name, body)
            note(ended: number)
        }
    }

    /// Waits until all threads have ended, or the wait is given up; returns the names of those that run still. One may wait.
    func wait() async -> [String] {
        await withCheckedContinuation { continuation in
            let left: [String]? = state.withLock { state in
                if state.running.isEmpty || state.isGivenUp { return state.running.values.sorted() }
                state.waiter = continuation
                return nil
            }
            if let left { continuation.resume(returning: left) }
        }
    }

    /// Ends the wait, whatever still runs.
    func giveUp() { note(ended: nil) }

    private func note(ended number: Int?) {
        let (waiter, left): (CheckedContinuation<[String], Never>?, [String]) = state.withLock { state in
            if let number { state.running[number] = nil } else { state.isGivenUp = true }
            guard state.running.isEmpty || state.isGivenUp else { return (nil, []) }
            defer { state.waiter = nil }
            return (state.waiter, state.running.values.sorted())
        }
        waiter?.resume(returning: left)
    }
}
