public import NeuralEngine

/// Times the generator alone, with random weights and known styles, as a frame of a conversion runs it.
public struct NetworkBenchmark: Sendable {
    /// Milliseconds of every timed frame, ascending.
    public let milliseconds: [Double]
    /// Multiply-adds of a frame as direct convolutions, in thousand millions.
    public let gigaMultiplyAdds: Double

    public var median: Double { milliseconds[milliseconds.count / 2] }
    public var minimum: Double { milliseconds[0] }
    public var maximum: Double { milliseconds[milliseconds.count - 1] }
    /// Direct-equivalent multiply-adds per second of the median frame, in thousand millions.
    public var rate: Double { gigaMultiplyAdds / (median / 1000) }

    /// Runs one frame to warm up, then `runs` timed ones (at least one).
    ///
    /// - Parameter renditions: how many styles each frame is translated to.
    /// - Throws: what `Generator` throws.
    public init(
        ngf: Int, width: Int, height: Int, runs: Int, renditions: Int = 1, precision: NetworkPrecision = .float32,
        pool: ThreadPool
    ) throws {
        let frame = try BenchmarkFrame(ngf: ngf, width: width, height: height, renditions: renditions, precision: precision, pool: pool)
        try frame.run()
        let clock = ContinuousClock()
        milliseconds = try (0..<max(1, runs)).map { _ in
            try clock.measure { try frame.run() } / .milliseconds(1)
        }.sorted()
        gigaMultiplyAdds = Double(ModelConfiguration(ngf: ngf).multiplyAdds(width: width, height: height)) * 1e-9
    }
}

extension ModelConfiguration {
    /// Multiply-adds of the convolutions of one frame (style stream not counted), each computed directly at its size.
    func multiplyAdds(width: Int, height: Int) -> Int {
        let widths = mapWidths
        func pixels(_ k: Int) -> Int { (width >> k) * (height >> k) }
        let content = widths.indices.reduce(0) { sum, k in
            let (inputs, outputs) = (k == 0 ? inputChannels : widths[k - 1], widths[k])
            let shortcut = inputs == outputs ? 0 : inputs * outputs
            return sum + pixels(k) * (9 * inputs * (inputs + outputs) + shortcut)
        }
        let blocks = (1...7).reduce(0) { sum, k in
            let (inputs, outputs) = (widths[k], k > 4 ? widths[k] : widths[k - 1])
            // Gamma and beta of each norm, the two convolutions, and the shortcut.
            let norms = (inputs == outputs ? 2 : 3) * 18 * inputs * inputs
            let shortcut = inputs == outputs ? 0 : inputs * outputs
            return sum + pixels(k) * (norms + 9 * inputs * (inputs + outputs) + shortcut)
        }
        return content + blocks + pixels(0) * 27 * ngf
    }
}
