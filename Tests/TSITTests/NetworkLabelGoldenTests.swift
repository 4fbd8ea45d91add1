import Foundation
import Imaging
import NeuralEngine
import Testing

@testable import TSIT

/// Semantic image synthesis against the PyTorch reference, at every element; a missing fixture fails.
@Suite struct NetworkLabelGoldenTests {
    static let pool = ThreadPool(threads: 2)

    static func imported(_ name: String, _ options: CheckpointImporter.Options = .init()) throws -> ModelFile {
        let target = FileManager.default.temporaryDirectory.appending(path: "\(name)-\(UUID()).safetensors").path
        defer { try? FileManager.default.removeItem(atPath: target) }
        try CheckpointImporter.run(from: NetworkGoldenTests.fixture("\(name).pth"), to: target, options: options)
        return try ModelFile(contentsOfFile: target)
    }

    /// Cityscapes' channels, a latent head, the VAE encoder of another width.
    static let cityscapes = Result {
        try imported(
            "sis-G-zip",
            .init(nativeSize: (256, 128), encoder: NetworkGoldenTests.fixture("sis-E-legacy.pth")))
    }
    /// ADE20K's channels; the head starts from the labels.
    static let ade20k = Result { try imported("ade-G", .init(nativeSize: (256, 128))) }

    static func array(_ name: String) throws -> NPYArray {
        try NPYArray(contentsOfFile: NetworkGoldenTests.fixture("\(name).npy"))
    }

    static func labels(_ folder: String, instances: Bool) throws -> LabelImage {
        let classes = try array("\(folder)/labels")
        return LabelImage(
            width: classes.shape[1], height: classes.shape[0], classes: classes.values.map { UInt8($0) },
            instances: instances ? try array("\(folder)/instances").values.map { UInt32($0) } : nil)
    }

    static func render(
        _ weights: some WeightSource, _ labels: LabelImage, z: [Float], set: InstructionSet = .current,
        trace: NetworkTrace? = nil
    ) throws -> [Float] {
        let generator = try Generator(
            weights: weights, width: labels.width, height: labels.height, pool: pool, instructionSet: set)
        if generator.headInput != .labels { try generator.setNoise(z) }
        let picture = PlanarImage<Float>(width: labels.width, height: labels.height)
        try generator(.labels(labels), styles: [], into: [picture], trace: trace)
        return picture.values
    }

    @Test(arguments: InstructionSet.available, ["golden-sis", "golden-ade"])
    func everyMapMatches(set: InstructionSet, folder: String) throws {
        let isLatent = folder == "golden-sis"
        let labels = try Self.labels(folder, instances: isLatent)
        var maps = GoldenMaps(NetworkGoldenTests.fixture(folder))
        let output = try Self.render(
            isLatent ? Self.cityscapes.get() : Self.ade20k.get(), labels, z: try Self.array("\(folder)/z").values, set: set
        ) { maps.compare($0, $1, $2) }
        #expect(maps.failures == [])
        #expect(maps.seen.count == 8 + 7)
        let difference = Difference(output, from: try Self.array("\(folder)/output").values)
        #expect(difference.isWithinBounds, "\(difference)")
        #expect(difference.count == 3 * 256 * 128)
    }

    @Test(arguments: InstructionSet.available) func frameStatisticsMatch(set: InstructionSet) throws {
        let weights = Reconfigured(try Self.cityscapes.get(), normalization: .frame)
        let output = try Self.render(
            weights, try Self.labels("golden-sis", instances: true), z: try Self.array("golden-sis/z").values, set: set)
        let difference = Difference(output, from: try Self.array("golden-sis/output_frame").values)
        #expect(difference.isWithinBounds, "\(difference)")
        #expect(!Difference(output, from: try Self.array("golden-sis/output").values).isWithinBounds)
    }

    @Test func withoutInstancesThereAreNoEdges() throws {
        let z = try Self.array("golden-sis/z").values
        let with = try Self.render(Self.cityscapes.get(), Self.labels("golden-sis", instances: true), z: z)
        let without = try Self.render(Self.cityscapes.get(), Self.labels("golden-sis", instances: false), z: z)
        #expect(!Difference(with, from: without).isWithinBounds)
    }

    @Test(arguments: InstructionSet.available, ["golden-sis", "golden-sis-wide"])
    func encoderMatches(set: InstructionSet, folder: String) throws {
        let picture = try Self.array("\(folder)/reference")
        let encoder = try VAEEncoder(weights: Self.cityscapes.get(), pool: Self.pool, instructionSet: set)
        #expect(encoder.latentLength == 256)
        let result = try encoder(PlanarImage(picture.values, width: picture.shape[3], height: picture.shape[2]))
        for (name, values) in [("mu", result.mean), ("logvar", result.logVariance)] {
            let expected = try Self.array("\(folder)/\(name)").values
            let difference = Difference(values, from: expected)
            #expect(difference.isWithinBounds && difference.count == 256, "\(name): \(difference)")
            #expect((expected.map(abs).max() ?? 0) > 0.5)
        }
    }

