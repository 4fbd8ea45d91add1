import Foundation
import Synchronization
import Testing

@testable import Base

@Suite("Waits") struct MonotonicConditionTests {
    @Test("end when they are signalled, and else when their time is over")
    func ends() {
        let condition = MonotonicCondition()
        condition.lock()
        #expect(!condition.wait(until: MonotonicDeadline(after: 0)))
        #expect(!condition.wait(until: MonotonicDeadline(after: 0.01)))
        let done = Mutex(false)
        let thread = Thread {
            // It gets the lock only when the other waits.
            condition.lock()
            done.withLock { $0 = true }
            condition.broadcast()
            condition.unlock()
        }
        thread.start()
        while !done.withLock({ $0 }) { #expect(condition.wait(until: MonotonicDeadline(after: 60))) }
        condition.unlock()
    }

    @Test("take any number of seconds", arguments: [-1, .nan, .infinity, 1e300])
    func anySpan(_ seconds: Double) {
        let condition = MonotonicCondition()
        condition.lock()
        defer { condition.unlock() }
        if seconds < 1 || seconds.isNaN { #expect(!condition.wait(until: MonotonicDeadline(after: seconds))) }
        _ = MonotonicDeadline(after: seconds)
    }
}
