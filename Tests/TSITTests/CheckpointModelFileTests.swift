import Foundation
import Testing

@testable import TSIT

@Suite("Model files")
struct CheckpointModelFileTests {
    @Test("A tensor is given by key and shape; others are named in the error")
    func tensors() throws {
        let folder = try TemporaryFolder()
        let model = try CheckpointFixture.model(folder)
        #expect(try model.tensor("conv_img.weight", shape: [3, 1, 3, 3]).count == 27)
        let shape = tsitError { _ = try model.tensor("conv_img.weight", shape: [1, 3, 3, 3]) }
        #expect(shape?.code == .wrongShape)
        #expect(shape?.message.contains("'conv_img.weight' is 3x1x3x3 instead of 1x3x3x3") == true)
        let missing = tsitError { _ = try model.tensor("conv_img.scale", shape: [1]) }
        #expect(missing?.code == .missingTensor)
        #expect(missing?.message.contains("'conv_img.scale'") == true)
    }

    @Test("A tensor read in pieces is the tensor", arguments: [ModelConfiguration.Storage.float32, .half])
    func pieces(storage: ModelConfiguration.Storage) throws {
        let folder = try TemporaryFolder()
        let model = try CheckpointFixture.model(folder, .init(storage: storage))
        let (key, shape) = ("up_0.conv_0.weight", [16, 16, 3, 3])
        for source in [model, RandomWeights(configuration: model.configuration)] as [any WeightSource] {
            let whole = try source.tensor(key, shape: shape)
            #expect(whole.count == 2304)
            for range in [0..<1, 0..<2304, 144..<1000, 2303..<2304, 7..<7] {
                #expect(try source.tensor(key, shape: shape, range) == Array(whole[range]), "\(range)")
            }
        }
    }

    @Test("A file that is cut short while it is in use gives an error")
    func cutInUse() throws {
        let folder = try TemporaryFolder()
        let model = try CheckpointFixture.model(folder)
        let file = try #require(FileHandle(forWritingAtPath: model.path))
        try file.truncate(atOffset: UInt64(model.summary.fileSize / 2))
        try file.close()
        let error = tsitError { _ = try model.tensor("up_3.norm_s.mlp_gamma.weight", shape: [2, 2, 3, 3]) }
        #expect(error?.code == .damagedFile)
        #expect(tsitError { try model.verifyDigest() }?.code == .damagedFile)
    }

