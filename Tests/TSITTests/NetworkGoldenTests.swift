import Foundation
import NeuralEngine
import Testing

@testable import TSIT

/// The network against outputs of the PyTorch reference, at every element; a missing fixture fails.
@Suite struct NetworkGoldenTests {
    static let pool = ThreadPool(threads: 2)

    static func fixture(_ name: String) -> String {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(name)").path
    }

    /// The checkpoint of the goldens, imported once.
    static let model = Result {
        let target = FileManager.default.temporaryDirectory.appending(path: "ngf2-\(UUID()).safetensors").path
        try CheckpointImporter.run(from: fixture("ngf2.pth"), to: target)
        defer { try? FileManager.default.removeItem(atPath: target) }
        return try ModelFile(contentsOfFile: target)
    }

    /// A model's weights under another configuration.
    struct Reconfigured: WeightSource {
        var configuration: ModelConfiguration
        let source: ModelFile
        func tensor(_ key: String, shape: [Int]) throws -> [Float] { try source.tensor(key, shape: shape) }
    }

    @Test(arguments: ["golden-256x128", "golden-256x256"])
    func everyMapMatches(folder: String) throws {
        let directory = Self.fixture(folder)
        var seen: Set<String> = []
        var failures: [String] = []
        func compare(_ name: String, _ shape: [Int], _ values: [Float]) {
            seen.insert(name)
            guard let expected = try? NPYArray(contentsOfFile: "\(directory)/\(name).npy") else {
                failures.append("\(name) is missing")
                return
            }
            guard expected.values.count == values.count, Array(expected.shape.dropFirst().prefix(shape.count)) == shape else {
                failures.append("\(name) has shape \(shape) instead of \(expected.shape)")
                return
            }
            // Maps are not bounded as the output is: relative to their deviation.
            let difference = Difference(values, from: expected.values)
            let scale = max(1, Double(expected.values.map(abs).max() ?? 1))
            if difference.maximum > 1e-4 * scale || difference.mean > Difference.meanBound * scale {
                failures.append("\(name): \(difference)")
            }
        }
        let outcome = try GoldenCheck(directory: directory).outcome(
            weights: Self.model.get(), pool: Self.pool, trace: compare)
        let style = try #require(outcome.style)
        for k in 0..<8 {
            compare("style_mean_\(k)", [style.means[k].count], style.means[k])
            compare("style_std_\(k)", [style.deviations[k].count], style.deviations[k])
        }
        compare("output", [3], outcome.output)
        #expect(failures.filter { !$0.hasPrefix("output has shape") } == [])
        #expect(seen.count == 8 + 7 + 16 + 1)
    }

    @Test(arguments: InstructionSet.available, ["golden-256x128", "golden-256x256"])
    func outputIsWithinBounds(set: InstructionSet, folder: String) throws {
        let golden = try GoldenCheck(directory: Self.fixture(folder))
        let output = try golden.outcome(weights: Self.model.get(), pool: Self.pool, instructionSet: set).output
        let difference = Difference(output, from: golden.expected.values)
        #expect(difference.isWithinBounds, "\(difference)")
        #expect(difference.count == golden.expected.values.count && difference.count >= 3 * 256 * 128)
    }

    @Test func alphaMatches() throws {
        let directory = Self.fixture("golden-256x128")
        let outcome = try GoldenCheck(directory: directory, alpha: 0.5).outcome(
            weights: Self.model.get(), pool: Self.pool)
        let expected = try NPYArray(contentsOfFile: "\(directory)/output_alpha.npy").values
        #expect(Difference(outcome.output, from: expected).isWithinBounds)
    }

    @Test func frameStatisticsMatch() throws {
        let directory = Self.fixture("golden-256x128")
        let model = try Self.model.get()
        var configuration = model.configuration
        configuration.normalization = .frame
        let outcome = try GoldenCheck(directory: directory).outcome(
            weights: Reconfigured(configuration: configuration, source: model), pool: Self.pool)
        let expected = try NPYArray(contentsOfFile: "\(directory)/output_frame.npy").values
        let difference = Difference(outcome.output, from: expected)
        #expect(difference.isWithinBounds, "\(difference)")
    }

    @Test func selfCheckPasses() throws {
        let difference = try SelfCheck.run(pool: Self.pool)
        #expect(difference.isWithinBounds, "\(difference)")
    }
}
