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

    @Test(arguments: InstructionSet.available, ["golden-256x128", "golden-256x256"])
    func everyMapMatches(set: InstructionSet, folder: String) throws {
        let directory = Self.fixture(folder)
        var maps = GoldenMaps(directory)
        let outcome = try GoldenCheck(directory: directory).outcome(
            weights: Self.model.get(), pool: Self.pool, instructionSet: set, trace: { maps.compare($0, $1, $2) })
        let style = try #require(outcome.style)
        for k in 0..<8 {
            maps.compare("style_mean_\(k)", [style.means[k].count], style.means[k])
            maps.compare("style_std_\(k)", [style.deviations[k].count], style.deviations[k])
        }
        #expect(maps.failures == [])
        #expect(maps.seen.count == 8 + 7 + 16)
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

    /// MMIS, and photo to art: batch norm with the statistics of the frame.
    @Test(arguments: InstructionSet.available) func frameStatisticsMatch(set: InstructionSet) throws {
        let directory = Self.fixture("golden-256x128")
        var blocks = GoldenMaps(directory, prefix: "frame_")
        // The content stream has no batch norm.
        var contents = GoldenMaps(directory)
        let outcome = try GoldenCheck(directory: directory).outcome(
            weights: Reconfigured(Self.model.get(), normalization: .frame), pool: Self.pool, instructionSet: set
        ) { name, shape, values in
            if name.hasPrefix("content_") {
                contents.compare(name, shape, values)
            } else {
                blocks.compare(name, shape, values)
            }
        }
        #expect(blocks.failures + contents.failures == [])
        #expect(blocks.seen.count == 7 && contents.seen.count == 8)
        let expected = try NPYArray(contentsOfFile: "\(directory)/output_frame.npy").values
        let difference = Difference(outcome.output, from: expected)
        #expect(difference.isWithinBounds, "\(difference)")
        #expect(!Difference(outcome.output, from: try NPYArray(contentsOfFile: "\(directory)/output.npy").values).isWithinBounds)
    }

    @Test func selfCheckPasses() throws {
        let difference = try SelfCheck.run(pool: Self.pool)
        #expect(difference.isWithinBounds, "\(difference)")
    }
}
