import Testing

@testable import Relay

@Suite struct FramePaceTests {
    /// A machine that needs so many seconds for a network of 1024x512, and less for a smaller one by its area.
    private func settle(secondsAtFullSize: Double) -> (size: NetworkLadder.Size, changes: Int) {
        let full = NetworkLadder.Size(width: 1024, height: 512)
        let pace = FramePace(rate: 25, ladder: NetworkLadder(largest: full))
        var size = full, changes = 0, time = 0.0, busyUntil = 0.0, isWaiting = false
        var change: (size: NetworkLadder.Size, at: Double)?
        while time < 25 {
            let service = secondsAtFullSize * Double(size.area) / Double(full.area)
            func begin() {
                (isWaiting, busyUntil) = (false, time + service)
                pace.noteTranslated(seconds: service)
            }
            if isWaiting, busyUntil <= time { begin() }
            if pace.admits(at: time) {
                if isWaiting { pace.noteOvertaken() }
                if busyUntil <= time { begin() } else { isWaiting = true }
            }
            if let wish = pace.judge(now: time).size { change = (wish, time + 4) }
            if let due = change, due.at <= time {
                (size, change) = (due.size, nil)
                changes += 1
                pace.noteResized(failed: false)
            }
            time += 0.04
        }
        return (size, changes)
    }

    @Test func aSlowMachineStopsAtTheFirstSizeThatItKeepsUpWith() {
        // A little too much at the full size, and well below the time there is at the next one.
        let (size, changes) = settle(secondsAtFullSize: 0.043)
        #expect(changes == 1 && size == NetworkLadder(largest: .init(width: 1024, height: 512)).sizes[1])
    }

    @Test func aFastMachineKeepsItsSize() {
        #expect(settle(secondsAtFullSize: 0.03).changes == 0)
    }
}
