import TestSupport
import Testing

@testable import Relay

/// A wall clock that is set back must not stop a relay.
@Suite(.enabled(if: TimedWait.canBeSeen, "the kernel does not say how threads wait")) struct WaitTests {
    @Test func aPauseCountsByTheClockThatNobodySets() {
        let stop = StopSign()
        #expect(TimedWait.clock { _ = stop.sleep(3600) } == .monotonic)
        stop.raise()
    }

    @Test func soDoesTheWaitForAnElement() {
        let handover = Handover<Int>(capacity: 1)
        #expect(TimedWait.clock { _ = handover.receive(patience: 3600) } == .monotonic)
        handover.end()
    }
}
