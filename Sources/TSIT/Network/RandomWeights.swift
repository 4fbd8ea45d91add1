/// Weights drawn from a seed, for benchmarks and the self-check: a network of any width without a file.
///
/// Every tensor is drawn on its own, from its key, so that the order of reading does not matter. Scales keep activations
/// near unit size.
public struct RandomWeights: WeightSource {
    public let configuration: ModelConfiguration
    public let seed: UInt64

    public init(configuration: ModelConfiguration, seed: UInt64 = 0) {
        self.configuration = configuration
        self.seed = seed
    }

    /// Uniform values: convolutions with the variance 2 / fan-in (less for gamma, beta and conv_img), biases and running
    /// means within 0.1 of zero, running variances between 0.5 and 1.5.
    public func tensor(_ key: String, shape: [Int], _ range: Range<Int>) throws -> [Float] {
        // FNV-1a of the key sets the stream.
        let hash = key.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        var generator = SplitMix64(state: hash ^ seed)
        generator.skip(range.lowerBound)
        var scale: Float = 0.1
        if shape.count > 1 {
            let fanIn = Float(shape.dropFirst().reduce(1, *))
            scale = (6 / fanIn).squareRoot() * (key.contains("mlp_") || key.hasPrefix("conv_img") ? 0.3 : 1)
        }
        let isVariance = key.hasSuffix("running_var")
        return range.map { _ in
            // 24 bits are exact in a Float.
            let unit = Float(generator.next() >> 40) * 0x1p-23 - 1
            return isVariance ? 1 + 0.5 * unit : scale * unit
        }
    }
}
