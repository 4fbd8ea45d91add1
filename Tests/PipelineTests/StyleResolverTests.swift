import Foundation
import Imaging
import MediaIO
import NeuralEngine
import TSIT
import Testing

@testable import Pipeline

/// A folder with a model and styles in it, removed with the object.
final class StyleFolder {
    let path: String
    let model: ModelFile
    let resolver: StyleResolver
    let cache: StyleCache

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("solstice-styles-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let source = try EmbeddedModels.locate(.night).modelPath
        try FileManager.default.copyItem(atPath: source, toPath: "\(path)/city.safetensors")
        model = try ModelFile(contentsOfFile: "\(path)/city.safetensors")
        cache = StyleCache(directory: "\(path)/cache")
        resolver = StyleResolver(model: model, pool: ThreadPool(threads: 1), cache: cache)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Statistics of the model's shape: the default style's, all scaled by `factor`.
    func statistics(_ factor: Float) throws -> StyleStatistics {
        let style = try EmbeddedModels.load(.night).style.statistics
        return StyleStatistics(means: style.means.map { $0.map { $0 * factor } }, deviations: style.deviations.map { $0.map { $0 * factor } })
    }

    @discardableResult
    func style(_ name: String, _ factor: Float, digest: String? = nil) throws -> String {
        try StyleFile(statistics: statistics(factor), modelDigest: digest ?? model.digest, name: name, origin: "a test").write(to: "\(path)/\(name)")
        return "\(path)/\(name)"
    }

    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        return "\(path)/\(name)"
    }

    /// A picture file in one colour, the left half darker (PNG).
    func picture(_ name: String, _ colour: [UInt8], width: Int = 8, height: Int = 4, halves: Bool = true) throws -> String {
        let picture = PlanarImage<UInt8>(width: width, height: height)
        for plane in 0..<3 {
            for y in 0..<height {
                for x in 0..<width { picture[plane, y, x] = halves && x < width / 2 ? colour[plane] / 2 : colour[plane] }
            }
        }
        let file = try PictureFile(path: "\(path)/\(name)", source: nil, overwrite: true)
        try file.write(picture)
        try file.publish()
        return "\(path)/\(name)"
    }

    func error(_ recipe: String) -> TSITError? {
        do {
            _ = try resolver.statistics(of: [StyleRecipe(parsing: recipe)])
            return nil
        } catch { return error as? TSITError }
    }
}

@Suite("Finding the styles that recipes name", .serialized) struct StyleResolverTests {
    let folder: StyleFolder

    init() throws { folder = try StyleFolder() }

    private func statistics(_ recipe: String) throws -> (statistics: StyleStatistics, cached: Bool, notices: [String]) {
        let found = try folder.resolver.statistics(of: [StyleRecipe(parsing: recipe)])
        return (found.styles[0], found.cached, found.notices)
    }

    @Test("A style file by its path, whatever it is called, and a style by its name beside the model")
    func files() throws {
        let path = try folder.style("dusk.style", 2)
        let expected = try folder.statistics(2)
        let found = try statistics(path)
        #expect(found.statistics == expected && found.cached && found.notices.isEmpty)
        #expect(try statistics("dusk").statistics == expected)
        let odd = try folder.style("dusk, the second:1.jpg", 3)
        #expect(try statistics(odd).statistics == folder.statistics(3))
        // No cache was made: nothing had to be computed.
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/cache"))
    }

    @Test("Names of the model are listed where a reference is nothing; those of other models are not among them")
    func names() throws {
        #expect(folder.error("snow")?.remedy?.contains("no styles of its own") == true)
        try folder.style("dusk.style", 2)
        try folder.style("city.style", 1)
        try folder.style("other.style", 1, digest: String(repeating: "0", count: 64))
        _ = try folder.file("broken.style", [1, 2, 3])
        #expect(folder.resolver.names == ["city", "dusk"])
        let error = try #require(folder.error("snow"))
        #expect(error.code == .noSuchFile && error.message.contains("'snow'") && error.remedy?.contains("city, dusk") == true)
        for reference in ["dusk.style", "/nowhere/dusk", "../dusk", folder.path, "city.safetensors"] {
            #expect(folder.error(reference)?.code == .noSuchFile, "\(reference)")
        }
        #expect(folder.error("dusk:0,snow:1")?.code == .noSuchFile)
        #expect(folder.error("dusk:1,snow:0")?.code == .noSuchFile, "a name that leads nowhere is a mistake, of whatever weight")
    }

