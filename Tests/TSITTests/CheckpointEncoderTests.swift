import Foundation
import Testing

@testable import TSIT

@Suite("Import of label networks and their encoders")
struct CheckpointEncoderTests {
    static func fixture(_ name: String) -> String { NetworkGoldenTests.fixture(name) }
    static let generator = fixture("sis-G-zip.pth")
    static let encoder = fixture("sis-E-legacy.pth")

    private func options(_ encoder: String? = Self.encoder, _ change: (inout CheckpointImporter.Options) -> Void = { _ in })
        -> CheckpointImporter.Options
    {
        var options = CheckpointImporter.Options(nativeSize: (256, 128), encoder: encoder)
        change(&options)
        return options
    }

    @Test("Both serialisations, with and without module., become the same model")
    func variants() throws {
        let folder = try TemporaryFolder()
        func digest(_ name: String, _ options: CheckpointImporter.Options) throws -> String {
            try CheckpointImporter.run(
                from: Self.fixture(name), to: "\(folder.path)/\(UUID()).safetensors", options: options
            ).digest
        }
        let label = try ["zip", "legacy", "zip-module", "legacy-module"].flatMap { variant in
            try ["legacy", "zip-module"].map { encoder in
                try digest("sis-G-\(variant).pth", options(Self.fixture("sis-E-\(encoder).pth")))
            }
        }
        #expect(Set(label).count == 1 && label.count == 8)
        for task in [ModelConfiguration.Task.ast, .mmis] {
            let digests = try ["zip", "legacy", "zip-module", "legacy-module"].map {
                try digest("checkpoint-\($0).pth", .init(task: task))
            }
            #expect(Set(digests).count == 1 && digests.count == 4)
        }
        let without = try digest("sis-G-zip.pth", options(nil))
        #expect(!label.contains(without))
    }

