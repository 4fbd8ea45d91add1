import Foundation
import Imaging
import NeuralEngine
import TSIT
import Testing

@testable import Pipeline

@Suite("Making styles of pictures", .serialized) struct StyleMakerTests {
    let folder: StyleFolder

    init() throws { folder = try StyleFolder() }

    private func make(_ pictures: [String], _ change: (inout StyleRequest) -> Void = { _ in }) async throws -> StyleFile {
        var request = StyleRequest(pictures: pictures, output: "\(folder.path)/made.style")
        (request.model, request.overwrite, request.threads) = (.file(folder.model.path), true, 1)
        change(&request)
        let report = try await StyleMaker(request, cache: folder.cache).run()
        let style = try StyleFile.read(request.output, for: folder.model)
        #expect(style == report.style && report.notices.isEmpty && report.size > 5000)
        return style
    }

    @Test("A style of one picture has the statistics that the picture itself leads to")
    func one() async throws {
        let red = try folder.picture("red.png", [200, 40, 30])
        let style = try await make([red])
        let alone = StyleResolver(model: folder.model, pool: ThreadPool(threads: 1), cache: StyleCache(directory: nil))
        #expect(try style.statistics == alone.statistics(of: [StyleRecipe(reference: red)]).styles[0])
        #expect(try style.statistics == folder.resolver.statistics(of: [StyleRecipe(reference: "made")]).styles[0])
        #expect(style.name == "made" && style.origin == "red.png")
        #expect(style.sources == [StyleSource(path: red, sha256: try ContentDigest.ofFile(red))])
    }

    @Test("A style of several is their mean, all counting alike")
    func several() async throws {
        let pictures = try [
            folder.picture("red.png", [200, 40, 30]), folder.picture("blue.png", [20, 40, 200]), folder.picture("grey.png", [90, 90, 90]),
        ]
        let each = try folder.resolver.statistics(of: pictures.map { StyleRecipe(reference: $0) }).styles
        let style = try await make(pictures)
        #expect(style.statistics == .mixed(each.map { ($0, 1) }))
        #expect(style.sources.map(\.file) == ["red.png", "blue.png", "grey.png"] && style.origin == "red.png, blue.png, grey.png")
        #expect(try await make([pictures[0], pictures[0]]).statistics == each[0])
    }

    @Test("Name and origin are as given; a thumbnail is there unless it is not wanted")
    func words() async throws {
        let red = try folder.picture("red.png", [200, 40, 30], width: 600, height: 300)
        let style = try await make([red]) { ($0.name, $0.origin) = ("Rosso", "a wall in Siena") }
        #expect(style.name == "Rosso" && style.origin == "a wall in Siena")
        let thumbnail = try #require(style.thumbnail)
        #expect(thumbnail.width == 256 && thumbnail.height == 128)
        // The left half is darker: the right way round.
        #expect(abs(Int(thumbnail.pixels[0]) - 100) <= 1 && abs(Int(thumbnail.pixels[255 * 3]) - 200) <= 1)
        #expect(try await make([red]) { $0.keepsThumbnail = false }.thumbnail == nil)
    }

    @Test("The thumbnail of several is a grid in their order")
    func grid() async throws {
        let colours: [[UInt8]] = [[200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0]]
        let shapes = [(64, 32), (32, 64), (64, 32), (100, 10)]
        let pictures = try zip(colours, shapes).enumerated().map { index, item in
            try folder.picture("\(index).png", item.0, width: item.1.0, height: item.1.1, halves: false)
        }
        let thumbnail = try #require(try await make(pictures).thumbnail)
        #expect(thumbnail.width == 256 && thumbnail.height == 128)
        for (index, colour) in colours.enumerated() {
            let x = index % 2 * 128 + 64, y = index / 2 * 64 + 32
            let start = (y * 256 + x) * 3
            #expect(Array(thumbnail.pixels[start..<start + 3]) == colour)
        }
    }

    @Test("What cannot be used writes nothing")
    func refused() async throws {
        let red = try folder.picture("red.png", [200, 40, 30]), output = "\(folder.path)/made.style"
        for (picture, words) in [
            (try folder.file("text.jpg", Array("not a picture".utf8)), "text.jpg"), ("\(folder.path)/none.jpg", "none.jpg"),
            (try folder.style("dusk.style", 2), "style file"), (folder.path, "is a directory"),
        ] {
            let error = await #expect(throws: (any Error).self) { try await make([red, picture]) }
            #expect("\(error!)".contains(words), "\(error!)")
        }
        #expect(!FileManager.default.fileExists(atPath: output))
        _ = try await make([red])
        let before = try Data(contentsOf: URL(fileURLWithPath: output))
        let error = await #expect(throws: TSITError.self) { try await make([red]) { $0.overwrite = false } }
        #expect(error?.code == .outputExists)
        await #expect(throws: (any Error).self) { try await make([red, "\(folder.path)/none.jpg"]) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: output)) == before)
        let missing = await #expect(throws: TSITError.self) { try await make([red]) { $0.output = "\(folder.path)/no/x.style" } }
        #expect(missing?.code == .unwritable)
        let damaged = try folder.file("damaged.safetensors", Self.flipped(folder.model.path))
        let weights = await #expect(throws: TSITError.self) { try await make([red]) { $0.model = .file(damaged) } }
        #expect(weights?.code == .damagedFile)
    }

    private static func flipped(_ path: String) throws -> [UInt8] {
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        bytes[bytes.count / 2] ^= 0x55
        return bytes
    }

    @Test("A task that is cancelled writes nothing")
    func cancelled() async throws {
        let red = try folder.picture("red.png", [200, 40, 30])
        var request = StyleRequest(pictures: [red], output: "\(folder.path)/made.style")
        (request.model, request.threads) = (.file(folder.model.path), 1)
        let task = Task { [request, cache = folder.cache] in
            while !Task.isCancelled { await Task.yield() }
            return try await StyleMaker(request, cache: cache).run()
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/made.style"))
    }

    @Test("Frames are picked once each, damaged ones passed over")
    func picker() {
        func picked(_ moments: [Double], _ frames: [(Double, Bool)]) -> [Double] {
            var picker = Picker(moments: moments, tolerance: 0.001)
            return frames.filter { picker.takes($0.0, isIntact: $0.1) }.map(\.0)
        }
        let frames = (0..<10).map { (Double($0), true) }
        #expect(picked([2, 5.5, 9], frames) == [2, 6, 9])
        #expect(picked([3.0005, 4], frames) == [3, 4])
        #expect(picked([2, 2.2, 2.4], frames) == [2, 3, 4])
        #expect(picked([8.5, 9.5], frames) == [9])
        #expect(picked([2, 5], [(2, false), (3, true), (5, false), (6, true)]) == [3, 6])
        #expect(picked([1, 2], [(1, true), (1, true), (2, true)]) == [1, 2])
    }
}
