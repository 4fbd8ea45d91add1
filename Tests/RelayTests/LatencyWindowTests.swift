import Testing

@testable import Relay

@Suite struct LatencyWindowTests {
    @Test func tellsPercentilesOfTheLastMinute() {
        var window = LatencyWindow(span: 60)
        #expect(window.percentile(0.5, at: 0) == nil)
        for index in 0..<100 { window.note(Double(index), at: 1) }
        #expect(window.percentile(0.5, at: 2) == 50 && window.percentile(0.95, at: 2) == 95)
        window.note(7, at: 70)
        #expect(window.percentile(0.95, at: 71) == 7)
    }

    @Test func staysSmallForWeeks() {
        var window = LatencyWindow(span: 60)
        for index in 0..<200_000 { window.note(0.05, at: Double(index) / 25) }
        #expect(MemoryLayout.size(ofValue: window) < 200 && window.percentile(0.5, at: 8000) == 0.05)
    }
}

@Suite struct NetworkLadderTests {
    @Test func goesDownInSmallStepsAndNotBelowTheSmallest() {
        let ladder = NetworkLadder(largest: .init(width: 1024, height: 512))
        #expect(ladder.sizes.first == .init(width: 1024, height: 512) && ladder.sizes.last == .init(width: 256, height: 128))
        #expect(zip(ladder.sizes, ladder.sizes.dropFirst()).allSatisfy { $0.area > $1.area })
        #expect(ladder.sizes.allSatisfy { $0.width % 128 == 0 && $0.height % 128 == 0 })
        #expect(NetworkLadder(largest: .init(width: 256, height: 128)).sizes.count == 1)
    }

    @Test func stepsDownWhenSlowAndUpAfterCalm() {
        var ladder = NetworkLadder(largest: .init(width: 512, height: 256)), now = 0.0
        func judge(slow: Bool, load: Double, for seconds: Double) -> [NetworkLadder.Size] {
            var changes: [NetworkLadder.Size] = []
            let end = now + seconds
            while now < end {
                if let size = ladder.judge(isSlow: slow, load: load, now: now) { changes.append(size) }
                now += 1
            }
            return changes
        }
        #expect(judge(slow: true, load: 1, for: 2).isEmpty)
        #expect(judge(slow: true, load: 1, for: 3).count == 1)
        #expect(judge(slow: false, load: 0.9, for: 100).isEmpty, "a network that is busy is not made larger")
        #expect(judge(slow: false, load: 0.3, for: 40).last == .init(width: 512, height: 256))
        // What went wrong at once is tried again later and later.
        #expect(judge(slow: true, load: 1, for: 5).count == 1)
        #expect(judge(slow: false, load: 0.3, for: 50).isEmpty)
        #expect(judge(slow: false, load: 0.3, for: 40).count == 1)
    }
}
