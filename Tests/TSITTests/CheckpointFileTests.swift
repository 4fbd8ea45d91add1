import Testing

@testable import TSIT

@Suite("Checkpoint files")
struct CheckpointFileTests {
    @Test("Both serialisations of one state dict give the same tensors")
    func serialisationsAgree() throws {
        let zip = try CheckpointFile(path: CheckpointFixture.path("zip.pth"))
        let legacy = try CheckpointFile(path: CheckpointFixture.path("legacy.pth"))
        #expect(zip.serialization == .zip)
        #expect(legacy.serialization == .legacy)
        #expect(zip.tensors.count == 356)
        #expect(zip.tensors.mapValues(\.shape) == legacy.tensors.mapValues(\.shape))
        for (key, tensor) in zip.tensors where tensor.storage.type == .float {
            let other = try #require(legacy.tensors[key])
            #expect(try zip.floats(key, tensor) == legacy.floats(key, other), "\(key)")
        }
    }

    @Test("Views, element types, parameters and scalars are read as PyTorch means them")
    func views() throws {
        let file = try CheckpointFile(path: CheckpointFixture.path("views.pth"))
        func values(_ key: String) throws -> [Float] { try file.floats(key, try #require(file.tensors[key])) }
        let base = (0..<24).map(Float.init)
        #expect(try values("plain") == base)
        #expect(file.tensors["plain"]?.shape == [2, 3, 4])
        #expect(try values("transposed") == (0..<6).flatMap { row in (0..<4).map { Float($0 * 6 + row) } })
        #expect(file.tensors["transposed"]?.shape == [6, 4])
        #expect(file.tensors["channels_last"]?.isContiguous == false)
        #expect(try values("channels_last") == base)
        #expect(try values("tail") == [20, 21, 22, 23])
        #expect(try values("half") == base.map { Float(Float16($0) / 3) })
        #expect(try values("bfloat16") == base)
        #expect(try values("double") == base.map { Float(Double($0) / 3) })
        #expect(try values("parameter") == base)
        #expect(try values("scalar") == [2.5])
        #expect(tsitError { _ = try values("integer") }?.code == .damagedFile)
    }

    @Test("Archives with zip64 fields and without checksums are read")
    func zipVariants() throws {
        let folder = try TemporaryFolder()
        let program =
            [0x80, 2] + Pickled.emptyDictionary + Array("(".utf8) + Pickled.text("t")
            + Pickled.tensor(storage: "0", count: 4, shape: [2, 2]) + Array("u.".utf8)
        let values = [Float](arrayLiteral: 1, 2, 3, 4).withUnsafeBytes { Array($0) }
        for (isZip64, crc) in [(true, UInt32?.none), (false, 0), (true, 0)] {
            let archive = ZipBuilder(
                entries: [
                    .init(name: "a/data.pkl", bytes: program, flags: 0x808, crc: crc),
                    .init(name: "a/data/0", bytes: values, flags: 0x808, crc: crc),
                ], isZip64: isZip64)
            let file = try CheckpointFile(path: try folder.file("x.pth", archive.build()))
            try file.checkContents()
            #expect(try file.floats("t", try #require(file.tensors["t"])) == [1, 2, 3, 4])
        }
    }

    @Test("Archives that lie about their records are refused", arguments: LyingArchive.all)
    func lyingArchives(_ archive: LyingArchive) throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("x.pth", archive.bytes)
        let error = try #require(
            tsitError { try CheckpointFile(path: path).checkContents() }, "\(archive.name) was read")
        #expect(error.code == archive.code, "\(error)")
        #expect(error.message.contains(archive.says), "\(error)")
    }

    @Test(
        "Tensors that do not lie within their storage are refused",
        arguments: [
            Pickled.tensor(storage: "0", count: 4, shape: [5]),
            Pickled.tensor(storage: "0", count: 4, offset: 1, shape: [4]),
            Pickled.tensor(storage: "0", count: 4, offset: -1, shape: [1]),
            Pickled.tensor(storage: "0", count: 4, offset: Int.max, shape: [0]),
            Pickled.tensor(storage: "0", count: 4, shape: [2, -2]),
            Pickled.tensor(storage: "0", count: 4, shape: [1 << 40], strides: [0]),
            Pickled.tensor(storage: "0", count: 4, shape: [2], strides: [Int.max]),
            Pickled.tensor(storage: "0", count: 4, shape: [2], strides: [-1]),
            Pickled.tensor(storage: "0", count: 4, shape: [Int.max, 4]),
            Pickled.tensor(storage: "0", count: 4, shape: [2, 2], strides: [2]),
            Pickled.tensor(storage: "0", count: 5, shape: [5]),
            Pickled.tensor(storage: "0", count: Int.max, shape: [1]),
            Pickled.tensor(storage: "1", count: 4, shape: [4]),
            Pickled.tensor(storage: "../data.pkl", count: 4, shape: [4]),
        ])
    func impossibleTensors(_ tensor: [UInt8]) throws {
        let folder = try TemporaryFolder()
        let program = [0x80, 2] + Pickled.emptyDictionary + Pickled.text("t") + tensor + Array("s.".utf8)
        let path = try folder.file("x.pth", Pickled.checkpoint(program))
        #expect(tsitError { _ = try CheckpointFile(path: path) }?.code == .damagedFile)
    }

