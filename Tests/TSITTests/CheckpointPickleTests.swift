import Foundation
import Testing

@testable import TSIT

@Suite("Pickles that ask for more than tensors")
struct CheckpointPickleTests {
    /// Programs that run a command in Python; each with what the refusal must name.
    static let malicious: [(program: String, names: String)] = [
        // os.system through REDUCE, the classic.
        ("cposix\nsystem\n(X\u{b}\0\0\0touch VICTIMtR.", "posix.system"),
        ("cos\nsystem\n(X\u{b}\0\0\0touch VICTIMtR.", "os.system"),
        ("c__builtin__\neval\n(X\u{1}\0\0\01tR.", "__builtin__.eval"),
        ("cbuiltins\nexec\n(X\u{1}\0\0\01tR.", "builtins.exec"),
        ("cbuiltins\ngetattr\n.", "builtins.getattr"),
        // Names near the permitted ones.
        ("ctorch._utils\n_rebuild_tensor\n.", "torch._utils._rebuild_tensor"),
        ("ctorch.storage\n_load_from_bytes\n.", "torch.storage._load_from_bytes"),
        ("ctorch\nload\n.", "torch.load"),
        ("ccollections\nnamedtuple\n.", "collections.namedtuple"),
        ("ctorch\nFloatStorage\n(K\u{4}tR.", "torch.FloatStorage"),
        // Calls of what is no global.
        ("ccollections\nOrderedDict\n)R)R.", "REDUCE calls a dict"),
        ("X\u{2}\0\0\0os)R.", "REDUCE calls a string"),
        // Opcodes that construct or look up.
        ("(cos\nsystem\nX\u{2}\0\0\0lso.", "os.system"),
        ("(X\u{2}\0\0\0lsios\nsystem\n.", "INST"),
        ("ccollections\nOrderedDict\n(o.", "OBJ"),
        ("Pvictim\n.", "PERSID"),
        ("(dp0\n.", "DICT"),
        ("I1\n.", "INT"),
        ("N2.", "DUP"),
        ("N0.", "POP"),
        // Attributes through BUILD.
        ("ccollections\nOrderedDict\n)R}X\u{8}\0\0\0__dict__Nsb.", "BUILD sets the attribute '__dict__'"),
        ("ccollections\nOrderedDict\n)RNb.", "BUILD sets None"),
        ("]}b.", "BUILD changes a list"),
        ("ctorch._utils\n_rebuild_tensor_v2\n}b.", "BUILD changes torch._utils._rebuild_tensor_v2"),
        // Persistent ids that are not storages.
        ("(X\u{6}\0\0\0modulectorch\nFloatStorage\ntQ.", "a persistent id for 'module'"),
        ("X\u{1}\0\0\0aQ.", "a persistent id that is a string"),
        (")Q.", "a persistent id without a name"),
    ]

    @Test(
        "A pickle that calls, builds or looks up is refused by name, and nothing happens", arguments: malicious.indices)
    func refusesCalls(_ index: Int) throws {
        let (program, names) = Self.malicious[index]
        try expectRefusal([0x80, 2] + Array(program.utf8), naming: names)
    }

    @Test(
        "Opcodes of later protocols that construct objects are refused",
        arguments: [
            ([0x80, 4, 0x8c, 2] + Array("os".utf8) + [0x8c, 6] + Array("system".utf8) + [0x93, 0x2e], "os.system"),
            (
                [0x80, 4, 0x8c, 8] + Array("builtins".utf8) + [0x8c, 4] + Array("eval".utf8) + [0x93, 0x2e],
                "builtins.eval"
            ),
            ([0x80, 2] + Pickled.global("collections", "OrderedDict") + [0x29, 0x81, 0x2e], "NEWOBJ"),
            ([0x80, 4] + Pickled.global("collections", "OrderedDict") + [0x29, 0x7d, 0x92, 0x2e], "NEWOBJ_EX"),
            ([0x80, 2, 0x82, 1, 0x2e], "EXT1"),
            ([0x80, 2, 0x83, 1, 0, 0x2e], "EXT2"),
            ([0x80, 2, 0x84, 1, 0, 0, 0, 0x2e], "EXT4"),
            ([0x80, 5, 0x97, 0x2e], "NEXT_BUFFER"),
            ([0x80, 5, 0x96, 0, 0, 0, 0, 0, 0, 0, 0, 0x2e], "BYTEARRAY8"),
            ([0x80, 4, 0x8f, 0x2e], "EMPTY_SET"),
        ] as [([UInt8], String)])
    func refusesLaterOpcodes(_ program: [UInt8], _ names: String) throws {
        try expectRefusal(program, naming: names)
    }

    @Test("The legacy serialisation is refused for the same reasons, in each of its pickles")
    func refusesLegacy() throws {
        let folder = try TemporaryFolder()
        let good = try CheckpointFixture.bytes("legacy.pth")
        let attack = [0x80, 2] + Array("cposix\nsystem\n(X\u{b}\0\0\0touch VICTIMtR.".utf8)
        let protocolEnd = 15 + 6
        let pickles: [[UInt8]] = [
            Array(good[..<15]) + attack,
            Array(good[..<protocolEnd]) + attack,
            Array(good[..<protocolEnd]) + [0x80, 2] + Array("}.".utf8) + attack,
        ]
        for bytes in pickles {
            let path = try folder.file("x.pth", bytes)
            let error = try #require(tsitError { _ = try CheckpointFile(path: path) })
            #expect(error.code == .unsafeCheckpoint)
            #expect(error.message.contains("posix.system"))
        }
    }

