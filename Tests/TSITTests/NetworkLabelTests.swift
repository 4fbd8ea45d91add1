import Imaging
import NeuralEngine
import Synchronization
import Testing

@testable import TSIT

@Suite struct NetworkLabelTests {
    static let pool = ThreadPool(threads: 2)

    static func configuration(
        _ set: LabelSet, ngf: Int = 2, latent: Int? = nil, normalization: ModelConfiguration.Normalization = .running
    ) -> ModelConfiguration {
        ModelConfiguration(
            ngf: ngf, task: .sis, inputChannels: set.channelCount, labels: set, latentLength: latent, nativeWidth: 256,
            nativeHeight: 128, normalization: normalization)
    }

    /// Squares of classes and instances that differ from seed to seed.
    static func labels(_ set: LabelSet, seed: Int, width: Int = 256, height: Int = 128) -> LabelImage {
        let cells = (0..<width * height).map { (($0 / width + 5 * seed) / 24) * 31 + (($0 % width + 3 * seed) / 40) * 17 + seed }
        let classes = cells.map { cell in
            set.hasDontCare && cell % 7 == 0 ? LabelSet.dontCare : UInt8(cell % set.classCount)
        }
        return LabelImage(width: width, height: height, classes: classes, instances: cells.map { UInt32($0 * 3) })
    }

    static func generator(
        _ configuration: ModelConfiguration, pool: ThreadPool = pool, set: InstructionSet = .current
    ) throws -> Generator {
        let generator = try Generator(
            weights: RandomWeights(configuration: configuration, seed: 8), width: 256, height: 128, pool: pool,
            instructionSet: set)
        try generator.setNoise(Noise.draw(seed: 3, count: generator.noiseCount))
        return generator
    }

    static func render(_ generator: Generator, _ labels: LabelImage) throws -> [Float] {
        let picture = PlanarImage<Float>(width: 256, height: 128)
        try generator(.labels(labels), styles: [], into: [picture])
        return picture.values
    }

    static let small = LabelSet(parsing: "19+other+edges") ?? .cityscapes