    @Test("An empty tensor with absurd other sides is harmless")
    func emptyTensor() throws {
        let folder = try TemporaryFolder()
        let tensor = Pickled.tensor(storage: "0", count: 4, shape: [0, 1 << 62, 4], strides: [4, 4, 1])
        let program = [0x80, 2] + Pickled.emptyDictionary + Pickled.text("t") + tensor + Array("s.".utf8)
        let file = try CheckpointFile(path: try folder.file("x.pth", Pickled.checkpoint(program)))
        #expect(try file.floats("t", try #require(file.tensors["t"])).isEmpty)
    }

    @Test("What is no checkpoint is named as such")
    func notCheckpoints() throws {
        let folder = try TemporaryFolder()
        #expect(tsitError { _ = try CheckpointFile(path: "\(folder.path)/none.pth") }?.code == .noSuchFile)
        #expect(tsitError { _ = try CheckpointFile(path: folder.path) }?.code == .noSuchFile)
        for bytes in [[], [0x50], Array("RIFF and so on".utf8), [0x50, 0x4b, 3, 4], Array("\u{80}\u{2}}q.".utf8)] {
            let path = try folder.file("x.pth", bytes)
            #expect(tsitError { _ = try CheckpointFile(path: path) }?.code == .damagedFile)
        }
        let other = ZipBuilder(entries: [.init(name: "word/document.xml", bytes: [1])]).build()
        let path = try folder.file("x.pth", other)
        #expect(tsitError { _ = try CheckpointFile(path: path) }?.message.contains("not a PyTorch checkpoint") == true)
    }
}

/// An archive that claims what is not so.
struct LyingArchive: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    var code: TSITError.Code = .damagedFile
    var says: String

    var testDescription: String { name }

    static var all: [LyingArchive] {
        let program =
            [0x80, 2] + Pickled.emptyDictionary + Pickled.text("t")
            + Pickled.tensor(storage: "0", count: 4, shape: [4]) + Array("s.".utf8)
        let pickle = ZipBuilder.Entry(name: "a/data.pkl", bytes: program)
        let zeros = [UInt8](repeating: 0, count: 16)
        func archive(_ storage: ZipBuilder.Entry, isZip64: Bool = false) -> [UInt8] {
            ZipBuilder(entries: [pickle, storage], isZip64: isZip64).build()
        }
        func storage(_ change: (inout ZipBuilder.Entry) -> Void) -> ZipBuilder.Entry {
            var entry = ZipBuilder.Entry(name: "a/data/0", bytes: zeros)
            change(&entry)
            return entry
        }
        return [
            .init(
                name: "a terabyte in 16 bytes", bytes: archive(storage { $0.claimedSize = 1 << 40 }),
                says: "claims more bytes"),
            .init(
                name: "the greatest size of zip64", bytes: archive(storage { $0.claimedSize = .max }, isZip64: true),
                says: "zip64 fields are invalid"),
            .init(
                name: "a deflated bomb",
                bytes: archive(storage { ($0.method, $0.claimedSize, $0.claimedStored) = (8, 1 << 31, 16) }),
                code: .unsupported, says: "is compressed (method 8)"),
            .init(
                name: "stored, but of two sizes",
                bytes: archive(storage { ($0.claimedSize, $0.claimedStored) = (1 << 30, 16) }),
                code: .unsupported, says: "is compressed"),
            .init(
                name: "encrypted", bytes: archive(storage { $0.flags = 1 }), code: .unsupported, says: "is encrypted"),
            .init(
                name: "an overlap",
                bytes: archive(storage { ($0.claimedOffset, $0.localName, $0.name) = (0, "b", "a/data.pkl2") }),
                says: "another name"),
            .init(
                name: "an offset past the end", bytes: archive(storage { $0.claimedOffset = 1 << 40 }),
                says: "lies outside the file"),
            .init(
                name: "a second name inside", bytes: archive(storage { $0.localName = "a/data/1" }),
                says: "another name"),
            .init(name: "a wrong checksum", bytes: archive(storage { $0.crc = 1 }), says: "checksum"),
            .init(
                name: "a short storage", bytes: archive(storage { $0.bytes = [0, 0, 0] }),
                says: "has 3 bytes, not 4 elements"),
            .init(
                name: "two records of one name", bytes: ZipBuilder(entries: [pickle, pickle]).build(),
                says: "two records named"),
            .init(name: "the same bytes twice", bytes: overlapping(pickle), says: "records overlap"),
            .init(
                name: "two checkpoints in one",
                bytes: ZipBuilder(entries: [pickle, .init(name: "b/data.pkl", bytes: program)]).build(),
                says: "not a PyTorch checkpoint"),
            .init(
                name: "big-endian numbers",
                bytes: ZipBuilder(entries: [pickle, .init(name: "a/byteorder", bytes: Array("big".utf8))]).build(),
                code: .unsupported, says: "byte order 'big'"),
        ]
    }

    /// One record within another: the inner one's header is part of the outer one's bytes.
    private static func overlapping(_ pickle: ZipBuilder.Entry) -> [UInt8] {
        let inner = ZipBuilder(entries: [.init(name: "a/data/0", bytes: [UInt8](repeating: 0, count: 16))]).build()
        let outer = ZipBuilder.Entry(name: "a/x", bytes: inner)
        let offset = 30 + pickle.name.utf8.count + pickle.bytes.count + 30 + outer.name.utf8.count
        // The directory names the inner record by its offset; the bytes of this third entry are never pointed to.
        let pointer = ZipBuilder.Entry(
            name: "a/data/0", bytes: [UInt8](repeating: 0, count: 16), claimedOffset: UInt64(offset))
        return ZipBuilder(entries: [pickle, outer, pointer]).build()
    }
}
