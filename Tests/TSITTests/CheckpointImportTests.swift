import Foundation
import Testing

@testable import TSIT

@Suite("Import of checkpoints")
struct CheckpointImportTests {
    @Test("Folded weights are those that numpy gets in float64, element by element")
    func foldedWeights() throws {
        let expected = try CheckpointFixture.numpy("folded.npy")
        let folder = try TemporaryFolder()
        let model = try CheckpointFixture.model(folder)
        var position = 0
        for name in [
            "content_stream.res_0.conv_0", "content_stream.res_3.conv_s", "head_0.conv_1", "style_stream.res_7.conv_0",
            "up_2.conv_s", "up_3.conv_1",
        ] {
            let shape = try #require(model.shape(of: "\(name).weight"))
            for value in try model.tensor("\(name).weight", shape: shape) {
                // Both round one double to float; the doubles differ in the order of their sums.
                #expect(abs(value - expected[position]) <= expected[position].magnitude * 0x1p-23, "\(name)")
                position += 1
            }
        }
        #expect(position == expected.count)
        #expect(position == 4747)
    }

    @Test("Both serialisations become the same model, and every other tensor is taken over unchanged")
    func sameModel() throws {
        let folder = try TemporaryFolder()
        let zip = try CheckpointFixture.model(folder)
        let legacy = try CheckpointFixture.model(folder, from: "legacy.pth")
        #expect(zip.digest == legacy.digest)
        try zip.verifyDigest()
        let source = try CheckpointBuilder()
        var compared = 0
        for (key, tensor) in source.tensors where zip.shape(of: key) != nil {
            #expect(try zip.tensor(key, shape: tensor.shape) == tensor.values, "\(key)")
            compared += 1
        }
        // 60 of the 218 tensors are weights under spectral norm.
        #expect(compared == 158)
        #expect(zip.summary.tensorCount == 218)
        #expect(zip.summary.parameterCount == 99045)
        #expect(
            zip.configuration
                == ModelConfiguration(
                    ngf: 1,
                    provenance:
                        "checkpoint-zip.pth, sha256 \(try ContentDigest.ofFile(CheckpointFixture.path("zip.pth")))",
                    name: "checkpoint-zip"))
    }

    @Test("Importing twice gives the same bytes, and the data begins at a multiple of 64")
    func reproducible() throws {
        let folder = try TemporaryFolder()
        let first = try CheckpointFixture.model(folder, .init(storage: .half))
        let second = try CheckpointFixture.model(folder, .init(storage: .half))
        let bytes = try fileBytes(first.path)
        #expect(try fileBytes(second.path) == bytes)
        let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
        #expect((8 + length) % 64 == 0)
        #expect(try folder.contents().allSatisfy { $0.hasSuffix(".safetensors") })
    }

    @Test("Half storage rounds every value to nearest, ties to even")
    func halfStorage() throws {
        let folder = try TemporaryFolder()
        let full = try CheckpointFixture.model(folder)
        let half = try CheckpointFixture.model(folder, .init(storage: .half))
        #expect(half.configuration.storage == .half)
        #expect(half.digest != full.digest)
        for tensor in StateDictLayout(ngf: 1, inputChannels: 3, hasStyleStream: true, head: .convolution).tensors {
            let exact = try full.tensor(tensor.key, shape: tensor.shape)
            #expect(
                try half.tensor(tensor.key, shape: tensor.shape) == exact.map { Float(Float16($0)) }, "\(tensor.key)")
        }
    }

    @Test("Values beyond half precision are clipped, those below it flushed, and both are counted")
    func clipping() throws {
        let folder = try TemporaryFolder()
        var builder = try CheckpointBuilder()
        builder.tensors["conv_img.bias"]?.values = [1e6, -1e6, 1e-9]
        let source = try folder.file("x.pth", builder.zip())
        let target = "\(folder.path)/x.safetensors"
        let before = try CheckpointImporter.run(
            from: CheckpointFixture.path("zip.pth"), to: target, options: .init(storage: .half))
        let report = try CheckpointImporter.run(
            from: source, to: target, options: .init(storage: .half, overwrite: true))
        #expect(report.clippedCount == before.clippedCount + 2)
        #expect(report.flushedCount == before.flushedCount + 1)
        #expect(try ModelFile(contentsOfFile: target).tensor("conv_img.bias", shape: [3]) == [65504, -65504, 0])
    }

    @Test("Keys with module. before them, and a missing num_batches_tracked, make no difference")
    func modulePrefix() throws {
        let folder = try TemporaryFolder()
        var builder = try CheckpointBuilder()
        builder.tensors = Dictionary(uniqueKeysWithValues: builder.tensors.map { ("module.\($0.key)", $0.value) })
        let target = "\(folder.path)/x.safetensors"
        let report = try CheckpointImporter.run(from: try folder.file("x.pth", builder.zip()), to: target)
        #expect(report.digest == (try CheckpointFixture.model(folder)).digest)
    }

    @Test("A label network keeps its linear head and fixes its native size")
    func semanticSynthesis() throws {
        let folder = try TemporaryFolder()
        let model = try CheckpointFixture.model(folder, from: "sis.pth")
        #expect(model.configuration.task == .sis)
        #expect(model.configuration.inputChannels == 36)
        #expect((model.configuration.nativeWidth, model.configuration.nativeHeight) == (256, 256))
        #expect(model.shape(of: "fc.weight") == [64, 256])
        #expect(model.shape(of: "style_stream.res_0.conv_0.bias") == nil)
        let path = CheckpointFixture.path("sis.pth")
        let wrong = tsitError {
            try CheckpointImporter.run(from: path, to: "\(folder.path)/y", options: .init(nativeSize: (512, 256)))
        }
        #expect(wrong?.code == .badSize)
        #expect(
            tsitError { try CheckpointImporter.run(from: path, to: "\(folder.path)/y", options: .init(task: .ast)) }?
                .code == .badConfiguration)
    }

    @Test("Options decide what the tensors do not tell")
    func options() throws {
        let folder = try TemporaryFolder()
        let mmis = try CheckpointFixture.model(folder, .init(task: .mmis, nativeSize: (256, 384), name: "weathers"))
        #expect(mmis.configuration.task == .mmis)
        #expect(mmis.configuration.normalization == .frame)
        #expect((mmis.configuration.nativeWidth, mmis.configuration.nativeHeight) == (256, 384))
        #expect(mmis.configuration.name == "weathers")
        let art = try CheckpointFixture.model(folder, .init(normalization: .frame))
        #expect(art.configuration.normalization == .frame)
        let source = CheckpointFixture.path("zip.pth")
        for size in [(500, 256), (128, 128), (0, 256), (-256, 256), (1 << 40, 256)] {
            #expect(
                tsitError {
                    try CheckpointImporter.run(from: source, to: "\(folder.path)/y", options: .init(nativeSize: size))
                }?.code == .badSize)
        }
        #expect(
            tsitError { try CheckpointImporter.run(from: source, to: "\(folder.path)/y", options: .init(task: .sis)) }?
                .code == .badConfiguration)
    }

    @Test("Missing, surplus and misshapen tensors are named, ten of each with the total")
    func wrongKeys() throws {
        let whole = try CheckpointBuilder()
        var missing = whole
        missing.tensors["up_0.conv_s.weight_u"] = nil
        missing.tensors["conv_img.weight"] = nil
        try expectImport(missing, .missingTensor, "2 missing: conv_img.weight, up_0.conv_s.weight_u")

        var surplus = whole
        surplus.tensors["extra.weight"] = .init(shape: [1], values: [0])
        surplus.tensors["stray.num_batches_tracked"] = .init(shape: [], values: [0])
        try expectImport(surplus, .surplusTensor, "2 surplus: extra.weight, stray.num_batches_tracked")

        var misshapen = whole
        misshapen.tensors["fc.bias"] = .init(shape: [4, 4], values: [Float](repeating: 0, count: 16))
        try expectImport(misshapen, .wrongShape, "1 of the wrong shape: fc.bias is 4x4 instead of 16")

        var many = whole
        for index in 0..<14 { many.tensors["extra_\(index + 10)"] = .init(shape: [1], values: [0]) }
        try expectImport(many, .surplusTensor, "extra_19, and 4 more")

        var all = missing
        all.tensors["extra.weight"] = .init(shape: [1], values: [0])
        try expectImport(all, .missingTensor, "; 1 surplus: extra.weight")

        var discriminator = whole
        discriminator.tensors = ["model0.0.weight": .init(shape: [1], values: [0])]
        try expectImport(discriminator, .missingTensor, "one of TSIT's discriminators, not TSIT's generator")
    }

    @Test("Weights that are no numbers are refused by name")
    func badValues() throws {
        let whole = try CheckpointBuilder()
        var infinite = whole
        infinite.tensors["up_1.norm_0.mlp_gamma.bias"]?.values[3] = .infinity
        try expectImport(infinite, .damagedFile, "'up_1.norm_0.mlp_gamma.bias' holds values that are infinite")

        var nan = whole
        nan.tensors["head_0.conv_0.weight_orig"]?.values[100] = .nan
        try expectImport(nan, .damagedFile, "'head_0.conv_0.weight' has a spectral norm")

        var zero = whole
        zero.tensors["head_0.conv_0.weight_u"]?.values = [Float](repeating: 0, count: 16)
        try expectImport(zero, .damagedFile, "'head_0.conv_0.weight' has a spectral norm")

        var negative = whole
        negative.tensors["head_0.norm_0.param_free_norm.running_var"]?.values[0] = -1
        try expectImport(negative, .damagedFile, "negative variance")
    }

    @Test("The target appears whole or not at all, and is replaced only when allowed")
    func target() throws {
        let folder = try TemporaryFolder()
        let source = CheckpointFixture.path("zip.pth")
        let taken = try folder.file("taken.safetensors", [1, 2, 3])
        #expect(tsitError { try CheckpointImporter.run(from: source, to: taken) }?.code == .outputExists)
        #expect(try fileBytes(taken) == [1, 2, 3])
        #expect(
            tsitError { try CheckpointImporter.run(from: source, to: "\(folder.path)/none/x") }?.code == .unwritable)
        try FileManager.default.createDirectory(atPath: "\(folder.path)/folder", withIntermediateDirectories: false)
        let error = tsitError {
            try CheckpointImporter.run(from: source, to: "\(folder.path)/folder", options: .init(overwrite: true))
        }
        #expect(error?.code == .unwritable)
        let copy = try folder.file("copy.pth", fileBytes(source))
        let itself = tsitError { try CheckpointImporter.run(from: copy, to: copy, options: .init(overwrite: true)) }
        #expect(itself?.message.contains("is the checkpoint itself") == true)
        #expect(try fileBytes(copy) == fileBytes(source))
        var steps: [Int] = []
        try CheckpointImporter.run(from: source, to: taken, options: .init(overwrite: true)) { done, total in
            #expect(total == 218)
            steps.append(done)
        }
        #expect(steps == Array(1...218))
        #expect(try folder.contents() == ["copy.pth", "folder", "taken.safetensors"])
    }

    private func expectImport(_ builder: CheckpointBuilder, _ code: TSITError.Code, _ says: String) throws {
        let folder = try TemporaryFolder()
        let source = try folder.file("x.pth", builder.zip())
        let error = try #require(
            tsitError { try CheckpointImporter.run(from: source, to: "\(folder.path)/x.safetensors") })
        #expect(error.code == code, "\(error)")
        #expect(error.message.contains(says), "\(error)")
        #expect(try folder.contents() == ["x.pth"])
    }

    @Test("An empty tensor that claims more channels than can be counted with is refused", arguments: [0, 4097, 1 << 62, Int.max])
    func hugeChannels(_ channels: Int) throws {
        let folder = try TemporaryFolder()
        let program =
            [0x80, 2] + Pickled.emptyDictionary + Array("(".utf8)
            + Pickled.text("conv_img.weight") + Pickled.tensor(storage: "0", count: 4, shape: [1, 2, 1, 2])
            + Pickled.text("content_stream.res_0.conv_0.weight_orig")
            + Pickled.tensor(storage: "0", count: 4, shape: [0, channels, 3, 3], strides: [1, 1, 1, 1]) + Array("u.".utf8)
        let path = try folder.file("x.pth", Pickled.checkpoint(program))
        let error = tsitError { try CheckpointImporter.run(from: path, to: "\(folder.path)/y") }
        #expect(error?.code == .badConfiguration && error?.message.contains("\(channels) input channels") == true)
    }
}