    /// A directory as `tsit_reference.py golden` writes it: the content is one-hot.
    private func golden(
        _ folder: TemporaryFolder, _ name: String, set: LabelSet, edit: (inout [Float]) -> Void = { _ in }
    ) throws -> String {
        let labels = try Self.labels(name, instances: set.hasEdges)
        let count = labels.width * labels.height
        var values = [Float](repeating: 0, count: set.channelCount * count)
        for (pixel, id) in labels.classes.enumerated() { values[try #require(set.channel(of: id)) * count + pixel] = 1 }
        if let instances = labels.instances, let channel = set.edgeChannel {
            var edges = [Bool](repeating: false, count: count)
            InstanceEdges.mark(instances, width: labels.width, height: labels.height, in: &edges)
            for (pixel, isEdge) in edges.enumerated() where isEdge { values[channel * count + pixel] = 1 }
        }
        edit(&values)
        try folder.array("content", [1, set.channelCount, labels.height, labels.width], values)
        for file in ["z", "output"] {
            _ = try folder.file("\(file).npy", fileBytes(NetworkGoldenTests.fixture("\(name)/\(file).npy")))
        }
        return folder.path
    }

    @Test func checksOfLabelNetworksPass() throws {
        let folder = try TemporaryFolder()
        var directory = try golden(folder, "golden-sis", set: .cityscapes)
        for file in ["reference", "mu", "logvar"] {
            _ = try folder.file("\(file).npy", fileBytes(NetworkGoldenTests.fixture("golden-sis/\(file).npy")))
        }
        let results = try GoldenCheck(directory: directory).run(weights: Self.cityscapes.get(), pool: Self.pool)
        #expect(results.map(\.name) == ["output", "mu", "logvar"])
        #expect(results.allSatisfy { $0.difference.isWithinBounds }, "\(results)")

        let other = try TemporaryFolder()
        directory = try golden(other, "golden-ade", set: .ade20k)
        let ade = try GoldenCheck(directory: directory).run(weights: Self.ade20k.get(), pool: Self.pool)
        #expect(ade.count == 1 && ade[0].difference.isWithinBounds, "\(ade)")
        // A head that was given something else than the labels gives another picture.
        let z = try Self.array("golden-ade/z")
        try other.array("z", z.shape, z.values.map { 1 - $0 })
        let others = try GoldenCheck(directory: directory).run(weights: Self.ade20k.get(), pool: Self.pool)
        #expect(!others[0].difference.isWithinBounds)
        try other.array("z", [1, 2], [0, 0])
        #expect(refusal { try GoldenCheck(directory: directory).run(weights: Self.ade20k.get(), pool: Self.pool) }?.code == .damagedFile)
        // A golden of photographs, and one of labels, for the other network.
        let photos = NetworkGoldenTests.fixture("golden-256x128")
        #expect(refusal { try GoldenCheck(directory: photos).run(weights: Self.ade20k.get(), pool: Self.pool) }?.code == .damagedFile)
        let ast = try NetworkGoldenTests.model.get()
        #expect(refusal { try GoldenCheck(directory: directory).run(weights: ast, pool: Self.pool) }?.code == .damagedFile)
    }

    @Test(arguments: [
        (0, 0.5 as Float, "pixel (0, 0) is not one-hot"), (0, 2, "not one-hot"), (1, .nan, "pixel (1, 0) is not one-hot"),
        (35 * 256 * 128 + 3, 0.5, "an instance edge of 0.5"),
    ])
    func contentThatIsNotOneHotIsRefused(index: Int, value: Float, says: String) throws {
        let folder = try TemporaryFolder()
        let directory = try golden(folder, "golden-sis", set: .cityscapes) { $0[index] = value }
        let error = refusal { try GoldenCheck(directory: directory).run(weights: Self.cityscapes.get(), pool: Self.pool) }
        #expect(error?.code == .damagedFile && error?.message.contains(says) == true, "\(String(describing: error))")
    }

    @Test(arguments: [0 as Float, 1]) func pixelsWithoutOneClassAreRefused(value: Float) throws {
        let folder = try TemporaryFolder()
        let directory = try golden(folder, "golden-sis", set: .cityscapes) { values in
            for channel in 0..<35 { values[channel * 256 * 128 + 300] = value }
        }
        let error = refusal { try GoldenCheck(directory: directory).run(weights: Self.cityscapes.get(), pool: Self.pool) }
        #expect(error?.message.contains("pixel (44, 1) has \(value == 0 ? 0 : 35) classes") == true, "\(String(describing: error))")
    }
}

/// The error that `body` throws, which must be a `TSITError`.
func refusal(_ body: () throws -> some Any) -> TSITError? { tsitError { _ = try body() } }

extension TemporaryFolder {
    /// Writes `name`.npy.
    func array(_ name: String, _ shape: [Int], _ values: [Float]) throws {
        let sides = shape.map(String.init).joined(separator: ", ")
        let header = Array("{'descr': '<f4', 'fortran_order': False, 'shape': (\(sides)), }\n".utf8)
        let start = [0x93] + Array("NUMPY".utf8) + [1, 0] + littleEndian(UInt16(header.count)) + header
        _ = try file("\(name).npy", start + values.withUnsafeBytes { Array($0) })
    }
}
