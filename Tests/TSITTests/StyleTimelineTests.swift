import Testing

@testable import TSIT

@Suite("Mixtures and timelines of styles")
struct StyleTimelineTests {
    /// Statistics of the right form whose numbers have all their bits in use.
    private static func statistics(seed: UInt64) -> StyleStatistics {
        var random = SeededNumbers(state: seed)
        let widths = ModelConfiguration(ngf: 2).mapWidths
        return StyleStatistics(
            means: widths.map { width in (0..<width).map { _ in Float.random(in: -3...3, using: &random) } },
            deviations: widths.map { width in (0..<width).map { _ in Float.random(in: 1e-6...9, using: &random) } })
    }

    private let day = Self.statistics(seed: 1), dusk = Self.statistics(seed: 2), night = Self.statistics(seed: 3)

    /// The greatest difference between two statistics, relative to the values.
    private func difference(_ a: StyleStatistics, _ b: StyleStatistics) -> Float {
        zip((a.means + a.deviations).joined(), (b.means + b.deviations).joined()).reduce(0) { most, pair in
            max(most, abs(pair.0 - pair.1) / max(1, abs(pair.0)))
        }
    }

    @Test("A style mixed with itself has the same bits, whatever the weights")
    func itself() {
        var random = SeededNumbers(state: 4)
        for _ in 0..<50 {
            let weights = (0..<Int.random(in: 1...5, using: &random)).map { _ in Double.random(in: 0.001...10, using: &random) }
            #expect(StyleStatistics.mixed(weights.map { (day, $0) }) == day)
            #expect(day.interpolated(to: day, share: Double.random(in: 0...1, using: &random)) == day)
        }
    }

    @Test("Weights count relative to their sum; one of 0 does not count")
    func weights() {
        let mixed = StyleStatistics.mixed([(day, 0.7), (night, 0.3)])
        #expect(difference(StyleStatistics.mixed([(day, 7), (night, 3)]), mixed) < 1e-6)
        #expect(difference(StyleStatistics.mixed([(night, 0.3), (day, 0.7)]), mixed) < 1e-6)
        #expect(difference(mixed, day) > 0.01 && difference(mixed, night) > 0.01)
        #expect(StyleStatistics.mixed([(day, 1), (night, 0)]) == day)
        #expect(StyleStatistics.mixed([(day, 1e300), (day, 1e-300)]) == day)
        let first = mixed.means[3][1]
        #expect(abs(first - (0.7 * day.means[3][1] + 0.3 * night.means[3][1])) < 1e-6)
        #expect(abs(mixed.deviations[7][5] - (0.7 * day.deviations[7][5] + 0.3 * night.deviations[7][5])) < 1e-6)
    }

    @Test("At a keyframe a timeline is that style exactly; before and behind it does not change; midway is the mean")
    func timeline() throws {
        let timeline = try Timeline([
            .init(seconds: 2, value: day), .init(seconds: 12.1, value: dusk), .init(seconds: 40, value: night),
        ])
        for keyframe in timeline.keyframes { #expect(timeline.value(at: keyframe.seconds) == keyframe.value) }
        for early in [-1, 0, 1.999] { #expect(timeline.value(at: early) == day) }
        for late in [40.001, 1e9] { #expect(timeline.value(at: late) == night) }
        #expect(difference(timeline.value(at: 26.05), .mixed([(dusk, 1), (night, 1)])) < 1e-6)
        #expect(difference(timeline.value(at: 4.525), .mixed([(day, 3), (dusk, 1)])) < 1e-6)
        // No jump at a keyframe.
        #expect(difference(timeline.value(at: 12.1 - 1e-9), dusk) < 1e-6 && difference(timeline.value(at: 12.1 + 1e-9), dusk) < 1e-6)
    }

    @Test("A timeline between two equal styles is that style, bit by bit")
    func constant() throws {
        let timeline = try Timeline([.init(seconds: 0, value: dusk), .init(seconds: 7, value: dusk)])
        for step in 0...70 { #expect(timeline.value(at: Double(step) / 10) == dusk) }
    }

    @Test("Timelines that make no sense are refused")
    func refused() {
        for times in [[], [1, 1], [2, 1], [-1], [.nan], [.infinity]] as [[Double]] {
            let error = tsitError { _ = try Timeline(times.map { .init(seconds: $0, value: Float(1)) }) }
            #expect(error?.code == .badTimeline, "\(times)")
        }
    }
}
