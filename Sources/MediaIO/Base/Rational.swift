internal import CFFmpeg

/// A fraction of two 32-bit integers, libav's `AVRational`: a time base (seconds per tick), a frame rate, an aspect.
public struct Rational: Hashable, Sendable, Codable, CustomStringConvertible {
    public var numerator: Int32
    public var denominator: Int32

    public init(_ numerator: Int32, _ denominator: Int32) {
        self.numerator = numerator
        self.denominator = denominator
    }

    init(_ value: AVRational) { self.init(value.num, value.den) }

    var avRational: AVRational { AVRational(num: numerator, den: denominator) }

    /// The value, or nil where the denominator is 0 (libav's 'unknown').
    public var value: Double? { denominator == 0 ? nil : Double(numerator) / Double(denominator) }

    /// True where both parts are positive: a usable rate, aspect or time base.
    public var isPositive: Bool { numerator > 0 && denominator > 0 }

    public var inverse: Rational { Rational(denominator, numerator) }

    /// The same value in lowest terms.
    public var reduced: Rational {
        var (numerator, denominator) = (Int32(0), Int32(0))
        av_reduce(&numerator, &denominator, Int64(self.numerator), Int64(self.denominator), Int64(Int32.max))
        return Rational(numerator, denominator)
    }

    public var description: String { "\(numerator)/\(denominator)" }

    /// Converts `ticks` of this time base to ticks of `target`, rounded to nearest, ties away from zero
    /// (`av_rescale_q`).
    public func rescale(_ ticks: Int64, to target: Rational) -> Int64 {
        av_rescale_q(ticks, avRational, target.avRational)
    }
}

extension Int64 {
    /// A libav timestamp: nil for `AV_NOPTS_VALUE`.
    var knownTimestamp: Int64? { self == shim_no_pts() ? nil : self }
}

extension Int64? {
    /// The libav form of an optional timestamp.
    var avTimestamp: Int64 { self ?? shim_no_pts() }
}
