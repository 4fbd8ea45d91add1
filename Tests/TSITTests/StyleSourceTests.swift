import Foundation
import Imaging
import Testing

@testable import TSIT

@Suite("What style files say about themselves")
struct StyleSourceTests {
    private static let digest = String(repeating: "ab", count: 32)

    private static func style(thumbnail: StyleThumbnail? = nil, sources: [StyleSource] = []) -> StyleFile {
        let ones = ModelConfiguration(ngf: 1).mapWidths.map { [Float](repeating: 1, count: $0) }
        return StyleFile(
            statistics: StyleStatistics(means: ones, deviations: ones), modelDigest: digest, name: "dusk", origin: "a picture",
            sources: sources, thumbnail: thumbnail)
    }

    /// Red grows to the right, green downwards; blue marks the upper left corner.
    private static func picture(width: Int, height: Int) -> PlanarImage<UInt8> {
        let picture = PlanarImage<UInt8>(width: width, height: height)
        for y in 0..<height {
            for x in 0..<width {
                picture[0, y, x] = UInt8(x % 256)
                picture[1, y, x] = UInt8(y % 256)
                picture[2, y, x] = x == 0 && y == 0 ? 255 : 0
            }
        }
        return picture
    }

    private static let sources = [
        StyleSource(path: "/home/me/pictures/dusk \"1\".jpg", sha256: digest),
        StyleSource(path: "drive.mp4", sha256: String(repeating: "0", count: 64), start: 80, end: 90.5, frames: 8),
    ]

    @Test("Thumbnail and sources are read as they were written, the picture the right way up")
    func roundTrip() throws {
        let folder = try TemporaryFolder()
        let thumbnail = try #require(StyleThumbnail(Self.picture(width: 20, height: 7)))
        #expect(thumbnail.pixels[..<6] == [0, 0, 255, 1, 0, 0] && thumbnail.pixels[60..<63] == [0, 1, 0])
        let style = Self.style(thumbnail: thumbnail, sources: Self.sources)
        try style.write(to: "\(folder.path)/a.style")
        let read = try StyleFile(contentsOfFile: "\(folder.path)/a.style")
        #expect(read == style)
        #expect(read.sources.map(\.file) == ["dusk \"1\".jpg", "drive.mp4"], "names, no folders")
        let picture = try #require(read.thumbnail?.picture)
        #expect(picture.width == 20 && picture.height == 7)
        #expect(picture[0, 3, 19] == 19 && picture[1, 3, 19] == 3 && picture[2, 0, 0] == 255 && picture[2, 6, 19] == 0)
        let header = try SafetensorsFile(contentsOfFile: "\(folder.path)/a.style").header
        #expect(header.entries["thumbnail"]?.shape == [7, 20, 3] && header.entries["thumbnail"]?.type == .byte)
    }

    @Test("The digest covers the thumbnail")
    func digest() throws {
        let folder = try TemporaryFolder()
        let style = Self.style(thumbnail: StyleThumbnail(Self.picture(width: 64, height: 64)))
        try style.write(to: "\(folder.path)/a.style")
        let file = try SafetensorsFile(contentsOfFile: "\(folder.path)/a.style")
        let range = try #require(file.header.entries["thumbnail"]).range
        var bytes = try fileBytes("\(folder.path)/a.style")
        bytes[file.header.dataStart + range.lowerBound + 1000] ^= 1
        let error = tsitError { _ = try StyleFile(contentsOfFile: try! folder.file("b.style", bytes)) }
        #expect(error?.code == .damagedFile && "\(error!)".contains("digest"))
    }

    @Test("Thumbnails have a size")
    func sizes() {
        #expect(StyleThumbnail(width: 256, height: 256, pixels: [UInt8](repeating: 0, count: 256 * 256 * 3)) != nil)
        for (width, height, count) in [(0, 1, 0), (1, 0, 0), (-1, -1, 3), (257, 1, 771), (1, 257, 771), (2, 2, 11), (2, 2, 13)] {
            #expect(StyleThumbnail(width: width, height: height, pixels: [UInt8](repeating: 0, count: count)) == nil)
        }
        #expect(StyleThumbnail(Self.picture(width: 257, height: 4)) == nil)
    }

    /// A style file with a thumbnail tensor and `sources` as given, all else being right.
    private static func write(
        to path: String, type: SafetensorsType = .byte, shape: [Int], sources: String? = nil
    ) throws {
        let style = Self.style()
        var tensors: [(key: String, type: SafetensorsType, shape: [Int])] = [("thumbnail", type, shape)]
        for (index, width) in ModelConfiguration(ngf: 1).mapWidths.enumerated() {
            tensors += [("mean_\(index)", .float32, [width]), ("deviation_\(index)", .float32, [width])]
        }
        var metadata = ["format": StyleFile.format, "model_digest": digest, "name": "a", "origin": "b"]
        metadata["sources"] = sources
        let writer = try SafetensorsWriter(path: path, tensors: tensors, metadata: metadata, digestKey: "digest")
        for index in 0..<8 { try writer.append("deviation_\(index)", style.statistics.deviations[index]) }
        for index in 0..<8 { try writer.append("mean_\(index)", style.statistics.means[index]) }
        let count = shape.reduce(1, *)
        switch type {
        case .byte: try writer.append("thumbnail", [UInt8](repeating: 9, count: count))
        case .half: try writer.append("thumbnail", [UInt16](repeating: 9, count: count))
        case .float32: try writer.append("thumbnail", [Float](repeating: 9, count: count))
        }
        _ = try writer.commit()
    }

