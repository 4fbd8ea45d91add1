internal import Foundation
internal import Synchronization

/// Runs stages side by side, each on a thread of its own since all of them block, and ends them together.
///
/// The first stage that throws, or the cancellation of the task that runs the group, ends every wait of the others:
/// their channels are cancelled and `onShutdown` is called, so that all of them return before `run` does.
struct StageGroup: Sendable {
    private struct Stage: Sendable {
        let name: String
        let body: @Sendable () throws -> Void
    }

    private var stages: [Stage] = []
    private var channels: [any Cancellable] = []
    /// Ends waits that are not on a channel, such as libav's reads. Called once or more, from any thread.
    private let onShutdown: @Sendable () -> Void

    init(onShutdown: @escaping @Sendable () -> Void) { self.onShutdown = onShutdown }

    /// A channel that ends with the group.
    mutating func channel<Element>(of type: Element.Type, capacity: Int, senders: Int = 1) -> Channel<Element> {
        let channel = Channel<Element>(capacity: capacity, senders: senders)
        channels.append(channel)
        return channel
    }

    mutating func add(_ name: String, _ body: @escaping @Sendable () throws -> Void) {
        stages.append(Stage(name: name, body: body))
    }

    /// Runs every stage to its end. Throws the first error that a stage threw, or `CancellationError`.
    func run() async throws {
        let firstFailure = Mutex<(any Error)?>(nil)
        let end: @Sendable (any Error) -> Void = { [channels, onShutdown] error in
            firstFailure.withLock { if $0 == nil { $0 = error } }
            onShutdown()
            for channel in channels { channel.cancel() }
        }
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                for stage in stages {
                    group.addTask {
                        do { try await onOwnThread(named: stage.name, stage.body) } catch { end(error) }
                    }
                }
            }
        } onCancel: {
            end(CancellationError())
        }
        if let error = firstFailure.withLock({ $0 }) { throw error }
    }
}

/// Runs `body`, which may block, on a new thread and awaits its end.
package func onOwnThread<Result: Sendable>(
    named name: String, _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread {
            // Only a running thread takes a name that debuggers and profilers see, and threads that it starts inherit it.
            Thread.current.name = name
            continuation.resume(with: Swift.Result { try body() })
        }
        // x265 and some filters use large frames on the stack; the platform's default for secondary threads is small.
        thread.stackSize = 8 << 20
        thread.start()
    }
}

/// Runs `body` under another name of the current thread, for the sake of the threads that a library starts in it.
func withThreadName<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
    let thread = Thread.current, own = thread.name
    thread.name = name
    defer { thread.name = own }
    return try body()
}
