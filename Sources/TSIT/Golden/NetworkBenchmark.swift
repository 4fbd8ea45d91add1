public import NeuralEngine

/// Times the generator alone, with random weights and known styles, as a frame of a conversion runs it.
public struct NetworkBenchmark: Sendable {
    /// Milliseconds of every timed frame, ascending.
    public let milliseconds: [Double]
    /// Multiply-adds of a frame as direct convolutions, in thousand millions.
    public let gigaMultiplyAdds: Double
    /// Styles that each frame was translated to.
    public let renditions: Int
    /// Median milliseconds of a frame with one style, timed in turns with the others; nil where there is only one.
    public let single: Double?
    /// Milliseconds that each further style adds to a frame: the median over the turns; nil where there is only one.
    public let marginal: Double?

    public var median: Double { milliseconds[milliseconds.count / 2] }
    public var minimum: Double { milliseconds[0] }
    public var maximum: Double { milliseconds[milliseconds.count - 1] }
    /// Direct-equivalent multiply-adds per second of the median frame, in thousand millions.
    public var rate: Double { gigaMultiplyAdds / (median / 1000) }

    /// Runs one frame to warm up, then `runs` timed ones (at least one); with several renditions, each in turn with one of
    /// a single rendition, so that both meet the same state of the machine.
    ///
    /// - Parameter renditions: how many styles each frame is translated to.
    /// - Throws: what `Generator` throws.
    public init(
        ngf: Int, width: Int, height: Int, runs: Int, renditions: Int = 1, precision: NetworkPrecision = .float32,
        pool: ThreadPool
    ) throws {
        let configuration = ModelConfiguration(ngf: ngf)
        self.renditions = renditions
        func frame(_ renditions: Int) throws -> BenchmarkFrame {
            try BenchmarkFrame(
                ngf: ngf, width: width, height: height, renditions: renditions, precision: precision, pool: pool)
        }
        let all = try frame(renditions)
        let one = renditions == 1 ? nil : try frame(1)
        var times: [Double] = [], singles: [Double] = [], differences: [Double] = []
        for run in 0..<max(1, runs) {
            // Whoever comes second finds the caches full of the other's weights: they take turns at that too.
            let before = run % 2 == 0 ? try one?.time() : nil
            let time = try all.time()
            times.append(time)
            guard let single = try before ?? one?.time() else { continue }
            singles.append(single)
            differences.append((time - single) / Double(renditions - 1))
        }
        milliseconds = times.sorted()
        single = singles.sorted().middle
        marginal = differences.sorted().middle
        gigaMultiplyAdds = Double(configuration.multiplyAdds(width: width, height: height, renditions: renditions)) * 1e-9
    }
}

extension [Double] {
    /// The median of sorted numbers; nil where there are none.
    fileprivate var middle: Double? { isEmpty ? nil : self[count / 2] }
}

extension ModelConfiguration {
    /// Multiply-adds of the convolutions of one frame (style stream not counted), each computed directly at its size.
    func multiplyAdds(width: Int, height: Int, renditions: Int = 1) -> Int {
        let widths = mapWidths
        func pixels(_ k: Int) -> Int { (width >> k) * (height >> k) }
        let content = widths.indices.reduce(0) { sum, k in
            let (inputs, outputs) = (k == 0 ? inputChannels : widths[k - 1], widths[k])
            let shortcut = inputs == outputs ? 0 : inputs * outputs
            return sum + pixels(k) * (9 * inputs * (inputs + outputs) + shortcut)
        }
        let blocks = (1...7).reduce(0) { sum, k in
            let (inputs, outputs) = (widths[k], k > 4 ? widths[k] : widths[k - 1])
            // Gamma and beta of each norm, for all renditions; the two convolutions and the shortcut, for each.
            let norms = (inputs == outputs ? 2 : 3) * 18 * inputs * inputs
            let shortcut = inputs == outputs ? 0 : inputs * outputs
            return sum + pixels(k) * (norms + renditions * (9 * inputs * (inputs + outputs) + shortcut))
        }
        return content + blocks + renditions * pixels(0) * 27 * ngf
    }
}
