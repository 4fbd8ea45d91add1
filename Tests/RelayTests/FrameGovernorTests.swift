import Testing

@testable import Relay

@Suite struct FrameGovernorTests {
    /// Plays `seconds` of a source at `rate` to a machine that needs `service` seconds a frame and keeps only the newest waiting.
    private struct Machine {
        var governor: FrameGovernor
        var service: Double
        var time = 0.0
        private var busyUntil = 0.0
        private var waiting: Double?
        var shown: [Double] = []
        var changes: [FrameGovernor.Change] = []

        init(outputRate: Double, service: Double) {
            governor = FrameGovernor(rate: outputRate)
            self.service = service
        }

        mutating func play(_ seconds: Double, rate: Double) {
            let end = time + seconds
            while time < end {
                if let frame = waiting, busyUntil <= time { begin(frame, at: max(busyUntil, frame)) }
                if governor.admits(at: time) {
                    if waiting != nil { governor.noteOvertaken() }
                    if busyUntil <= time { begin(time, at: time) } else { waiting = time }
                }
                if let change = governor.judge(now: time) { changes.append(change) }
                time += 1 / rate
            }
        }

        private mutating func begin(_ frame: Double, at start: Double) {
            waiting = nil
            shown.append(frame)
            busyUntil = start + service
            governor.noteService(service)
        }
    }

    @Test func passesEverythingThatTheMachineCanDo() {
        var machine = Machine(outputRate: 25, service: 0.03)
        machine.play(20, rate: 25)
        #expect(machine.shown.count >= 499 && machine.changes.isEmpty)
    }

    @Test func halvesAFastSourceEvenly() {
        var machine = Machine(outputRate: 25, service: 0.01)
        machine.play(20, rate: 50)
        #expect((490...510).contains(machine.shown.count))
        let late = machine.shown.suffix(400)
        #expect(zip(late, late.dropFirst()).allSatisfy { abs($1 - $0 - 0.04) < 0.001 })
    }

    @Test func lowersTheRateOfASlowMachineEvenlyAndSaysSoOnce() {
        var machine = Machine(outputRate: 25, service: 0.07)
        machine.play(30, rate: 25)
        #expect(machine.changes.count == 1)
        guard case .slower(let rate, let wanted)? = machine.changes.first else { return #expect(Bool(false), "no word was said") }
        #expect(abs(wanted - 25) < 0.1 && rate < 1 / 0.07 && rate > 10)
        // No two distances differ by more than one frame of the source.
        let late = Array(machine.shown.suffix(200)), steps = zip(late, late.dropFirst()).map { $1 - $0 }
        #expect(steps.max()! - steps.min()! < 0.045)
        #expect(steps.reduce(0, +) / Double(steps.count) < 0.07 * 1.4)
    }

    @Test func comesBackWhenTheMachineIsFastAgain() {
        var machine = Machine(outputRate: 25, service: 0.1)
        machine.play(20, rate: 25)
        machine.service = 0.02
        machine.play(90, rate: 25)
        #expect(machine.changes.last == .full)
        machine.shown = []
        machine.play(10, rate: 25)
        #expect(machine.shown.count >= 249)
    }

    @Test func aGapInTheSourceIsNoSlowness() {
        var machine = Machine(outputRate: 25, service: 0.03)
        for _ in 0..<5 {
            machine.play(3, rate: 25)
            machine.time += 2.5
        }
        #expect(machine.changes.isEmpty)
    }
}
