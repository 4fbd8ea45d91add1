internal import NeuralEngine

/// What the generator starts from: noise through a convolution, a latent vector through a linear layer, or the label map,
/// resized, through a convolution. The first two are computed when they are set, the last with every frame.
final class GeneratorHead {
    private enum Layer {
        case noise(Convolution, PlanarMap)
        case latent(LatentLayer)
        case labels(Convolution, OneHotMap)
    }

    /// 16 ngf channels at 1/128 of the picture's size.
    let map: FeatureMap
    let moments: Moments
    private let layer: Layer
    /// True where a frame can run.
    private(set) var isReady: Bool

    /// - Throws: `TSITError` `.badSize` where the head is made for another size; what reading the weights throws.
    init(
        _ source: any WeightSource, size: NetworkSize, labels: LabelEncoding?, instructionSet: InstructionSet
    ) throws {
        let configuration = source.configuration
        let outputs = 16 * configuration.ngf
        let (width, height) = size.head
        func convolution(_ kind: Convolution.Kind) throws -> Convolution {
            let inputs = configuration.inputChannels
            return try Convolution(
                kind, name: "fc", inputs: inputs, outputs: outputs, weights: source.tensor("fc.weight", shape: [outputs, inputs, 3, 3]),
                bias: source.tensor("fc.bias", shape: [outputs]), instructionSet: instructionSet)
        }
        if let length = configuration.latentLength {
            try Self.check(size, configuration)
            layer = .latent(try LatentLayer(source, "fc", inputs: length, outputs: outputs * width * height))
        } else if let labels {
            let map = try FeatureMap(channels: configuration.inputChannels, width: width, height: height)
            layer = .labels(try convolution(.plain), labels.writer(into: map))
        } else {
            layer = .noise(try convolution(.planar), try PlanarMap(channels: 3, width: width, height: height))
        }
        map = try FeatureMap(channels: outputs, width: width, height: height)
        moments = try Moments(channels: outputs, width: width, height: height)
        isReady = configuration.headInput(width: size.width, height: size.height).count == 0
    }

    /// A linear layer gives as many cells as the size that it was trained for has.
    private static func check(_ size: NetworkSize, _ configuration: ModelConfiguration) throws(TSITError) {
        let (width, height) = (configuration.nativeWidth, configuration.nativeHeight)
        guard size.width == width, size.height == height else {
            throw TSITError(
                .badSize, "the model's latent head cannot start a picture of \(size.width)x\(size.height)",
                remedy: "use its native size \(width)x\(height)")
        }
    }

    /// Takes noise or a latent vector of the right length.
    func set(_ z: [Float], on pool: ThreadPool) {
        switch layer {
        case .noise(let fc, let noise):
            noise.load(z)
            fc(noise, into: map, moments: moments, on: pool)
        case .latent(let fc):
            map.values = fc(z)
            moments.measure(map)
        case .labels: preconditionFailure("this head starts from the labels")
        }
        isReady = true
    }

    /// Where the frame's labels go; nil for a head that starts from something else.
    var labels: OneHotMap? {
        if case .labels(_, let map) = layer { return map }
        return nil
    }

    /// Computes what depends on the frame.
    func prepare(on pool: ThreadPool) {
        if case .labels(let fc, let labels) = layer { fc(labels.map, into: map, moments: moments, on: pool) }
    }
}

/// A linear layer, for vectors that come once per run: y = W x + b, accumulated in double in the order of x.
struct LatentLayer: Sendable {
    let inputs: Int
    let outputs: Int
    private let weights: [Float]
    private let bias: [Float]

    /// Reads `name.weight` (outputs x inputs) and `name.bias`.
    init(_ source: any WeightSource, _ name: String, inputs: Int, outputs: Int) throws {
        self.inputs = inputs
        self.outputs = outputs
        weights = try source.tensor("\(name).weight", shape: [outputs, inputs])
        bias = try source.tensor("\(name).bias", shape: [outputs])
    }

    func callAsFunction(_ x: [Float]) -> [Float] {
        precondition(x.count == inputs)
        return (0..<outputs).map { output in
            var sum = Double(bias[output])
            let first = output * inputs
            for input in 0..<inputs { sum += Double(weights[first + input]) * Double(x[input]) }
            return Float(sum)
        }
    }
}

/// What a generator's head starts from, and so what a caller sets before the first frame.
public enum HeadInput: Sendable, Equatable {
    /// Gaussian noise: `count` values.
    case noise(count: Int)
    /// A latent vector: `count` values of a normal distribution, or the VAE encoder's mean.
    case latent(count: Int)
    /// The labels of the frame itself: there is nothing to set.
    case labels

    /// Values to set; 0 where there are none.
    public var count: Int {
        switch self {
        case .noise(let count), .latent(let count): count
        case .labels: 0
        }
    }
}

extension ModelConfiguration {
    /// What the head starts from at a network size in pixels.
    public func headInput(width: Int, height: Int) -> HeadInput {
        if let latentLength { return .latent(count: latentLength) }
        return labels == nil ? .noise(count: inputChannels * (width >> 7) * (height >> 7)) : .labels
    }
}
