public import Imaging
public import NeuralEngine
internal import Synchronization

/// The style stream: reduces a style picture to the statistics that FAdaIN needs (paper, sections 3.2 and 3.4).
///
/// It runs once per style; build it, use it, drop it: its weights are as large as the content stream's.
public final class StyleStream: Sendable {
    public let width: Int
    public let height: Int
    private let pool: ThreadPool
    // The lock makes sharing safe: one picture at a time.
    private let stream: Mutex<FeatureStream>

    /// - Parameter instructionSet: whose kernels compute; the last bits of the statistics are theirs.
    /// - Throws: `TSITError` `.badSize`, `.unsupported`, `.badConfiguration`, `.missingTensor`, `.wrongShape`;
    ///   `NeuralError` `.outOfMemory`.
    public init(
        weights: some WeightSource, width: Int, height: Int, pool: ThreadPool, instructionSet: InstructionSet = .current
    ) throws {
        try weights.configuration.checkRunnable()
        guard weights.configuration.task != .sis else {
            throw TSITError(
                .unsupported, "a model of semantic image synthesis has no style stream",
                remedy: "a reference picture goes through its VAE encoder, if it has one")
        }
        let size = try NetworkSize(width: width, height: height)
        self.width = width
        self.height = height
        self.pool = pool
        stream = Mutex(
            try FeatureStream(
                weights, module: "style_stream", size: size, measuring: true,
                workspace: Workspace(threads: pool.threads), instructionSet: instructionSet, pool: pool))
    }

    /// The statistics of `picture`, which has the stream's size and values in [-1, 1].
    ///
    /// - Throws: `TSITError` `.badSize`.
    public func callAsFunction(_ picture: PlanarImage<Float>) throws -> StyleStatistics {
        try stream.withLock { stream in
            try stream(picture, on: pool)
            return stream.statistics
        }
    }
}
