import Foundation
import Testing

@testable import TSIT

@Suite("Style files and their cache")
struct StyleFileTests {
    /// Statistics of the right form for `ngf`, all different.
    private static func statistics(_ ngf: Int = 1, start: Float = 1) -> StyleStatistics {
        var next = start
        func map(_ width: Int) -> [Float] {
            (0..<width).map { _ in
                next += 0.125
                return next
            }
        }
        let widths = ModelConfiguration(ngf: ngf).mapWidths
        return StyleStatistics(means: widths.map(map), deviations: widths.map(map))
    }

    private static let picture = String(repeating: "ab", count: 32)

    @Test("What is written is read again, bit by bit")
    func roundTrip() throws {
        let folder = try TemporaryFolder()
        let model = try CheckpointFixture.model(folder)
        let style = StyleFile(
            statistics: Self.statistics(), modelDigest: model.digest, name: "a \"quoted\"\n\\ näme",
            origin: "a picture")
        let path = "\(folder.path)/a.style"
        try style.write(to: path)
        #expect(try StyleFile(contentsOfFile: path) == style)
        #expect(try StyleFile.read(path, for: model) == style)
    }

    @Test("A style of another model is refused")
    func otherModel() throws {
        let folder = try TemporaryFolder()
        let model = try CheckpointFixture.model(folder)
        let half = try CheckpointFixture.model(folder, .init(storage: .half))
        let path = "\(folder.path)/a.style"
        try StyleFile(statistics: Self.statistics(), modelDigest: model.digest, name: "a", origin: "b").write(to: path)
        #expect(tsitError { _ = try StyleFile.read(path, for: half) }?.code == .styleMismatch)
        try StyleFile(statistics: Self.statistics(2), modelDigest: model.digest, name: "a", origin: "b").write(to: path)
        #expect(tsitError { _ = try StyleFile.read(path, for: model) }?.code == .styleMismatch)
        #expect(
            tsitError { _ = try StyleFile(contentsOfFile: model.path) }?.message.contains("not a solstice style")
                == true)
    }

    @Test("Statistics that FAdaIN cannot use are neither written nor read")
    func unusable() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/a.style"
        var cases = [Self.statistics(), Self.statistics(), Self.statistics(), Self.statistics()]
        cases[0].means[3][0] = .nan
        cases[1].deviations[3][0] = 0
        cases[2].means.removeLast()
        cases[3].deviations[7].removeLast()
        for statistics in cases {
            let style = StyleFile(statistics: statistics, modelDigest: Self.picture, name: "a", origin: "b")
            #expect(tsitError { try style.write(to: path) }?.code == .styleMismatch)
        }
        #expect(try folder.contents().isEmpty)
    }

    @Test("Any flipped bit in a style is noticed, or changes only words")
    func flips() throws {
        let folder = try TemporaryFolder()
        let style = StyleFile(statistics: Self.statistics(), modelDigest: Self.picture, name: "a", origin: "b")
        let path = "\(folder.path)/a.style"
        try style.write(to: path)
        let good = try fileBytes(path)
        var random = SeededNumbers(state: 5)
        for _ in 0..<300 {
            var bytes = good
            bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            let damaged = try folder.file("b.style", bytes)
            do {
                #expect(try StyleFile(contentsOfFile: damaged).statistics == style.statistics)
            } catch {
                #expect(error.code != .noSuchFile)
            }
        }
    }

    @Test("A tensor that this version does not know is let be")
    func laterTensors() throws {
        let folder = try TemporaryFolder()
        let style = StyleFile(statistics: Self.statistics(), modelDigest: Self.picture, name: "a", origin: "b")
        let path = "\(folder.path)/a.style"
        var tensors: [(key: String, type: SafetensorsType, shape: [Int])] = [("zoetrope", .byte, [2, 2, 3])]
        for (index, width) in ModelConfiguration(ngf: 1).mapWidths.enumerated() {
            tensors += [("mean_\(index)", .float32, [width]), ("deviation_\(index)", .float32, [width])]
        }
        let writer = try SafetensorsWriter(
            path: path, tensors: tensors,
            metadata: ["format": StyleFile.format, "model_digest": Self.picture, "name": "a", "origin": "b"],
            digestKey: "digest")
        for index in 0..<8 { try writer.append("deviation_\(index)", style.statistics.deviations[index]) }
        for index in 0..<8 { try writer.append("mean_\(index)", style.statistics.means[index]) }
        try writer.append("zoetrope", [UInt8](repeating: 9, count: 12))
        _ = try writer.commit()
        #expect(try StyleFile(contentsOfFile: path) == style)
    }

    @Test("The cache computes once, and again where anything that the numbers depend on differs")
    func cache() throws {
        let folder = try TemporaryFolder()
        let model = try CheckpointFixture.model(folder)
        let half = try CheckpointFixture.model(folder, .init(storage: .half))
        let cache = StyleCache(directory: "\(folder.path)/made/by/the/cache")
        var computed = 0
        func compute() -> StyleStatistics {
            computed += 1
            return Self.statistics(start: Float(computed))
        }
        let first = try cache.statistics(model: model, pictureDigest: Self.picture, compute: compute)
        #expect(!first.hit && first.notice == nil && computed == 1)
        let again = try cache.statistics(model: model, pictureDigest: Self.picture, size: (512, 256), compute: compute)
        #expect(again.hit && again.statistics == first.statistics && computed == 1)
        #expect(try !cache.statistics(model: half, pictureDigest: Self.picture, compute: compute).hit)
        #expect(
            try !cache.statistics(model: model, pictureDigest: String(repeating: "c", count: 64), compute: compute).hit)
        #expect(
            try !cache.statistics(model: model, pictureDigest: Self.picture, size: (256, 512), compute: compute).hit)
        #expect(try !cache.statistics(model: model, pictureDigest: Self.picture, variant: "avx2", compute: compute).hit)
        #expect(computed == 5)
        #expect(try FileManager.default.contentsOfDirectory(atPath: try #require(cache.directory)).count == 5)
    }

    @Test("A damaged entry is computed and written anew")
    func damagedEntry() throws {
        let folder = try TemporaryFolder()
        let model = try CheckpointFixture.model(folder)
        let cache = StyleCache(directory: "\(folder.path)/cache")
        _ = try cache.statistics(model: model, pictureDigest: Self.picture) { Self.statistics() }
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/cache").first)
        let path = "\(folder.path)/cache/\(name)"
        let good = try fileBytes(path)
        var flipped = good
        flipped[good.count - 3] ^= 0x40
        for damaged in [[], Array(good[..<100]), flipped, good + [0]] {
            try Data(damaged).write(to: URL(filePath: path))
            let anew = try cache.statistics(model: model, pictureDigest: Self.picture) { Self.statistics() }
            #expect(!anew.hit && anew.notice == nil)
            #expect(try fileBytes(path) == good)
        }
    }

    @Test("A cache that cannot be written is a notice, not an error; what compute throws is passed on")
    func unwritable() throws {
        let folder = try TemporaryFolder()
        let model = try CheckpointFixture.model(folder)
        let file = try folder.file("file", [1])
        for cache in [
            StyleCache(directory: "\(file)/cache"), StyleCache(directory: "/proc/none"), StyleCache(directory: nil),
        ] {
            let result = try cache.statistics(model: model, pictureDigest: Self.picture) { Self.statistics() }
            #expect(!result.hit && result.statistics == Self.statistics())
            #expect(result.notice?.contains("not cached") == true)
            #expect(throws: TestFailure.self) {
                try cache.statistics(model: model, pictureDigest: Self.picture) { throw TestFailure() }
            }
        }
    }

    @Test("Many writers of one entry leave one whole entry")
    func concurrentWriters() async throws {
        let folder = try TemporaryFolder()
        let model = try CheckpointFixture.model(folder)
        let directory = "\(folder.path)/cache"
        let results = try await withThrowingTaskGroup(of: StyleStatistics.self) { group in
            for _ in 0..<32 {
                group.addTask {
                    try StyleCache(directory: directory)
                        .statistics(model: model, pictureDigest: Self.picture) { Self.statistics() }.statistics
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.allSatisfy { $0 == Self.statistics() })
        let entries = try FileManager.default.contentsOfDirectory(atPath: directory)
        #expect(entries.count == 1)
        #expect(try StyleFile.read("\(directory)/\(entries[0])", for: model).statistics == Self.statistics())
    }

    @Test("The user's cache follows the XDG specification")
    func location() {
        #expect(
            StyleCache.standard(environment: ["XDG_CACHE_HOME": "/c", "HOME": "/h"]).directory == "/c/solstice/styles")
        #expect(
            StyleCache.standard(environment: ["XDG_CACHE_HOME": "c", "HOME": "/h"]).directory
                == "/h/.cache/solstice/styles")
        #expect(StyleCache.standard(environment: [:]).directory == nil)
    }
}
