internal import Synchronization
internal import TSIT

/// The style and strength of a running relay, which commands may change: they then fade from what is shown to what is asked.
/// Times are seconds since the relay began.
final class LiveStyle: Sendable {
    private struct Look: Sendable {
        var style: Timeline<StyleStatistics>?
        var strength: Timeline<Float>
    }

    private let look: Mutex<Look>

    /// - Parameter style: nil where the strength is 0 throughout.
    init(style: Timeline<StyleStatistics>?, strength: Timeline<Float>) {
        look = Mutex(Look(style: style, strength: strength))
    }

    func style(at now: Double) -> StyleStatistics? { look.withLock { $0.style?.value(at: now) } }
    func strength(at now: Double) -> Float { look.withLock { $0.strength.value(at: now) } }

    /// Throws `TSITError` `.styleMismatch` for a style of another shape.
    func fade(to style: StyleStatistics, over seconds: Double, from now: Double) throws {
        try look.withLock { look in
            let shown = look.style?.value(at: now)
            guard shown.map({ $0.means.map(\.count) == style.means.map(\.count) }) ?? true else {
                throw TSITError(.styleMismatch, "the style does not fit the model that runs")
            }
            look.style = try Self.timeline(from: shown ?? style, to: style, over: seconds, at: now)
        }
    }

    func fade(toStrength strength: Float, over seconds: Double, from now: Double) throws {
        try look.withLock { look in
            look.strength = try Self.timeline(from: look.strength.value(at: now), to: strength, over: seconds, at: now)
        }
    }

    private static func timeline<Value>(
        from: Value, to: Value, over seconds: Double, at now: Double
    ) throws -> Timeline<Value> {
        seconds > 0
            ? try Timeline([.init(seconds: now, value: from), .init(seconds: now + seconds, value: to)]) : Timeline(to)
    }
}