    @Test(
        arguments: [("cityscapes", 36), ("ade20k", 151), ("19", 19), ("19+other", 20), ("19+edges", 20), ("255+other+edges", 257)])
    func setsAreParsed(text: String, channels: Int) throws {
        let set = try #require(LabelSet(parsing: text))
        #expect(set.name == text && set.channelCount == channels)
        #expect(set.edgeChannel == (set.hasEdges ? channels - 1 : nil))
        #expect(set.channel(of: 0) == 0)
        #expect(set.channel(of: 255) == (set.hasDontCare ? set.classCount : nil))
        if set.classCount < 255 { #expect(set.channel(of: UInt8(set.classCount)) == nil) }
    }

    @Test(arguments: ["", "0", "-1", "256", "019", "19+", "+other", "19+edges+other", "19+other+other", "19 ", "Cityscapes", "x+edges"])
    func otherTextsAreNoSets(text: String) { #expect(LabelSet(parsing: text) == nil) }

    @Test func theNumberOfChannelsTellsTheSet() {
        #expect(LabelSet(channelCount: 36) == .cityscapes && LabelSet(channelCount: 151) == .ade20k)
        #expect(LabelSet(channelCount: 20) == LabelSet(parsing: "20"))
        #expect(Self.configuration(.ade20k).labels == .ade20k && ModelConfiguration(ngf: 2).labels == nil)
    }

    @Test func edgesAreOnBothSides() {
        let instances: [UInt32] = [
            1, 1, 2, 2,
            1, 1, 2, 2,
            1, 1, 1, 1,
            9, 1, 1, 1,
        ]
        var edges = [Bool](repeating: true, count: 16)
        InstanceEdges.mark(instances, width: 4, height: 4, in: &edges)
        #expect(edges.map { $0 ? 1 : 0 } == [0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0])
    }

    /// What the network sees is the one-hot map, whatever came before.
    @Test func channelsAreExactAfterEveryFrame() throws {
        for set in [Self.small, .cityscapes, .ade20k] {
            let encoding = LabelEncoding(set, width: 256, height: 128)
            let content = encoding.writer(into: try FeatureMap(channels: set.channelCount, width: 256, height: 128))
            let head = encoding.writer(into: try FeatureMap(channels: set.channelCount, width: 2, height: 1))
            for seed in 0..<3 {
                let labels = Self.labels(set, seed: seed)
                if seed == 1 { head.load(values: (0..<2 * set.channelCount).map(Float.init)) }
                try encoding.encode(labels, edges: nil, into: content, head: head)
                var edges = [Bool](repeating: false, count: 256 * 128)
                InstanceEdges.mark(labels.instances ?? [], width: 256, height: 128, in: &edges)
                let expected: [Float] = (0..<set.channelCount).flatMap { channel -> [Float] in
                    (0..<256 * 128).map { pixel -> Float in
                        if channel == set.edgeChannel { return edges[pixel] ? 1 : 0 }
                        return set.channel(of: labels.classes[pixel]) == channel ? 1 : 0
                    }
                }
                #expect(content.map.values == expected)
                let corners: [Float] = (0..<set.channelCount).flatMap { channel -> [Float] in
                    let first = channel * 256 * 128
                    return [expected[first], expected[first + 128]]
                }
                #expect(head.map.values == corners)
            }
        }
    }

    @Test(
        arguments: InstructionSet.available,
        [(.running, nil), (.frame, 256)] as [(ModelConfiguration.Normalization, Int?)])
    func sameBitsForAnyThreadsAndHistory(
        set: InstructionSet, head: (normalization: ModelConfiguration.Normalization, latent: Int?)
    ) throws {
        let (normalization, latent) = head
        let configuration = Self.configuration(Self.small, latent: latent, normalization: normalization)
        let first = Self.labels(Self.small, seed: 1), second = Self.labels(Self.small, seed: 2)
        let one = try Self.generator(configuration, pool: ThreadPool(threads: 1), set: set)
        let expected = try Self.render(one, first)
        #expect(expected.allSatisfy { $0.isFinite && abs($0) <= 1 })
        #expect(try Self.render(one, second) != expected)
        #expect(try Self.render(one, first) == expected)
        for threads in 2...3 {
            let many = try Self.generator(configuration, pool: ThreadPool(threads: threads), set: set)
            #expect(try Self.render(many, first) == expected, "\(threads) threads")
        }
    }

    @Test func theHeadSaysWhatToSet() throws {
        let latent = try Self.generator(Self.configuration(Self.small, latent: 256))
        #expect(latent.headInput == .latent(count: 256) && latent.noiseCount == 256)
        let labels = try Self.generator(Self.configuration(Self.small))
        #expect(labels.headInput == .labels && labels.noiseCount == 0)
        #expect(refusal { try labels.setNoise([1]) }?.code == .badSize)
        let photos = try Self.generator(ModelConfiguration(ngf: 2))
        #expect(photos.headInput == .noise(count: 6))
        for wrong in [[Float](repeating: 0, count: 255), [Float](repeating: .nan, count: 256)] {
            #expect(refusal { try latent.setNoise(wrong) }?.code == .badSize)
        }
        // Another latent vector gives another picture; labels alone decide where the head starts from them.
        let content = Self.labels(Self.small, seed: 1)
        let before = try Self.render(latent, content)
        try latent.setNoise(Noise.draw(seed: 4, count: 256))
        #expect(try Self.render(latent, content) != before)
    }

    @Test func misuseIsRefused() throws {
        let generator = try Self.generator(Self.configuration(Self.small))
        let picture = PlanarImage<Float>(width: 256, height: 128)
        func run(_ content: NetworkContent, _ styles: [StyleStatistics] = [], with other: Generator? = nil) -> TSITError? {
            refusal { try (other ?? generator)(content, styles: styles, into: [picture]) }
        }
        var labels = Self.labels(Self.small, seed: 1)
        #expect(run(.labels(labels)) == nil)
        labels.classes[2 * 256 + 7] = 19
        let bad = run(.labels(labels))
        #expect(bad?.code == .badLabel && bad?.message.contains("class 19 at pixel (7, 2)") == true, "\(String(describing: bad))")
        // The refused frame has left nothing behind.
        let again = try Self.render(generator, Self.labels(Self.small, seed: 1))
        let fresh = try Self.generator(Self.configuration(Self.small))
        #expect(try Self.render(fresh, Self.labels(Self.small, seed: 1)) == again)
        #expect(run(.labels(Self.labels(Self.small, seed: 1, width: 128, height: 256)))?.code == .badSize)
        #expect(run(.picture(picture))?.code == .unsupported)
        let style = StyleStatistics(means: [], deviations: [])
        #expect(run(.labels(Self.labels(Self.small, seed: 1)), [style])?.code == .styleMismatch)

        let cityscapes = try Self.generator(Self.configuration(.cityscapes))
        var unknown = Self.labels(.cityscapes, seed: 1)
        unknown.classes[0] = 255
        let dontCare = run(.labels(unknown), with: cityscapes)
        #expect(dontCare?.code == .badLabel && dontCare?.remedy?.contains("don't care") == true)

        let weights = RandomWeights(configuration: Self.configuration(Self.small, latent: 256))
        let size = refusal { try Generator(weights: weights, width: 256, height: 256, pool: Self.pool) }
        #expect(size?.code == .badSize && size?.remedy?.contains("256x128") == true)
        #expect(refusal { try Generator(weights: weights, width: 256, height: 128, renditions: 2, pool: Self.pool) }?.code == .styleMismatch)
        #expect(refusal { try StyleStream(weights: weights, width: 256, height: 128, pool: Self.pool) }?.code == .unsupported)
        #expect(refusal { try VAEEncoder(weights: weights, pool: Self.pool) }?.code == .unsupported)
        let unset = try Generator(weights: weights, width: 256, height: 128, pool: Self.pool)
        #expect(run(.labels(Self.labels(Self.small, seed: 1)), with: unset)?.code == .styleMismatch)
        let photos = try Self.generator(ModelConfiguration(ngf: 2))
        let widths = ModelConfiguration(ngf: 2).mapWidths.map { [Float](repeating: 1, count: $0) }
        #expect(run(.labels(labels), [StyleStatistics(means: widths, deviations: widths)], with: photos)?.code == .unsupported)
    }

    /// The network asks for the tensors of the published checkpoints and no others; biases that a norm takes away are not
    /// asked for. Where as many channels come in as go out, the first block has no learned skip.
    @Test(arguments: [(3, 3, nil), (4, 3, nil), (4, 4, nil), (4, 20, 256)] as [(Int, Int, Int?)])
    func everyTensorIsUsed(ngf: Int, channels: Int, latent: Int?) throws {
        let isLabels = channels != 3
        var configuration = isLabels
            ? Self.configuration(LabelSet(channelCount: channels), ngf: ngf, latent: latent) : ModelConfiguration(ngf: ngf)
        configuration.encoderWidth = latent.map { _ in 3 }
        let source = Recording(RandomWeights(configuration: configuration))
        _ = try Generator(weights: source, width: 256, height: 128, pool: Self.pool)
        if !isLabels { _ = try StyleStream(weights: source, width: 256, height: 128, pool: Self.pool) }
        var expected = StateDictLayout(
            ngf: ngf, inputChannels: channels, hasStyleStream: !isLabels,
            head: latent.map { .latent(length: $0, cells: 2) } ?? .convolution
        ).tensors
        if let latent {
            _ = try VAEEncoder(weights: source, pool: Self.pool)
            expected += StateDictLayout.encoder(ngf: 3, latentLength: latent)
        }
        let shapes = Dictionary(uniqueKeysWithValues: expected.map { ($0.key, $0.shape) })
        for (key, shape) in source.asked.withLock({ $0 }) { #expect(shapes[key] == shape, "\(key)") }
        let unused = Set(shapes.keys).subtracting(source.asked.withLock { $0.keys })
        #expect(unused.allSatisfy { $0.contains("_stream.res_") && $0.hasSuffix(".bias") })
    }
}

/// Remembers what was asked of a source.
private final class Recording: WeightSource {
    let source: RandomWeights
    let asked = Mutex<[String: [Int]]>([:])
    var configuration: ModelConfiguration { source.configuration }

    init(_ source: RandomWeights) { self.source = source }

    func tensor(_ key: String, shape: [Int], _ range: Range<Int>) throws -> [Float] {
        asked.withLock { $0[key] = shape }
        return try source.tensor(key, shape: shape, range)
    }
}
