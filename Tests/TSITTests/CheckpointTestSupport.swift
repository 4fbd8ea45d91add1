import Foundation

@testable import TSIT

/// A folder for one test, removed with the object.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("solstice-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of `name` in here, holding `bytes`.
    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(filePath: "\(path)/\(name)"))
        return "\(path)/\(name)"
    }

    func contents() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
}

/// Files under Tests/TSITTests/Fixtures; Tests/Fixtures/make_checkpoint_fixtures.py says how they were made.
enum CheckpointFixture {
    static func path(_ name: String) -> String {
        URL(filePath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/checkpoint-\(name)").path
    }

    static func bytes(_ name: String) throws -> [UInt8] { try fileBytes(path(name)) }

    /// The values of a one-dimensional float32 .npy file (version 1).
    static func numpy(_ name: String) throws -> [Float] {
        let bytes = try bytes(name)
        let start = 10 + Int(bytes[8]) + Int(bytes[9]) << 8
        return stride(from: start, to: bytes.count, by: 4).map { index in
            Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[index + $1]) << UInt32(8 * $1) })
        }
    }

    /// A model imported from the fixture `name` into `folder`.
    static func model(
        _ folder: TemporaryFolder, from name: String = "zip.pth", _ options: CheckpointImporter.Options = .init()
    ) throws -> ModelFile {
        let target = "\(folder.path)/\(UUID().uuidString).safetensors"
        try CheckpointImporter.run(from: path(name), to: target, options: options)
        return try ModelFile(contentsOfFile: target)
    }
}

func fileBytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

/// The error that `body` throws, which must be a TSITError.
func tsitError(_ body: () throws -> Void) -> TSITError? {
    do {
        try body()
        return nil
    } catch {
        return error as? TSITError
    }
}

/// Numbers that are the same in every run (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
