/// The Gaussian noise that the generator's head starts from.
public enum Noise {
    /// `count` values of a standard normal distribution, the same on every machine for the same seed.
    ///
    /// SplitMix64 gives the bits (Steele, Lea and Flood 2014), Marsaglia's polar method the shape (1964); the logarithm is
    /// computed here from IEEE operations alone, since those of C libraries differ in the last bit.
    public static func draw(seed: UInt64, count: Int) -> [Float] {
        var generator = SplitMix64(state: seed)
        var values: [Float] = []
        values.reserveCapacity(count + 1)
        while values.count < count {
            let u = 2 * generator.uniform() - 1
            let v = 2 * generator.uniform() - 1
            let s = u * u + v * v
            guard s > 0, s < 1 else { continue }
            let factor = (-2 * logarithm(s) / s).squareRoot()
            values.append(Float(u * factor))
            values.append(Float(v * factor))
        }
        return Array(values.prefix(count))
    }

    /// The natural logarithm of a positive normal number: exponent times ln 2 plus the series of 2 artanh((m - 1)/(m + 1)).
    static func logarithm(_ x: Double) -> Double {
        let t = (x.significand - 1) / (x.significand + 1)
        let square = t * t
        var sum = 0.0
        // t <= 1/3, so 18 terms reach the last bit.
        for term in stride(from: 35, through: 1, by: -2) { sum = sum * square + 1 / Double(term) }
        return Double(x.exponent) * 0.693147180559945309417 + 2 * t * sum
    }
}

/// SplitMix64: a 64-bit counter through a mixing function.
struct SplitMix64 {
    var state: UInt64

    private static let step: UInt64 = 0x9e37_79b9_7f4a_7c15

    /// Passes over `count` values.
    mutating func skip(_ count: Int) { state &+= Self.step &* UInt64(count) }

    mutating func next() -> UInt64 {
        state &+= Self.step
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// A multiple of 2^-53 in [0, 1).
    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}
