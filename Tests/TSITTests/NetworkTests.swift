import Foundation
import Imaging
import NeuralEngine
import Testing

@testable import TSIT

@Suite struct NetworkTests {
    static let pool = ThreadPool(threads: 2)

    static func weights(_ normalization: ModelConfiguration.Normalization = .running) -> RandomWeights {
        RandomWeights(configuration: ModelConfiguration(ngf: 2, normalization: normalization), seed: 5)
    }

    static func picture(_ width: Int, _ height: Int, seed: Int) -> PlanarImage<Float> {
        PlanarImage(SelfCheck.pattern(width, height, seed: seed), width: width, height: height)
    }

    /// Style statistics and output at `width` x `height`.
    static func translate(
        _ width: Int, _ height: Int, pool: ThreadPool, set: InstructionSet = .current,
        normalization: ModelConfiguration.Normalization = .running
    ) throws -> (StyleStatistics, [Float]) {
        let weights = weights(normalization)
        let stream = try StyleStream(weights: weights, width: width, height: height, pool: pool, instructionSet: set)
        let style = try stream(picture(width, height, seed: 2))
        let generator = try Generator(weights: weights, width: width, height: height, pool: pool, instructionSet: set)
        try generator.setNoise(Noise.draw(seed: 3, count: generator.noiseCount))
        let result = PlanarImage<Float>(width: width, height: height)
        try generator(picture(width, height, seed: 4), styles: [style], into: [result])
        // A second frame must not see the first.
        let first = result.values
        try generator(picture(width, height, seed: 9), styles: [style], into: [result])
        #expect(result.values != first)
        try generator(picture(width, height, seed: 4), styles: [style], into: [result])
        #expect(result.values == first)
        return (style, first)
    }

    @Test(arguments: InstructionSet.available, [ModelConfiguration.Normalization.running, .frame])
    func sameBitsForAnyThreads(set: InstructionSet, normalization: ModelConfiguration.Normalization) throws {
        let one = try Self.translate(256, 128, pool: ThreadPool(threads: 1), set: set, normalization: normalization)
        #expect(one.1.allSatisfy { $0.isFinite && abs($0) <= 1 })
        for threads in 2...4 {
            let many = try Self.translate(
                256, 128, pool: ThreadPool(threads: threads), set: set, normalization: normalization)
            #expect(many.0 == one.0 && many.1 == one.1, "\(threads) threads")
        }
    }

    @Test(arguments: [(128, 256), (384, 128), (256, 384)]) func otherSizesRun(width: Int, height: Int) throws {
        let reference = try Self.translate(width, height, pool: Self.pool, set: .portableTwin)
        for set in InstructionSet.available {
            let output = try Self.translate(width, height, pool: Self.pool, set: set).1
            #expect(Difference(output, from: reference.1).isWithinBounds, "\(set)")
        }
    }

    @Test(arguments: [(128, 128), (0, 256), (-256, 128), (256, 100), (500, 256), (1 << 20, 128)])
    func badSizesAreRefused(width: Int, height: Int) {
        #expect(code { try Generator(weights: Self.weights(), width: width, height: height, pool: Self.pool) } == .badSize)
        #expect(code { try StyleStream(weights: Self.weights(), width: width, height: height, pool: Self.pool) } == .badSize)
    }

    @Test func otherConfigurationsAreRefused() {
        func build(_ configuration: ModelConfiguration) -> TSITError.Code? {
            code { try Generator(weights: RandomWeights(configuration: configuration), width: 256, height: 128, pool: Self.pool) }
        }
        #expect(build(ModelConfiguration(ngf: 2, task: .sis, inputChannels: 36, labels: .ade20k)) == .badConfiguration)
        #expect(build(ModelConfiguration(ngf: 2, task: .sis, inputChannels: 300)) == .badConfiguration)
        #expect(build(ModelConfiguration(ngf: 2, labels: .cityscapes)) == .badConfiguration)
        #expect(build(ModelConfiguration(ngf: 2, inputChannels: 4)) == .badConfiguration)
        #expect(build(ModelConfiguration(ngf: 0)) == .badConfiguration)
        #expect(build(ModelConfiguration(ngf: 2, task: .mmis, normalization: .frame)) == nil)
    }