@Suite("Half precision")
struct HalfPrecisionTests {
    @Test("All bit patterns have the value of Float16")
    func allPatterns() {
        let values = HalfPrecision.floats((0...UInt16.max).map { $0 })
        for pattern in 0...UInt16.max {
            let expected = Float(Float16(bitPattern: pattern))
            let value = values[Int(pattern)]
            #expect(value.bitPattern == expected.bitPattern || (value.isNaN && expected.isNaN), "\(pattern)")
        }
    }

    @Test("Rounding is that of Float16 up to its greatest value")
    func rounding() {
        var random = SeededNumbers(state: 1)
        var values: [Float] = (0..<200_000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }
        // Every half, its neighbours as floats, and the ties between halves.
        for pattern in UInt16(0)..<0x7bff {
            let low = Float(Float16(bitPattern: pattern))
            let tie = (low + Float(Float16(bitPattern: pattern + 1))) / 2
            values += [low, low.nextUp, tie, tie.nextDown, tie.nextUp, -tie]
        }
        values = values.filter { $0.magnitude <= HalfPrecision.greatest }
        let rounded = HalfPrecision.rounded(values)
        #expect(rounded.clipped == 0)
        for (value, half) in zip(values, rounded.halves) { #expect(half == Float16(value).bitPattern, "\(value)") }
    }
}