    @Test("The encoder is folded, stored beside the generator, and counted", arguments: [ModelConfiguration.Storage.float32, .half])
    func stored(storage: ModelConfiguration.Storage) throws {
        let folder = try TemporaryFolder()
        let target = "\(folder.path)/x.safetensors"
        let report = try CheckpointImporter.run(
            from: Self.generator, to: target, options: options { $0.storage = storage })
        let model = try ModelFile(contentsOfFile: target)
        try model.verifyDigest()
        #expect(model.digest == report.digest && model.configuration == report.configuration)
        #expect(model.configuration.encoderWidth == 2 && model.configuration.latentLength == 256)
        #expect(model.configuration.labels == .cityscapes)
        #expect(model.summary.tensorCount == report.tensorCount)
        #expect(model.shape(of: "vae_encoder.layer6.0.weight") == [16, 16, 3, 3])
        #expect(model.shape(of: "vae_encoder.fc_var.weight") == [256, 256])
        #expect(model.configuration.provenance.contains("sis-G-zip.pth, sha256"))
        #expect(model.configuration.provenance.contains("; sis-E-legacy.pth, sha256 \(try ContentDigest.ofFile(Self.encoder))"))
        // Folded as the generator's are: W / (u . (W v)).
        let source = try CheckpointFile(path: Self.encoder)
        func values(_ key: String) throws -> [Float] { try source.floats(key, try #require(source.tensors[key])) }
        let folded = try #require(
            SpectralNorm.folded(
                try values("layer2.0.weight_orig"), u: try values("layer2.0.weight_u"), v: try values("layer2.0.weight_v")))
        let expected = storage == .half ? HalfPrecision.floats(HalfPrecision.rounded(folded).halves) : folded
        #expect(try model.tensor("vae_encoder.layer2.0.weight", shape: [4, 2, 3, 3]) == expected)
        #expect(try model.tensor("vae_encoder.fc_mu.bias", shape: [256]) == values("fc_mu.bias"))
    }

    @Test("Label sets come from the number of channels or from the option, and are kept in the file")
    func labelSets() throws {
        let folder = try TemporaryFolder()
        func set(_ name: String, _ options: CheckpointImporter.Options) throws -> LabelSet? {
            let target = "\(folder.path)/\(UUID()).safetensors"
            try CheckpointImporter.run(from: Self.fixture(name), to: target, options: options)
            return try ModelFile(contentsOfFile: target).configuration.labels
        }
        #expect(try set("ade-G.pth", .init()) == .ade20k)
        #expect(try set("sis-G-zip.pth", options(nil)) == .cityscapes)
        let own = try #require(LabelSet(parsing: "34+other+edges"))
        #expect(try set("sis-G-zip.pth", options(nil) { $0.labels = own }) == own)
        #expect(try set("checkpoint-zip.pth", .init()) == nil)
        let wrong = refusal { try set("sis-G-zip.pth", options(nil) { $0.labels = .ade20k }) }
        #expect(wrong?.code == .badConfiguration && wrong?.message.contains("ade20k has 151") == true)
        #expect(refusal { try set("checkpoint-zip.pth", .init(labels: .ade20k)) }?.code == .badConfiguration)
    }

    @Test("A file that does not say its label set has the usual one; one that says another is refused")
    func labelsInFiles() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/x.safetensors"
        try CheckpointImporter.run(from: Self.generator, to: path, options: options(nil))
        let bytes = try fileBytes(path)
        func read(_ replacement: String) throws -> ModelFile {
            var changed = bytes
            let found = try #require(Data(bytes).range(of: Data(#""labels":"cityscapes""#.utf8)))
            changed.replaceSubrange(found, with: Array(replacement.utf8))
            return try ModelFile(contentsOfFile: try folder.file("y", changed))
        }
        #expect(try read(#""labelx":"cityscapes""#).configuration.labels == .cityscapes)
        #expect(refusal { try read(#""labels":"cityscopes""#) }?.message.contains("an invalid labels") == true)
        #expect(refusal { try read(#""labels":"35+other"  "#) } == nil)
        #expect(refusal { try read(#""labels":"34+other"  "#) }?.message.contains("label set 34+other has 35") == true)
        var size = bytes
        let native = try #require(Data(bytes).range(of: Data(#""native_size":"256x128""#.utf8)))
        size.replaceSubrange(native, with: Array(#""native_size":"256x256""#.utf8))
        let error = refusal { try ModelFile(contentsOfFile: try folder.file("z", size)) }
        #expect(error?.message.contains("a head of 2 cells") == true)
    }

    @Test("The networks of TSIT are told apart, and the remedy names the right file")
    func otherNetworks() throws {
        let folder = try TemporaryFolder()
        func error(_ source: String, _ options: CheckpointImporter.Options) throws -> TSITError {
            let error = tsitError {
                try CheckpointImporter.run(from: source, to: "\(folder.path)/x.safetensors", options: options)
            }
            return try #require(error)
        }
        let alone = try error(Self.encoder, .init())
        #expect(alone.code == .missingTensor && alone.message.contains("is TSIT's VAE encoder, not TSIT's generator"))
        #expect(alone.remedy?.contains("latest_net_G.pth") == true && alone.remedy?.contains("--vae") == true)

        var builder = try CheckpointBuilder()
        builder.tensors = ["discriminator_0.model0.0.weight": .init(shape: [1], values: [0])]
        let discriminator = try folder.file("latest_net_D.pth", builder.zip())
        #expect(try error(discriminator, .init()).message.contains("is one of TSIT's discriminators, not TSIT's generator"))
        #expect(try error(Self.generator, options(discriminator)).message.contains("discriminators, not TSIT's VAE encoder"))
        let twice = try error(Self.generator, options(Self.generator))
        #expect(twice.message.contains("is TSIT's generator, not TSIT's VAE encoder"))
        #expect(twice.remedy?.contains("latest_net_E.pth") == true)
        builder.tensors = ["weight": .init(shape: [1], values: [0])]
        let other = try folder.file("other.pth", builder.zip())
        #expect(try error(other, .init()).message.contains("other.pth' is not TSIT's generator"))

        for source in [CheckpointFixture.path("zip.pth"), Self.fixture("ade-G.pth")] {
            let useless = try error(source, .init(encoder: Self.encoder))
            #expect(useless.code == .badConfiguration && useless.remedy == "import it without --vae")
        }
        #expect(try error(Self.generator, options("\(folder.path)/none.pth")).code == .noSuchFile)
        #expect(try folder.contents() == ["latest_net_D.pth", "other.pth"])
    }

    @Test("An encoder whose tensors are not the right ones is refused by name")
    func wrongEncoders() throws {
        let whole = try CheckpointBuilder(path: Self.encoder)
        func refused(_ code: TSITError.Code, _ says: String, _ change: (inout CheckpointBuilder) -> Void) throws {
            let folder = try TemporaryFolder()
            var builder = whole
            change(&builder)
            let source = try folder.file("e.pth", builder.zip())
            let error = try #require(
                tsitError {
                    try CheckpointImporter.run(from: Self.generator, to: "\(folder.path)/x.safetensors", options: options(source))
                })
            #expect(error.code == code && error.message.contains(says), "\(error)")
            #expect(try folder.contents() == ["e.pth"])
        }
        try refused(.missingTensor, "TSIT VAE encoder: 2 missing: fc_var.bias, layer4.0.weight_u") {
            $0.tensors["layer4.0.weight_u"] = nil
            $0.tensors["fc_var.bias"] = nil
        }
        try refused(.missingTensor, "missing: layer1.0.weight_orig") { $0.tensors["layer1.0.weight_orig"] = nil }
        try refused(.surplusTensor, "1 surplus: layer7.0.weight") {
            $0.tensors["layer7.0.weight"] = .init(shape: [1], values: [0])
        }
        try refused(.wrongShape, "layer3.0.weight_orig is 8x4x9 instead of 8x4x3x3") {
            $0.tensors["layer3.0.weight_orig"]?.shape = [8, 4, 9]
        }
        try refused(.badConfiguration, "latent vectors of 128 values") {
            $0.tensors["fc_mu.weight"] = .init(shape: [128, 256], values: [Float](repeating: 0, count: 128 * 256))
        }
        try refused(.damagedFile, "'fc_mu.bias' holds values that are infinite") { $0.tensors["fc_mu.bias"]?.values[9] = .nan }
        try refused(.damagedFile, "'layer5.0.weight' has a spectral norm") {
            $0.tensors["layer5.0.weight_v"]?.values = [Float](repeating: 0, count: 16 * 9)
        }
    }

    @Test("What is refused of a generator's file is refused of an encoder's")
    func maliciousEncoders() throws {
        let folder = try TemporaryFolder()
        let victim = "\(folder.path)/victim"
        func code(_ bytes: [UInt8]) throws -> TSITError.Code? {
            let source = try folder.file("e.pth", bytes)
            return tsitError {
                try CheckpointImporter.run(from: Self.generator, to: "\(folder.path)/x.safetensors", options: options(source))
            }?.code
        }
        let call =
            [0x80, 2] + Pickled.global("os", "system") + Array("(".utf8) + Pickled.text("touch \(victim)") + Array("tR.".utf8)
        #expect(try code(Pickled.checkpoint(call)) == .unsafeCheckpoint)
        for name in ["sis-E-legacy.pth", "sis-E-zip-module.pth"] {
            let good = try fileBytes(Self.fixture(name))
            for count in [0, 100, good.count / 2, good.count - 1] {
                #expect(try code(Array(good[..<count])) == .damagedFile, "\(name), \(count) bytes")
            }
        }
        let bomb = ZipBuilder(entries: [
            .init(name: "a/data.pkl", bytes: [0x80, 2] + Pickled.emptyDictionary + [0x2e]),
            .init(name: "a/data/0", bytes: [0], claimedSize: 1 << 40),
        ])
        #expect(try code(bomb.build()) == .damagedFile)
        #expect(try folder.contents() == ["e.pth"])
        #expect(!FileManager.default.fileExists(atPath: victim))
    }

    @Test("A model file with half an encoder, or with one that has no use, is refused")
    func damagedModels() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/x.safetensors"
        try CheckpointImporter.run(from: Self.generator, to: path, options: options())
        let bytes = try fileBytes(path)
        func refused(_ original: String, _ replacement: String) throws -> String {
            var changed = bytes
            let found = try #require(Data(bytes).range(of: Data(original.utf8)))
            changed.replaceSubrange(found, with: Array(replacement.utf8))
            let file = try folder.file("y", changed)
            return try #require(tsitError { _ = try ModelFile(contentsOfFile: file) }).message
        }
        #expect(try refused(#""vae_encoder.fc_mu.bias""#, #""vae_encoder.fc_my.bias""#).contains("1 missing: vae_encoder.fc_mu.bias"))
        #expect(try refused(#""vae_encoder.layer1.0.weight""#, #""vae_encoder.layer0.0.weight""#).contains("vae_encoder.layer1.0.weight"))
    }
}
