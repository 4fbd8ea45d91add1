internal import Imaging
public import NeuralEngine

/// Runs a model on the inputs of a golden directory and compares with the output there.
///
/// The directory holds what `tsit_reference.py golden` writes: content.npy and style.npy (1 x 3 x height x width, [-1, 1]),
/// z.npy (1 x 3 x height/128 x width/128) and output.npy. For semantic image synthesis there is no style, the content is
/// one-hot, and z is the latent vector (1 x length) or what the head takes of the labels (1 x channels x height/128 x
/// width/128). For a VAE encoder reference.npy (1 x 3 x any size), mu.npy and logvar.npy (1 x length) may be there too.
public struct GoldenCheck: Sendable {
    public let content: NPYArray
    public let style: NPYArray?
    public let z: NPYArray
    public let expected: NPYArray
    public let width: Int
    public let height: Int
    /// FAdaIN's alpha that the golden was made with.
    public let alpha: Float
    private let directory: String

    /// - Throws: `TSITError` `.noSuchFile` or `.damagedFile`.
    public init(directory: String, alpha: Float = 1) throws(TSITError) {
        self.alpha = alpha
        self.directory = directory
        content = try NPYArray(contentsOfFile: "\(directory)/content.npy")
        style = try Self.optional("\(directory)/style.npy")
        z = try NPYArray(contentsOfFile: "\(directory)/z.npy")
        expected = try NPYArray(contentsOfFile: "\(directory)/output.npy")
        guard content.shape.count == 4, content.shape[0] == 1, !content.values.isEmpty else {
            throw TSITError(
                .damagedFile, "\(directory): content.npy has shape \(content.shape), not 1 x channels x height x width")
        }
        width = content.shape[3]
        height = content.shape[2]
        let picture = [1, 3, height, width]
        guard style?.shape ?? picture == picture, expected.shape == picture else {
            throw TSITError(
                .damagedFile,
                "\(directory): shapes \(content.shape) (content), \(style?.shape ?? []) (style), \(expected.shape) (output)")
        }
    }

    private static func optional(_ path: String) throws(TSITError) -> NPYArray? {
        fileExists(path) ? try NPYArray(contentsOfFile: path) : nil
    }

    /// Runs the model's networks on the golden's inputs; how far what they compute is from what is expected: `output`, and
    /// where the golden has a reference picture `mu` and `logvar`.
    ///
    /// - Throws: what `outcome` and `VAEEncoder` throw.
    public func run(
        weights: some WeightSource, pool: ThreadPool
    ) throws -> [(name: String, difference: Difference)] {
        let output = try outcome(weights: weights, pool: pool).output
        return [("output", Difference(output, from: expected.values))] + (try encoderDifferences(weights, pool))
    }

    /// What a check computed.
    public struct Outcome: Sendable {
        /// Nil for semantic image synthesis.
        public let style: StyleStatistics?
        /// Layout `[3][height][width]`.
        public let output: [Float]
    }

    /// Runs style stream and generator on the golden's inputs; what they computed.
    ///
    /// - Parameter trace: receives the generator's intermediate maps, see `Generator`.
    /// - Throws: `TSITError` `.noSuchFile` for a style that is missing, `.damagedFile` for inputs that are not the model's;
    ///   what `StyleStream` and `Generator` throw.
    public func outcome(
        weights: some WeightSource, pool: ThreadPool, instructionSet: InstructionSet = .current,
        trace: NetworkTrace? = nil
    ) throws -> Outcome {
        let content = try content(for: weights.configuration)
        let style = try statistics(weights, pool, instructionSet)
        let generator = try Generator(
            weights: weights, width: width, height: height, pool: pool, instructionSet: instructionSet)
        if generator.headInput != .labels { try generator.setNoise(z.values) }
        let picture = PlanarImage<Float>(width: width, height: height)
        try generator.run(content, styles: style.map { [$0] } ?? [], alpha: alpha, into: [picture], trace: trace)
        return Outcome(style: style, output: picture.values)
    }

    /// The golden's content as the model takes it.
    private func content(for configuration: ModelConfiguration) throws(TSITError) -> GeneratorContent {
        guard content.shape[1] == configuration.inputChannels else {
            throw TSITError(
                .damagedFile,
                "\(directory): content.npy has \(content.shape[1]) channels, the model takes \(configuration.inputChannels)")
        }
        guard let set = configuration.labels else {
            return .picture(PlanarImage(content.values, width: width, height: height))
        }
        let oneHot = try OneHotLabels(content.values, set: set, width: width, height: height, path: "\(directory)/content.npy")
        guard configuration.headInput(width: width, height: height) == .labels else {
            return .labels(oneHot.image, edges: oneHot.edges, head: nil)
        }
        // Where z is the label map itself, the head has to find it on its own.
        let head = content.everyPixel(NetworkConstants.headReduction)
        guard z.shape == head.shape else {
            throw TSITError(.damagedFile, "\(directory): z.npy has shape \(z.shape) instead of \(head.shape)")
        }
        return .labels(oneHot.image, edges: oneHot.edges, head: z == head ? nil : z.values)
    }

    private func statistics(
        _ weights: some WeightSource, _ pool: ThreadPool, _ instructionSet: InstructionSet
    ) throws -> StyleStatistics? {
        guard weights.configuration.labels == nil else { return nil }
        guard let style else { throw TSITError(.noSuchFile, "cannot read \(directory)/style.npy") }
        let stream = try StyleStream(
            weights: weights, width: width, height: height, pool: pool, instructionSet: instructionSet)
        return try stream(PlanarImage(style.values, width: width, height: height))
    }

    private func encoderDifferences(
        _ weights: some WeightSource, _ pool: ThreadPool
    ) throws -> [(name: String, difference: Difference)] {
        guard let reference = try Self.optional("\(directory)/reference.npy") else { return [] }
        let mu = try NPYArray(contentsOfFile: "\(directory)/mu.npy")
        let logVariance = try NPYArray(contentsOfFile: "\(directory)/logvar.npy")
        let encoder = try VAEEncoder(weights: weights, pool: pool)
        let shape = reference.shape
        guard shape.count == 4, shape[0] == 1, shape[1] == 3, !reference.values.isEmpty,
            mu.values.count == encoder.latentLength, logVariance.values.count == encoder.latentLength
        else {
            throw TSITError(
                .damagedFile,
                "\(directory): shapes \(shape) (reference), \(mu.shape) (mu), \(logVariance.shape) (logvar)")
        }
        let result = try encoder(PlanarImage(reference.values, width: shape[3], height: shape[2]))
        return [
            ("mu", Difference(result.mean, from: mu.values)),
            ("logvar", Difference(result.logVariance, from: logVariance.values)),
        ]
    }
}

extension NPYArray {
    /// Every `step`th pixel of every `step`th row; of four axes.
    fileprivate func everyPixel(_ step: Int) -> NPYArray {
        let (planes, height, width) = (shape[0] * shape[1], shape[2], shape[3])
        let kept = (0..<planes).flatMap { plane in
            stride(from: 0, to: height / step * step, by: step).flatMap { y in
                stride(from: 0, to: width / step * step, by: step).map { values[(plane * height + y) * width + $0] }
            }
        }
        return NPYArray(shape: [shape[0], shape[1], height / step, width / step], values: kept)
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