    @Test("Thumbnails of other types and shapes are refused", arguments: [
        (SafetensorsType.float32, [2, 2, 3]), (.half, [2, 2, 3]), (.byte, [2, 2]), (.byte, [2, 2, 4]), (.byte, [2, 2, 3, 1]), (.byte, []),
        (.byte, [0, 2, 3]), (.byte, [257, 1, 3]), (.byte, [1, 257, 3]), (.byte, [1000, 1000, 3]), (.byte, [12]),
    ])
    func badThumbnails(type: SafetensorsType, shape: [Int]) throws {
        let folder = try TemporaryFolder()
        try Self.write(to: "\(folder.path)/a.style", type: type, shape: shape)
        let error = tsitError { _ = try StyleFile(contentsOfFile: "\(folder.path)/a.style") }
        #expect(error?.code == .damagedFile && "\(error!)".contains("thumbnail"))
    }

    @Test("Lists of sources that are none are refused")
    func badSources() throws {
        let folder = try TemporaryFolder()
        let good = #"[{"file":"a.jpg","sha256":"\#(Self.digest)"}]"#
        try Self.write(to: "\(folder.path)/a.style", shape: [1, 1, 3], sources: good)
        #expect(try StyleFile(contentsOfFile: "\(folder.path)/a.style").sources == [StyleSource(path: "a.jpg", sha256: Self.digest)])
        let head = #"[{"file":"a.jpg","sha256":"\#(Self.digest)""#
        for text in [
            "", "x", "{}", "[1]", #"[{"file":"a.jpg"}]"#, #"[{"file":"","sha256":"\#(Self.digest)"}]"#, #"[{"file":"a","sha256":"xyz"}]"#,
            head + #","start":-1}]"#, head + #","end":1e999}]"#, head + #","frames":0}]"#, head + #","frames":1e30}]"#, head + #","start":"0"}]"#,
            String(repeating: "[", count: 100_000), String(good.dropLast()),
        ] {
            try Self.write(to: "\(folder.path)/a.style", shape: [1, 1, 3], sources: text)
            let error = tsitError { _ = try StyleFile(contentsOfFile: "\(folder.path)/a.style") }
            #expect(error?.code == .damagedFile && "\(error!)".contains("sources"), "\(text.prefix(80))")
        }
    }

    @Test("Mutated style files are refused or read, and a damaged picture is always noticed", .timeLimit(.minutes(5)))
    func mutations() throws {
        let folder = try TemporaryFolder()
        let style = Self.style(thumbnail: StyleThumbnail(Self.picture(width: 16, height: 9)), sources: Self.sources)
        try style.write(to: "\(folder.path)/a.style")
        let good = try fileBytes("\(folder.path)/a.style")
        var random = SeededNumbers(state: 29)
        var refused = 0
        for round in 0..<400 {
            var bytes = good
            switch round % 4 {
            case 0: bytes.removeSubrange(Int.random(in: 0..<bytes.count, using: &random)...)
            case 1: for _ in 0..<3 { bytes[Int.random(in: 0..<2000, using: &random)] = UInt8.random(in: 0x20...0x7e, using: &random) }
            case 2: bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            default:
                let start = Int.random(in: 0..<bytes.count, using: &random)
                bytes.insert(contentsOf: good[start..<min(good.count, start + 40)], at: start)
            }
            let path = try folder.file("b.style", bytes)
            do throws(TSITError) {
                let read = try StyleFile(contentsOfFile: path)
                #expect(read.statistics == style.statistics && read.thumbnail?.pixels ?? style.thumbnail?.pixels == style.thumbnail?.pixels)
            } catch {
                refused += 1
                #expect([.damagedFile, .unsupported].contains(error.code), "\(error)")
            }
        }
        #expect(refused > 200)
    }

    @Test("Files are known as styles by their name or their beginning")
    func meant() throws {
        let folder = try TemporaryFolder()
        try Self.style().write(to: "\(folder.path)/a.style")
        let bytes = try fileBytes("\(folder.path)/a.style")
        #expect(StyleFile.isMeant(by: try folder.file("no extension", bytes)))
        #expect(StyleFile.isMeant(by: try folder.file("cut.jpg", Array(bytes[..<300]))))
        #expect(StyleFile.isMeant(by: try folder.file("A.STYLE", [1, 2, 3])))
        #expect(!StyleFile.isMeant(by: try folder.file("a.jpg", [0xFF, 0xD8, 0xFF])))
        #expect(!StyleFile.isMeant(by: try folder.file("text.txt", Array("solstice.style.1 {\"solstice.\"".utf8))))
        #expect(!StyleFile.isMeant(by: "\(folder.path)/none.jpg"))
    }

    @Test("The embedded styles hold no pixels, and say what they came from")
    func embedded() throws {
        for name in EmbeddedModels.Name.allCases {
            let style = try EmbeddedModels.load(name).style
            #expect(style.thumbnail == nil && style.sources.count == 1 && style.origin.contains("statistics only"))
        }
    }
}
