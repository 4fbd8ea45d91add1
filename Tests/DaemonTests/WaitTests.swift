import Base
import Foundation
import Logging
import TestSupport
import Testing

@testable import Daemon

/// Waits that a wall clock which is set back must not make longer.
@Suite(.enabled(if: TimedWait.canBeSeen, "the kernel does not say how threads wait")) struct WaitTests {
    private struct StuckSink: LogSink {
        let gate: DispatchSemaphore
        func write(_ record: LogRecord) { gate.wait() }
    }

    @Test func forMessages() {
        let box = Mailbox<Int>(capacity: 1)
        #expect(TimedWait.clock { _ = box.take(waiting: 3600) } == .monotonic)
        box.post(1)
    }

    /// The next look at a disk, and the end of a watcher.
    @Test func forWhatHappensOnce() {
        let flag = MonotonicFlag()
        #expect(TimedWait.clock { _ = flag.wait(seconds: 3600) } == .monotonic)
        flag.raise()
        #expect(flag.wait(seconds: 0))
    }

    @Test func forTheEndOfAProcess() throws {
        let child = try ChildProcess.start(ChildOrder("/bin/sleep", ["3600"]))
        #expect(TimedWait.clock { _ = child.wait(seconds: 3600) } == .monotonic)
        child.kill()
    }

    @Test func forALogThatIsNotRead() {
        let gate = DispatchSemaphore(value: 0), queue = LogQueue(StuckSink(gate: gate))
        queue.put(LogRecord(level: .info, text: "x", metadata: [:]))
        #expect(TimedWait.clock { _ = queue.finish(patience: 3600) } == .monotonic)
        gate.signal()
    }
}
