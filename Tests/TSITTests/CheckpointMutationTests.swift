import Testing

@testable import TSIT

/// Damaged copies of good files: each is imported in full or refused with an error of the right type, and never ends the
/// process. The mutations are seeded, so a failure can be repeated.
@Suite("Mutated files")
struct CheckpointMutationTests {
    @Test("A truncated checkpoint is refused wherever it ends", arguments: ["zip.pth", "legacy.pth", "views.pth"])
    func truncations(_ name: String) throws {
        let folder = try TemporaryFolder()
        let bytes = try CheckpointFixture.bytes(name)
        var random = SeededNumbers(state: 7)
        let lengths = Array(0..<64) + [bytes.count - 1, bytes.count - 22] + (0..<120).map { _ in Int.random(in: 0..<bytes.count, using: &random) }
        for length in lengths {
            let path = try folder.file("x.pth", Array(bytes[..<length]))
            let error = tsitError { try Self.readAll(path) }
            #expect(error?.code == .damagedFile, "\(length) bytes: \(error.map(String.init(describing:)) ?? "was read")")
        }
    }

    @Test("Flipped bits give an error or a readable file", .timeLimit(.minutes(5)), arguments: ["zip.pth", "legacy.pth", "views.pth"])
    func flips(_ name: String) throws {
        let folder = try TemporaryFolder()
        let good = try CheckpointFixture.bytes(name)
        var random = SeededNumbers(state: 11)
        var refused = 0
        for round in 0..<240 {
            var bytes = good
            // Half of the mutations hit the first 60 kB, where the pickle is, with up to eight flips.
            let limit = round % 2 == 0 ? min(60_000, bytes.count) : bytes.count
            for _ in 0..<(1 + round % 8) {
                bytes[Int.random(in: 0..<limit, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            if try Self.isRefused(try folder.file("x.pth", bytes)) { refused += 1 }
        }
        #expect(refused > 60)
    }

    @Test("Any change of a zip's weights is noticed")
    func payload() throws {
        let folder = try TemporaryFolder()
        let good = try CheckpointFixture.bytes("zip.pth")
        let checkpoint = try CheckpointFile(path: CheckpointFixture.path("zip.pth"))
        let keys = checkpoint.tensors.keys.sorted()
        var random = SeededNumbers(state: 13)
        let archive = try ZipArchive(checkpoint.file)
        for _ in 0..<40 {
            let name = try #require(keys.randomElement(using: &random))
            let key = try #require(checkpoint.tensors[name]?.storage.key)
            let record = try #require(archive.records.first { $0.key.hasSuffix("/data/\(key)") }?.value)
            var bytes = good
            bytes[Int.random(in: record.range, using: &random)] ^= 0x10
            let path = try folder.file("x.pth", bytes)
            #expect(tsitError { try Self.readAll(path) }?.message.contains("checksum") == true)
        }
    }

    @Test("Bytes that are overwritten, inserted, removed or repeated give an error or a readable file", .timeLimit(.minutes(5)))
    func scrambled() throws {
        let folder = try TemporaryFolder()
        var random = SeededNumbers(state: 17)
        for name in ["zip.pth", "legacy.pth", "views.pth"] {
            let good = try CheckpointFixture.bytes(name)
            for round in 0..<60 {
                var bytes = good
                let start = Int.random(in: 0..<min(good.count, 60_000), using: &random)
                let end = min(good.count, start + Int.random(in: 1..<64, using: &random))
                switch round % 4 {
                case 0: bytes.replaceSubrange(start..<end, with: (start..<end).map { _ in UInt8.random(in: 0...255, using: &random) })
                case 1: bytes.removeSubrange(start..<end)
                case 2: bytes.insert(contentsOf: good[start..<end], at: start)
                default: bytes.replaceSubrange(start..<end, with: [UInt8](repeating: 0xff, count: end - start))
                }
                _ = try Self.isRefused(try folder.file("x.pth", bytes))
            }
        }
    }

    @Test("Pure noise behind each beginning gives an error")
    func noise() throws {
        let folder = try TemporaryFolder()
        var random = SeededNumbers(state: 19)
        for prefix in [Array(try CheckpointFixture.bytes("legacy.pth")[..<21]), [0x50, 0x4b, 3, 4], []] {
            for _ in 0..<100 {
                let noise = (0..<Int.random(in: 0..<4000, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
                let path = try folder.file("x.pth", prefix + noise)
                #expect(try Self.isRefused(path))
            }
        }
    }

    @Test("A mutated model file is refused or opens", .timeLimit(.minutes(5)))
    func modelFiles() throws {
        let folder = try TemporaryFolder()
        let good = try fileBytes(try CheckpointFixture.model(folder, .init(storage: .half)).path)
        var random = SeededNumbers(state: 23)
        var refused = 0
        for round in 0..<300 {
            var bytes = good
            if round % 3 == 0 {
                bytes.removeSubrange(Int.random(in: 0..<bytes.count, using: &random)...)
            } else {
                let limit = round % 3 == 1 ? 64 : 20_000
                bytes[Int.random(in: 0..<limit, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            let path = try folder.file("x.safetensors", bytes)
            do {
                _ = try ModelFile(contentsOfFile: path).summary
            } catch {
                refused += 1
            }
        }
        #expect(refused > 150)
    }

    /// Whether reading everything in the file fails; anything but a TSITError fails the test.
    private static func isRefused(_ path: String) throws -> Bool {
        do {
            try readAll(path)
            return false
        } catch is TSITError {
            return true
        }
    }

    private static func readAll(_ path: String) throws {
        let checkpoint = try CheckpointFile(path: path)
        try checkpoint.checkContents()
        for (key, tensor) in checkpoint.tensors where tensor.storage.type.isFloating { _ = try checkpoint.floats(key, tensor) }
    }
}
