internal import Dispatch
internal import Foundation
internal import Synchronization

/// Threads for what waits for a disk. Swift's pool must not wait, nor may Dispatch's: on Linux they are the same threads.
enum DiskQueue {
    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var threads = 0
        var idle = 0
    }

    private static let state = Mutex(State())
    private static let work = DispatchSemaphore(value: 0)
    /// A disk that hangs may hold all of them: uploads and downloads stand still then, and nothing else.
    private static let threadLimit = 8

    /// Runs `body` on one of the threads; as many callers wait as there are uploads and downloads at most.
    static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let needsThread = state.withLock { state in
                state.waiting.append { continuation.resume(with: Result { try body() }) }
                guard state.waiting.count > state.idle, state.threads < threadLimit else { return false }
                state.threads += 1
                state.idle += 1
                return true
            }
            if needsThread { start() }
            work.signal()
        }
    }

    private static func start() {
        let thread = Thread {
            while true {
                work.wait()
                let next = state.withLock { state in
                    state.idle -= 1
                    return state.waiting.removeFirst()
                }
                next()
                state.withLock { $0.idle += 1 }
            }
        }
        thread.name = "solstice-disk"
        thread.start()
    }
}
