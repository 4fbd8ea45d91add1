internal import Imaging
public import NeuralEngine

/// Runs a model on the inputs of a golden directory and compares with the output there.
///
/// The directory holds what `tsit_reference.py golden` writes: content.npy and style.npy (1 x 3 x height x width, [-1, 1]),
/// z.npy (1 x 3 x height/128 x width/128) and output.npy.
public struct GoldenCheck: Sendable {
    public let content: NPYArray
    public let style: NPYArray
    public let z: NPYArray
    public let expected: NPYArray
    public let width: Int
    public let height: Int
    /// FAdaIN's alpha that the golden was made with.
    public let alpha: Float

    /// - Throws: `TSITError` `.noSuchFile` or `.damagedFile`.
    public init(directory: String, alpha: Float = 1) throws(TSITError) {
        self.alpha = alpha
        func read(_ name: String) throws(TSITError) -> NPYArray {
            try NPYArray(contentsOfFile: "\(directory)/\(name).npy")
        }
        content = try read("content")
        style = try read("style")
        z = try read("z")
        expected = try read("output")
        guard content.shape.count == 4, content.shape[0] == 1, content.shape[1] == 3 else {
            throw TSITError(.damagedFile, "\(directory): content.npy has shape \(content.shape), not 1 x 3 x height x width")
        }
        width = content.shape[3]
        height = content.shape[2]
        guard style.shape == content.shape, expected.shape == content.shape else {
            throw TSITError(
                .damagedFile,
                "\(directory): shapes \(content.shape) (content), \(style.shape) (style), \(expected.shape) (output)")
        }
    }

    /// Runs style stream and generator on the golden's inputs; how far the output is from the expected one.
    ///
    /// - Throws: what `StyleStream` and `Generator` throw.
    public func run(weights: some WeightSource, pool: ThreadPool) throws -> Difference {
        Difference(try outcome(weights: weights, pool: pool).output, from: expected.values)
    }

    /// What a check computed.
    public struct Outcome: Sendable {
        public let style: StyleStatistics
        /// Layout `[3][height][width]`.
        public let output: [Float]
    }

    /// Runs style stream and generator on the golden's inputs; what they computed.
    ///
    /// - Parameter trace: receives the generator's intermediate maps, see `Generator`.
    /// - Throws: what `StyleStream` and `Generator` throw.
    public func outcome(
        weights: some WeightSource, pool: ThreadPool, instructionSet: InstructionSet = .current,
        trace: ((_ name: String, _ shape: [Int], _ values: [Float]) -> Void)? = nil
    ) throws -> Outcome {
        let stream = try StyleStream(
            weights: weights, width: width, height: height, pool: pool, instructionSet: instructionSet)
        let statistics = try stream(PlanarImage(style.values, width: width, height: height))
        let generator = try Generator(
            weights: weights, width: width, height: height, pool: pool, instructionSet: instructionSet)
        try generator.setNoise(z.values)
        let picture = PlanarImage<Float>(width: width, height: height)
        try generator(
            PlanarImage(content.values, width: width, height: height), styles: [statistics], alpha: alpha, into: [picture],
            trace: trace)
        return Outcome(style: statistics, output: picture.values)
    }
}

extension PlanarImage<Float> {
    /// A picture of `values`, layout `[3][height][width]`.
    convenience init(_ values: [Float], width: Int, height: Int) {
        precondition(values.count == 3 * width * height)
        self.init(width: width, height: height)
        for plane in 0..<3 {
            withPlane(plane) { samples in
                for y in 0..<height {
                    for x in 0..<width { samples[y * rowStride + x] = values[(plane * height + y) * width + x] }
                }
            }
        }
    }

    /// All samples, layout `[3][height][width]`.
    var values: [Float] {
        (0..<3).flatMap { plane in
            withPlane(plane) { samples in
                (0..<height).flatMap { y in samples[(y * rowStride)..<(y * rowStride + width)] }
            }
        }
    }
}
