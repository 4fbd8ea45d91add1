import Testing

@testable import MediaIO

/// Holes that damage has left in a sequence of pts.
@Suite struct InputLossTests {
    /// Feeds `pts` in order, tokens counting up; what is found missing, with the damage at the tokens `suspects`.
    private func missing(_ pts: [Int64], suspects: [Int64]) -> [Int64] {
        var gaps = LossGaps()
        for token in suspects { gaps.suspect(token) }
        return pts.enumerated().flatMap { gaps.missing(before: $1, token: Int64($0)) }
    }

    private let regular = (0..<20).map { Int64($0) * 40 }

    @Test func aHoleIsFilledOnlyNearDamage() {
        let broken = regular + [920, 960, 1000]
        #expect(missing(broken, suspects: [20]) == [800, 840, 880])
        #expect(missing(broken, suspects: []) == [])
        #expect(missing(broken, suspects: [60]) == [])
        #expect(missing(regular, suspects: [10]) == [])
    }

    /// Matroska counts milliseconds: 30 frames per second come at 33 and 34.
    @Test func roundedTimesAreRegular() {
        let times = (0..<40).map { Int64((Double($0) * 1000 / 30).rounded()) }
        let found = missing(Array(times[..<20] + times[25...]), suspects: [21])
        #expect(found.count == 5)
        #expect(zip(found, times[20..<25]).allSatisfy { abs($0 - $1) <= 1 })
    }

    @Test func variableRateIsLeftAlone() {
        var pts: [Int64] = [0]
        for number in 0..<30 { pts.append((pts.last ?? 0) + (number % 3 == 0 ? 80 : 40)) }
        #expect(missing(pts + [(pts.last ?? 0) + 400], suspects: [31]) == [])
    }

    @Test func theEndIsCounted() {
        var gaps = LossGaps()
        for (token, pts) in regular.enumerated() { _ = gaps.missing(before: pts, token: Int64(token)) }
        #expect(gaps.missing(until: 800) == 0)
        #expect(gaps.missing(until: 1000) == 5)
        #expect(gaps.missing(until: 0) == 0)
    }

    @Test func wildTimesDoNotRunAway() {
        #expect(missing(regular + [.max], suspects: [20]) == [])
        #expect(missing(regular + [.min + 1], suspects: [20]) == [])
    }
}
