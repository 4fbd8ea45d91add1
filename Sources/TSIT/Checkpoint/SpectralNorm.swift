/// Spectral norm as the state dict holds it: the effective weight is W / (u . (W v)), W viewed as one row per output
/// channel (Miyato et al. 2018, algorithm 1, with the stored u and v in place of a power iteration).
enum SpectralNorm {
    /// The effective weight, or nil where the norm is not a positive number.
    ///
    /// - Parameters:
    ///   - weight: `u.count` rows of `v.count` values.
    ///   - u: one value per output channel.
    ///   - v: one value per input channel and kernel tap.
    static func folded(_ weight: [Float], u: [Float], v: [Float]) -> [Float]? {
        let sigma = norm(weight, u: u, v: v)
        guard sigma.isFinite, sigma > 0 else { return nil }
        return weight.map { Float(Double($0) / sigma) }
    }

    /// u . (W v), accumulated in double: eight partial sums per row, added in a fixed order.
    static func norm(_ weight: [Float], u: [Float], v: [Float]) -> Double {
        precondition(weight.count == u.count * v.count)
        let columns = v.count
        let whole = columns / 8 * 8
        let direction = v.map(Double.init)
        var sum = 0.0
        for row in u.indices {
            let first = row * columns
            var partial = SIMD8<Double>.zero
            for column in stride(from: 0, to: whole, by: 8) {
                var weights = SIMD8<Float>.zero
                var directions = SIMD8<Double>.zero
                for lane in 0..<8 {
                    weights[lane] = weight[first + column + lane]
                    directions[lane] = direction[column + lane]
                }
                partial += SIMD8<Double>(weights) * directions
            }
            var product = partial.sum()
            for column in whole..<columns { product += Double(weight[first + column]) * direction[column] }
            sum += Double(u[row]) * product
        }
        return sum
    }
}