    @Test("A file cut short, or with more behind it, is refused")
    func lengths() throws {
        let folder = try TemporaryFolder()
        let good = try fileBytes(try CheckpointFixture.model(folder).path)
        for count in [0, 1, 7, 8, 9, 1000, good.count / 2, good.count - 1] {
            let path = try folder.file("x", Array(good[..<count]))
            let error = try #require(tsitError { _ = try ModelFile(contentsOfFile: path) })
            #expect(error.code == .damagedFile)
            if count >= 8 { #expect(error.message.contains("truncated"), "\(error)") }
        }
        let path = try folder.file("x", good + [0])
        #expect(tsitError { _ = try ModelFile(contentsOfFile: path) }?.message.contains("goes on after") == true)
    }

    @Test(
        "Headers that contradict themselves or the file are refused",
        arguments: [
            (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#, "has 8 bytes, its shape 1 needs 4"),
            (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, "leave a hole"),
            (
                #"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"u":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
                "overlap"
            ),
            (#"{"t":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, "truncated"),
            (#"{"t":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,8]}}"#, "an impossible shape"),
            (#"{"t":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,8]}}"#, "an impossible shape"),
            (#"{"t":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, "an impossible shape"),
            (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, "no valid range"),
            (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, "no valid range"),
            (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0]}}"#, "no valid range"),
            (#"{"t":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#, "the element type 'BF16'"),
            (#"{"t":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}"#, "not a safetensors file"),
            (#"{"t":{"dtype":"F32","shape":[2]}}"#, "not a safetensors file"),
            (#"{"t":5}"#, "not a safetensors file"),
            (#"{"__metadata__":{"a":5}}"#, "not a safetensors file"),
            (#"[1,2]"#, "not a safetensors file"),
            (#"{"t":"#, "not a safetensors file"),
            (String(repeating: "[", count: 100_000), "not a safetensors file"),
            (String(repeating: #"{"a":"#, count: 100_000), "not a safetensors file"),
        ])
    func headers(_ json: String, _ says: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.file(
            "x", littleEndian(UInt64(json.utf8.count)) + Array(json.utf8) + [UInt8](repeating: 0, count: 8))
        let error = try #require(
            tsitError { _ = try SafetensorsFile(contentsOfFile: path) }, "\(json.prefix(80)) was read")
        #expect(error.code == .damagedFile)
        #expect(error.message.contains(says), "\(error)")
    }

    @Test("Absurd header lengths are refused", arguments: [UInt64.max, 1 << 63, 1 << 40, 17 << 20, 0, 1])
    func headerLengths(_ length: UInt64) throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("x", littleEndian(length) + Array("{}      ".utf8))
        #expect(
            tsitError { _ = try ModelFile(contentsOfFile: path) }?.message.contains("not a safetensors file") == true)
    }

    @Test(
        "Missing and invalid metadata are named",
        arguments: [
            (#""ngf":"1""#, #""ngx":"1""#, "lacks ngf"), (#""ngf":"1""#, #""ngf":"x""#, "an invalid ngf"),
            (#""ngf":"1""#, #""ngf":"0""#, "a base width of 0"), (#""ngf":"1""#, #""ngf":"2""#, "of the wrong shape"),
            (#""task":"ast""#, #""task":"art""#, "an invalid task"), (#""task":"ast""#, #""task":"sis""#, "surplus"),
            (#""native_size":"512x256""#, #""native_size":"512x255""#, "native size 512x255"),
            (#""native_size":"512x256""#, #""native_size":"512*256""#, "an invalid native_size"),
            (#""normalization":"running""#, #""normalization":"walking""#, "an invalid normalization"),
            (#""storage":"float32""#, #""storage":"half"   "#, "is not stored as half"),
            (#""input_channels":"3""#, #""input_channels":"4""#, "4 input channels"),
            (#""format":"solstice.model.1""#, #""format":"solstice.model.2""#, "has the format 'solstice.model.2'"),
            (#""format":"solstice.model.1""#, #""format":"solstice.style.1""#, "not a solstice model"),
            (#""format":"solstice.model.1""#, #""firmat":"solstice.model.1""#, "not a solstice model"),
            (#""fc.bias":"#, #""fc.bits":"#, "1 missing: fc.bias; 1 surplus: fc.bits"),
        ])
    func metadata(_ original: String, _ replacement: String, _ says: String) throws {
        let folder = try TemporaryFolder()
        var bytes = try fileBytes(try CheckpointFixture.model(folder).path)
        let found = try #require(Data(bytes).range(of: Data(original.utf8)))
        bytes.replaceSubrange(found, with: Array(replacement.utf8))
        let path = try folder.file("x", bytes)
        let error = try #require(tsitError { _ = try ModelFile(contentsOfFile: path) })
        #expect(error.message.contains(says), "\(error)")
    }

    @Test("A changed weight is found by its digest")
    func digest() throws {
        let folder = try TemporaryFolder()
        var bytes = try fileBytes(try CheckpointFixture.model(folder).path)
        bytes[bytes.count - 1000] ^= 1
        let model = try ModelFile(contentsOfFile: try folder.file("x", bytes))
        #expect(tsitError { try model.verifyDigest() }?.code == .damagedFile)
    }

    @Test("A checkpoint given as a model is told apart")
    func checkpointAsModel() {
        let error = tsitError { _ = try ModelFile(contentsOfFile: CheckpointFixture.path("zip.pth")) }
        #expect(error?.code == .damagedFile)
        #expect(error?.remedy?.contains("solstice model import") == true)
    }

    @Test("Names from a file are printed without their control characters")
    func quoting() {
        #expect(quoted("a\u{1b}[31mb\n") == #"'a\u{1B}[31mb\n'"#)
        #expect(quoted(String(repeating: "x", count: 500)).count == 123)
    }
}

@Suite("Embedded models")
struct EmbeddedModelTests {
    @Test(
        "Both models and their styles are found from a build, belong together and are undamaged",
        arguments: EmbeddedModels.Name.allCases)
    func load(_ name: EmbeddedModels.Name) throws {
        let (model, style) = try EmbeddedModels.load(name, environment: [:])
        try model.verifyDigest()
        #expect(model.configuration.ngf == 8)
        #expect(model.configuration.storage == .half)
        #expect(model.configuration.normalization == .running)
        #expect((model.configuration.nativeWidth, model.configuration.nativeHeight) == (512, 256))
        #expect(model.configuration.name == name.rawValue)
        #expect(style.statistics.means.map(\.count) == model.configuration.mapWidths)
        #expect(!style.origin.contains("/"))
    }

    @Test("A folder that the user names takes precedence, and its absence is said")
    func override() throws {
        let folder = try TemporaryFolder()
        let error = tsitError { _ = try EmbeddedModels.locate(.night, environment: ["SOLSTICE_MODELS": folder.path]) }
        #expect(error?.code == .notInstalled)
        #expect(error?.cause?.contains(folder.path) == true)
        for name in ["night.safetensors", "night.style"] { _ = try folder.file(name, [0]) }
        let location = try EmbeddedModels.locate(.night, environment: ["SOLSTICE_MODELS": folder.path])
        #expect(location.modelPath == "\(folder.path)/night.safetensors")
    }

    @Test("An installed binary finds them in ../share/solstice, a built one beside itself")
    func candidates() {
        #expect(
            ResourceDirectory.candidates("Models", override: nil, binaries: ["/usr/local/bin"]) == [
                "/usr/local/bin/solstice_TSIT.resources/Models", "/usr/local/bin/../share/solstice/Models",
            ])
    }
}
