import Testing
import TestSupport

@testable import Relay

@Suite struct BackoffTests {
    @Test func doublesFromHalfASecondToFifteen() {
        var backoff = Backoff(), generator = SeededRandom(seed: 1)
        let pauses = (0..<40).map { _ in backoff.next(using: &generator) }
        for (index, pause) in pauses.enumerated() {
            let whole = min(15, 0.5 * Double(1 << min(index, 16)))
            #expect(pause <= .seconds(whole) && pause >= .seconds(whole * 0.75))
        }
        #expect(Set(pauses.suffix(10)).count > 5, "the pauses of several relays fall together")
        backoff.succeeded()
        #expect(backoff.next(using: &generator) <= .milliseconds(500))
    }
}