    @Test("Styles of other models, damaged ones and model files are called that")
    func refused() throws {
        let other = try folder.style("other.style", 1, digest: String(repeating: "0", count: 64))
        #expect(folder.error(other)?.code == .styleMismatch && folder.error("other")?.code == .styleMismatch)
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: try folder.style("dusk.style", 2))))
        let cut = try folder.file("cut.style", Array(bytes.dropLast(100)))
        let error = try #require(folder.error(cut))
        #expect(error.code == .damagedFile && "\(error)".contains("not a usable style file") && !"\(error)".contains("import"))
        #expect(folder.error(try folder.file("picture.style", Array("P6 1 1 255\nabc".utf8)))?.code == .damagedFile)
        #expect(folder.error(try folder.file("cut", Array(bytes.dropLast(100))))?.code == .damagedFile)
        #expect(folder.error(folder.model.path)?.message.contains("not a solstice style") == true)
    }

    @Test("The default style has the model's own stem")
    func defaultStyle() throws {
        #expect(try folder.resolver.defaultStyle() == nil)
        try folder.style("dusk.style", 2)
        #expect(try folder.resolver.defaultStyle() == nil)
        try folder.style("city.style", 3)
        #expect(try folder.resolver.defaultStyle()?.statistics == folder.statistics(3))
        try folder.style("city.style", 3, digest: String(repeating: "0", count: 64))
        #expect(throws: TSITError.self) { try folder.resolver.defaultStyle() }
    }

    @Test("A picture goes through the style stream once, then it is in the cache; the picture's own bytes count, not its name")
    func pictures() throws {
        let red = try folder.picture("red.png", [200, 40, 30]), copy = try folder.picture("copy, of red:2", [200, 40, 30])
        let first = try statistics(red)
        #expect(!first.cached && first.notices.isEmpty)
        let again = try statistics(copy)
        #expect(again.cached && again.statistics == first.statistics)
        let blue = try statistics(try folder.picture("blue.png", [20, 40, 200]))
        #expect(!blue.cached && blue.statistics != first.statistics)
        let without = try StyleResolver(model: folder.model, pool: ThreadPool(threads: 2), cache: StyleCache(directory: nil))
            .statistics(of: [StyleRecipe(parsing: "\(red),\(red):3")])
        #expect(!without.cached && without.notices.count == 1 && without.styles == [first.statistics])
    }

    @Test("Mixtures of files, names and pictures are the weighted means")
    func mixtures() throws {
        let dusk = try folder.style("dusk.style", 2)
        try folder.style("dawn.style", 3)
        let red = try folder.picture("red.png", [200, 40, 30])
        let expected = StyleStatistics.mixed([
            (try folder.statistics(2), 0.5), (try folder.statistics(3), 1), (try statistics(red).statistics, 2.5),
        ])
        let mixed = try statistics("\(dusk):0.5,dawn,\(red):2.5")
        #expect(mixed.statistics == expected && mixed.cached)
        #expect(try statistics("dusk,dusk:0.3,\(dusk)").statistics == folder.statistics(2))
        #expect(try statistics("dusk,dawn:0").statistics == folder.statistics(2))
    }

    @Test("Styles of keyframes come in their order, and what they share is resolved once")
    func timeline() throws {
        try folder.style("dusk.style", 2)
        let red = try folder.picture("red.png", [200, 40, 30])
        let keyframes = try StyleSchedule.parse("0=\(red),5=dusk,10=\(red):1,20=\(red):1,dusk:1")
        let found = try folder.resolver.statistics(of: keyframes.map(\.recipe))
        #expect(!found.cached && found.notices.isEmpty && keyframes.map(\.seconds) == [0, 5, 10, 20])
        let picture = try statistics(red).statistics, dusk = try folder.statistics(2)
        #expect(found.styles == [picture, dusk, picture, .mixed([(picture, 1), (dusk, 1)])])
        let many = try folder.resolver.statistics(of: [StyleRecipe(reference: "dusk"), StyleRecipe(reference: red)])
        #expect(many.styles == [dusk, picture] && many.cached)
    }
}