    @Test(arguments: InstructionSet.available, [ModelConfiguration.Normalization.running, .frame])
    func renditionsHaveTheBitsOfSeparateRuns(set: InstructionSet, normalization: ModelConfiguration.Normalization) throws {
        let weights = Self.weights(normalization)
        let stream = try StyleStream(weights: weights, width: 256, height: 128, pool: Self.pool, instructionSet: set)
        let styles = try [2, 5, 8].map { try stream(Self.picture(256, 128, seed: $0)) }
        func render(_ styles: [StyleStatistics]) throws -> [[Float]] {
            let generator = try Generator(
                weights: weights, width: 256, height: 128, renditions: styles.count, pool: Self.pool, instructionSet: set)
            try generator.setNoise(Noise.draw(seed: 3, count: generator.noiseCount))
            let results = styles.map { _ in PlanarImage<Float>(width: 256, height: 128) }
            try generator(Self.picture(256, 128, seed: 4), styles: styles, into: results)
            return results.map(\.values)
        }
        let together = try render(styles)
        #expect(Set(together.map { $0.map(\.bitPattern) }).count == 3)
        for (style, picture) in zip(styles, together) { #expect(try render([style]) == [picture]) }
    }

    /// The embedded models in mixed precision against themselves in float32.
    @Test(arguments: EmbeddedModels.Name.allCases, InstructionSet.available.filter { $0.supports(.bfloat16) })
    func mixedPrecisionKeepsThePicture(name: EmbeddedModels.Name, set: InstructionSet) throws {
        let (model, style) = try EmbeddedModels.load(name)
        func render(_ precision: NetworkPrecision) throws -> [Float] {
            let generator = try Generator(
                weights: model, width: 512, height: 256, precision: precision, pool: Self.pool, instructionSet: set)
            try generator.setNoise(Noise.draw(seed: 3, count: generator.noiseCount))
            let result = PlanarImage<Float>(width: 512, height: 256)
            try generator(Self.picture(512, 256, seed: 4), styles: [style.statistics], into: [result])
            return result.values
        }
        let exact = try render(.float32), mixed = try render(.mixed)
        let error = zip(exact, mixed).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) } / Double(exact.count)
        let decibels = 10 * log10(4 / error)
        #expect(decibels > 45, "\(decibels) dB")
        #expect(error > 0)
    }

    @Test func aMissingTensorIsNamed() {
        struct Without: WeightSource {
            let configuration = ModelConfiguration(ngf: 2)
            let key: String
            func tensor(_ key: String, shape: [Int], _ range: Range<Int>) throws -> [Float] {
                guard key != self.key else { throw TSITError(.missingTensor, "no tensor \(key)") }
                return try RandomWeights(configuration: configuration).tensor(key, shape: shape, range)
            }
        }
        let key = "up_1.norm_s.mlp_beta.weight"
        let error = #expect(throws: TSITError.self) {
            try Generator(weights: Without(key: key), width: 256, height: 128, pool: Self.pool)
        }
        #expect(error?.code == .missingTensor && error?.message.contains(key) == true)
    }

    @Test func useWithoutStyleOrOfAnotherSizeIsRefused() throws {
        let generator = try Generator(weights: Self.weights(), width: 256, height: 128, pool: Self.pool)
        let picture = Self.picture(256, 128, seed: 1)
        let result = PlanarImage<Float>(width: 256, height: 128)
        func run(_ styles: [StyleStatistics], alpha: Float = 1) -> TSITError.Code? {
            code { try generator(picture, styles: styles, alpha: alpha, into: [result]) }
        }
        let widths = ModelConfiguration(ngf: 2).mapWidths
        func style(_ widths: [Int], _ deviation: Float = 1) -> StyleStatistics {
            StyleStatistics(
                means: widths.map { .init(repeating: 0, count: $0) }, deviations: widths.map { .init(repeating: deviation, count: $0) })
        }
        #expect(run([style(widths)]) == .styleMismatch)  // No noise yet.
        #expect(code { try generator.setNoise([1, 2]) } == .badSize)
        try generator.setNoise(Noise.draw(seed: 1, count: generator.noiseCount))
        #expect(run([style(widths)]) == nil)
        #expect(run([style(widths.map { 2 * $0 })]) == .styleMismatch)
        #expect(run([style(widths, .nan)]) == .styleMismatch && run([style(widths)], alpha: .nan) == .styleMismatch)
        #expect(run([]) == .styleMismatch && run([style(widths), style(widths)]) == .styleMismatch)
        let good = [style(widths)], turned = PlanarImage<Float>(width: 128, height: 256)
        #expect(code { try generator(Self.picture(128, 256, seed: 1), styles: good, into: [result]) } == .badSize)
        #expect(code { try generator(picture, styles: good, into: [turned]) } == .badSize)
        #expect(code { try generator(picture, styles: good, into: [result, result]) } == .badSize)
    }

    /// The code of the `TSITError` that `body` throws.
    private func code(_ body: () throws -> some Any) -> TSITError.Code? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? TSITError)?.code
        }
    }
}

extension InstructionSet {
    /// What the others are compared with.
    static var portableTwin: InstructionSet { available.last ?? .portable }
}
