internal import Dispatch
internal import Foundation
internal import Synchronization

/// Runs work that Ctrl-C and SIGTERM end in order: the work's task is cancelled and cleans up behind itself.
enum Signals {
    /// Runs `body` to its end. Throws `Interruption` where a signal came and the work gave up because of it.
    static func cancelling<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let received = Mutex<Int32?>(nil)
        let task = Task(operation: body)
        let sources = watch([SIGINT, SIGTERM, SIGHUP]) { number in
            received.withLock { $0 = $0 ?? number }
            task.cancel()
        }
        defer { for source in sources { source.cancel() } }
        do {
            return try await task.value
        } catch is CancellationError {
            throw Interruption(signal: received.withLock { $0 } ?? SIGTERM)
        }
    }

    /// Calls `body` with each of `numbers` that comes, in place of what the signal does by itself, until the sources are cancelled.
    static func watch(_ numbers: [Int32], _ body: @escaping @Sendable (Int32) -> Void) -> [any DispatchSourceSignal] {
        numbers.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { body(number) }
            source.resume()
            return source
        }
    }
}

/// A signal that ended the work.
struct Interruption: Error, CustomStringConvertible {
    let signal: Int32
    /// By convention 128 plus the signal's number.
    var exitCode: Int32 { 128 + signal }
    var description: String { "interrupted; nothing was written" }
}
