/// Integers of numbers that a file or a user gave. Swift's own conversions end the program where the number is none or too large.
extension FixedWidthInteger {
    /// `value` rounded; nil where it is no number or does not fit.
    public init?(checked value: Double, _ rule: FloatingPointRoundingRule = .toNearestOrAwayFromZero) {
        self.init(exactly: value.rounded(rule))
    }

    /// The integer nearest to `value`: the smallest or the largest one where it does not fit, 0 where it is no number.
    public init(nearest value: Double, _ rule: FloatingPointRoundingRule = .toNearestOrAwayFromZero) {
        self = Self(checked: value, rule) ?? (value.isNaN ? 0 : value < 0 ? .min : .max)
    }
}