    @Test("A state dict saved by Python 2, with byte strings and pairs in a list, is read")
    func pythonTwo() throws {
        let folder = try TemporaryFolder()
        var program: [UInt8] = [0x80, 2] + Pickled.global("collections", "OrderedDict") + Array("(]]U\u{1}ta".utf8)
        program += Pickled.tensor(storage: "0", count: 4, shape: [4]) + Array("aatR".utf8)
        program += Array("}U\u{9}_metadata}sb.".utf8)
        let file = try CheckpointFile(path: try folder.file("x.pth", Pickled.checkpoint(program)))
        #expect(file.tensors["t"]?.shape == [4])
    }

    @Test("Objects that are no state dict are named")
    func otherObjects() throws {
        let folder = try TemporaryFolder()
        let tensor = Pickled.tensor(storage: "0", count: 4, shape: [4])
        let cases: [([UInt8], String)] = [
            (tensor + Array(".".utf8), "it holds a tensor"),
            (Array("}X\u{5}\0\0\0epochK\u{1}s.".utf8), "its entry 'epoch' is an integer"),
            (Array("}X\u{5}\0\0\0model}s.".utf8), "its entry 'model' is a dict"),
            (Array("}K\u{1}".utf8) + tensor + Array("s.".utf8), "a key that is an integer"),
            (Array("}.".utf8), "no tensors"),
        ]
        for (program, says) in cases {
            let path = try folder.file("x.pth", Pickled.checkpoint([0x80, 2] + program))
            let error = try #require(tsitError { _ = try CheckpointFile(path: path) })
            #expect(error.code == .damagedFile)
            #expect(error.message.contains(says), "\(error)")
        }
    }

    @Test("Programs made to exhaust stack, memo, memory or time end with an error", .timeLimit(.minutes(2)))
    func exhaustion() throws {
        let million = 1 << 20
        let nested =
            [UInt8](repeating: UInt8(ascii: "]"), count: 1) + [UInt8](repeating: 0x85, count: 12 * million)
            + Array(".".utf8)
        let appended =
            [UInt8](repeating: UInt8(ascii: "]"), count: 2 * million)
            + [UInt8](repeating: UInt8(ascii: "a"), count: million)
        let marks = [UInt8](repeating: UInt8(ascii: "("), count: 4 * million)
        let cycle = Array("}q\0X\u{1}\0\0\0ah\0s.".utf8)
        let copies =
            Array("(".utf8) + [UInt8](repeating: UInt8(ascii: "N"), count: million / 2) + Array("lq\0.".utf8)
        var pairs = Array("](".utf8)
        for _ in 0..<100_000 { pairs += Array("NN\u{86}".utf8) }
        pairs += Array("eq\0".utf8)
        for _ in 0..<100_000 { pairs += Pickled.global("collections", "OrderedDict") + Array("h\0\u{85}R".utf8) }
        for program in [nested, appended, marks, cycle, copies, pairs] {
            var machine = PickleMachine([0x80, 2] + program)
            #expect(throws: (any Error).self) {
                let value = try machine.run()
                _ = try StateDictionary.tensors(value, machine, path: "x")
            }
        }
    }

    /// One opcode fills a container once it is there; what it takes must be counted as what it is made with is.
    @Test("A list or dict that grows without end is refused", arguments: ["]", "}"])
    func growth(container: String) throws {
        let million = 1 << 20
        let part = Array("(".utf8) + [UInt8](repeating: UInt8(ascii: "N"), count: million / 2) + Array((container == "]" ? "e" : "u").utf8)
        var program = Array(container.utf8)
        for _ in 0..<8 { program += part }
        var machine = PickleMachine([0x80, 2] + program + Array(".".utf8))
        #expect(throws: PickleError.self) { try machine.run() }
        #expect(machine.lists.reduce(0) { $0 + $1.count } + machine.dictionaries.reduce(0) { $0 + $1.count } <= million)
    }

    @Test("Numbers are read with their sign and length")
    func numbers() throws {
        let cases: [([UInt8], Int64)] = [
            ([0x4a, 0xff, 0xff, 0xff, 0xff], -1), ([0x4b, 0xff], 255), ([0x4d, 0xff, 0xff], 65535), ([0x8a, 0], 0),
            ([0x8a, 1, 0x80], -128), ([0x8a, 2, 0x80, 0], 128), ([0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 0x80], .min),
        ]
        for (program, expected) in cases {
            var machine = PickleMachine([0x80, 2] + program + [0x2e])
            guard case .int(let value) = try machine.run() else { throw TestFailure() }
            #expect(value == expected)
        }
    }

    private func expectRefusal(_ program: [UInt8], naming names: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("x.pth", Pickled.checkpoint(program))
        let before = try folder.contents()
        let error = try #require(tsitError { _ = try CheckpointFile(path: path) }, "it was read")
        #expect(error.code == .unsafeCheckpoint, "\(error)")
        #expect(error.message.contains(names), "\(error)")
        #expect(try folder.contents() == before)
        #expect(!FileManager.default.fileExists(atPath: "VICTIM"))
    }
}

struct TestFailure: Error {}
