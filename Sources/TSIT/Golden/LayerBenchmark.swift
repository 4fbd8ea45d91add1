internal import Imaging
internal import NeuralEngine

/// Times every pass of a frame of the generator, with random weights.
public struct LayerBenchmark: Sendable {
    public struct Layer: Sendable {
        public let name: String
        /// Median over the timed frames.
        public let milliseconds: Double
    }

    /// In the order of a frame's way.
    public let layers: [Layer]

    /// Runs one frame to warm up, then `runs` timed ones (at least one).
    ///
    /// - Throws: what `Generator` throws.
    public init(
        ngf: Int, width: Int, height: Int, runs: Int, renditions: Int = 1, precision: NetworkPrecision = .float32,
        threads: Int
    ) throws {
        let recorder = PassRecorder()
        let frame = try BenchmarkFrame(
            ngf: ngf, width: width, height: height, renditions: renditions, precision: precision,
            pool: ThreadPool(threads: threads, recorder: recorder))
        _ = recorder.take()
        let frames = try (0..<max(1, runs)).map { _ in
            _ = try frame.time()
            return recorder.take()
        }
        layers = frames[0].indices.map { index in
            let times = frames.map { $0[index].time / .milliseconds(1) }.sorted()
            return Layer(name: frames[0][index].name, milliseconds: times[times.count / 2])
        }
    }
}

/// A generator with all that a frame of it takes, warmed up: random weights, known styles, a pattern as content.
struct BenchmarkFrame {
    private let generator: Generator
    private let styles: [StyleStatistics]
    private let content: PlanarImage<Float>
    private let pictures: [PlanarImage<Float>]

    init(ngf: Int, width: Int, height: Int, renditions: Int = 1, precision: NetworkPrecision, pool: ThreadPool) throws {
        let configuration = ModelConfiguration(ngf: ngf)
        generator = try Generator(
            weights: RandomWeights(configuration: configuration), width: width, height: height, renditions: renditions,
            precision: precision, pool: pool)
        let widths = configuration.mapWidths
        let style = StyleStatistics(
            means: widths.map { Array(repeating: 0.1, count: $0) },
            deviations: widths.map { Array(repeating: 1, count: $0) })
        styles = Array(repeating: style, count: renditions)
        content = PlanarImage(SelfCheck.pattern(width, height, seed: 0), width: width, height: height)
        pictures = styles.map { _ in PlanarImage<Float>(width: width, height: height) }
        try generator.setNoise(Noise.draw(seed: 0, count: generator.noiseCount))
        try generator(content, styles: styles, into: pictures)
    }

    /// Milliseconds of one frame.
    func time() throws -> Double {
        try ContinuousClock().measure { try generator(content, styles: styles, into: pictures) } / .milliseconds(1)
    }
}
