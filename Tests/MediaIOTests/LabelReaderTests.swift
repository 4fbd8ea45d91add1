import CFFmpeg
import Foundation
import Imaging
import TestSupport
import Testing

@testable import MediaIO

/// What the kinds of label sources say, against the pattern that they were made of.
@Suite struct LabelReaderTests {
    struct Recipe: Sendable, CustomTestStringConvertible {
        var name: String
        var arguments: String
        var frames = LabelPattern.frames
        var testDescription: String { "\(name) \(arguments)" }
    }

    static let ids = [
        Recipe(name: "a.mkv", arguments: "-c:v ffv1"), Recipe(name: "a.avi", arguments: "-c:v ffv1 -level 1"),
        Recipe(name: "a%02d.png", arguments: ""), Recipe(name: "a.png", arguments: "-frames:v 1", frames: 1),
        Recipe(name: "a.tiff", arguments: "-frames:v 1", frames: 1), Recipe(name: "a.pgm", arguments: "-frames:v 1", frames: 1),
        Recipe(name: "a.bmp", arguments: "-frames:v 1", frames: 1), Recipe(name: "a.mov", arguments: "-c:v png"),
        Recipe(name: "a.nut", arguments: "-c:v rawvideo"), Recipe(name: "b.mkv", arguments: "-c:v ffv1 -color_range tv"),
        Recipe(name: "alpha.png", arguments: "-pix_fmt ya8 -frames:v 1", frames: 1),
        Recipe(name: "flagged.mkv", arguments: "-vf setfield=tff -c:v ffv1 -field_order tt -flags +ildct"),
    ]

    @Test(arguments: ids) func idsComeBackExactly(_ recipe: Recipe) throws {
        let media = try InputMedia()
        let path = try media.labels(recipe.name, "gray", recipe.arguments)
        expectPattern(try readLabels(path), frames: recipe.frames, path)
        // A table of colours does not make colours of ids.
        expectPattern(try readLabels(path, LabelPattern.table), frames: recipe.frames, path)
    }

    static let colours = [
        Recipe(name: "a.mkv", arguments: "-c:v ffv1 -pix_fmt bgr0"), Recipe(name: "b.mkv", arguments: "-c:v ffv1 -pix_fmt bgra"),
        Recipe(name: "c.mkv", arguments: "-c:v utvideo -pix_fmt gbrp"), Recipe(name: "d.mkv", arguments: "-c:v huffyuv -pix_fmt rgb24"),
        Recipe(name: "e.mov", arguments: "-c:v qtrle -pix_fmt rgb24"), Recipe(name: "f.mov", arguments: "-c:v qtrle -pix_fmt argb"),
        Recipe(name: "a%02d.png", arguments: "-pix_fmt rgb24"), Recipe(name: "b%02d.png", arguments: "-pix_fmt rgba"),
        Recipe(name: "a.tiff", arguments: "-pix_fmt rgb24 -frames:v 1", frames: 1), Recipe(name: "a.bmp", arguments: "-frames:v 1", frames: 1),
        Recipe(name: "a.ppm", arguments: "-frames:v 1", frames: 1), Recipe(name: "g.mkv", arguments: "-c:v utvideo -pix_fmt gbrap"),
        Recipe(name: "a.webp", arguments: "-c:v libwebp -lossless 1 -pix_fmt bgra -frames:v 1", frames: 1),
        Recipe(name: "a.gif", arguments: "-filter_complex split[a][b];[a]palettegen=reserve_transparent=0[p];[b][p]paletteuse=dither=none"),
        Recipe(name: "h.nut", arguments: "-c:v rawvideo -pix_fmt abgr"),
    ]

    @Test(arguments: colours) func coloursComeBackExactly(_ recipe: Recipe) throws {
        let media = try InputMedia()
        let path = try media.colourLabels(recipe.name, recipe.arguments)
        expectPattern(try readLabels(path, LabelPattern.table), frames: recipe.frames, path)
        let error = #expect(throws: MediaError.self) { try readLabels(path) }
        #expect(error?.code == .badLabels && error?.message.contains("has no colours") == true)
    }

    @Test func grayRGBWithoutATableIsIds() throws {
        let media = try InputMedia()
        let path = try media.labels("a.mkv", "rgb24", "-c:v ffv1 -pix_fmt bgr0") { [$0, $0, $0] }
        expectPattern(try readLabels(path), path)
        let error = #expect(throws: MediaError.self) { try readLabels(path, LabelPattern.table) }
        #expect(error?.code == .badLabels)
    }

    @Test func aForeignColourIsNamedWithItsPlace() throws {
        let media = try InputMedia()
        let path = try media.colourLabels("a.mkv", "-vf drawbox=x=21:y=9:w=1:h=1:t=fill:c=0xFEDCBA:enable='eq(n\\,2)' -c:v ffv1 -pix_fmt bgr0")
        let error = #expect(throws: MediaError.self) { try readLabels(path, LabelPattern.table) }
        #expect(error?.code == .badLabels)
        #expect(error?.message.contains("frame 2 of \(path) has at pixel (21, 9) colour #fedcba") == true, "\(error?.message ?? "")")
    }

    @Test func anUnknownIdIsNamedWithItsPlace() throws {
        let media = try InputMedia()
        let path = try media.labels("a.mkv", "gray", "-c:v ffv1")
        let known = Set(0..<UInt8(LabelPattern.classCount))
        expectPattern(try readLabels(path, known: known), path)
        let error = #expect(throws: MediaError.self) { try readLabels(path, known: known.subtracting([13])) }
        let place = try #require(LabelPattern.ids(frame: 0).firstIndex(of: 13))
        let pixel = "(\(place % LabelPattern.width), \(place / LabelPattern.width))"
        #expect(error?.message.contains("frame 0 of \(path) has at pixel \(pixel) id 13") == true, "\(error?.message ?? "")")
    }

    @Test(arguments: ["gray16le", "gray16be"]) func wideIdsMustFit(_ format: String) throws {
        let media = try InputMedia()
        func wide(_ id: UInt8, _ high: UInt8 = 0) -> [UInt8] { format.hasSuffix("le") ? [id, high] : [high, id] }
        for name in ["a.mkv", "a%02d.png"] {
            let path = try media.labels(name, format, name.hasSuffix("mkv") ? "-c:v ffv1" : "") { wide($0) }
            expectPattern(try readLabels(path), path)
        }
        let path = try media.labels("b.mkv", format, "-c:v ffv1") { wide($0, $0 == 3 ? 1 : 0) }
        let error = #expect(throws: MediaError.self) { try readLabels(path) }
        #expect(error?.code == .badLabels && error?.message.contains("id 259") == true)
    }

    @Test func zeroLabelIsReduced() throws {
        let media = try InputMedia()
        let path = try media.labels("a.mkv", "gray", "-c:v ffv1") { [$0 == 34 ? 255 : $0] }
        let labels = try readLabels(path, reduces: true)
        #expect(labels[0].classes == LabelPattern.ids(frame: 0).map { $0 == 0 || $0 == 34 ? 255 : $0 - 1 })
        let coloured = try media.colourLabels("b.mkv", "-c:v ffv1 -pix_fmt bgr0")
        let error = #expect(throws: MediaError.self) { try readLabels(coloured, LabelPattern.table, reduces: true) }
        #expect(error?.code == .badLabels && error?.remedy?.contains("--reduce-zero-label") == true)
    }

    /// `rotate` is written as a display matrix; what the network sees is the upright picture.
    @Test(arguments: [90, 180, 270]) func rotatedLabelsAreUpright(_ angle: Int) throws {
        let media = try InputMedia()
        _ = try media.labels("p.mov", "gray", "-c:v png")
        let path = try media.make("t.mov", "-i @p.mov -c copy -metadata:s:v rotate=\(angle)")
        let (info, frames) = try keptFrames(path)
        #expect(info.video.orientation != .upright)
        let labels = try LabelReader(source: info, colours: nil, reducesZeroLabel: false, isForced: false).labels(of: frames[0])
        let picture = PlanarImage<UInt8>(width: LabelPattern.width, height: LabelPattern.height)
        for y in 0..<picture.height { for x in 0..<picture.width { picture[0, y, x] = LabelPattern.id(x, y, 0) } }
        let turned = picture.turned(by: info.video.orientation)
        #expect((labels.width, labels.height) == (turned.width, turned.height))
        let expected = (0..<turned.height).flatMap { y in (0..<turned.width).map { x in turned[0, y, x] } }
        #expect(labels.classes == expected)
    }

    @Test(arguments: Orientation.allCases) func theWalkTurnsAsPicturesDo(_ orientation: Orientation) {
        for (width, height) in [(1, 1), (1, 5), (7, 1), (4, 3)] {
            let picture = PlanarImage<UInt8>(width: width, height: height)
            for y in 0..<height { for x in 0..<width { picture[0, y, x] = UInt8(y * width + x) } }
            let turned = picture.turned(by: orientation)
            let walk = UprightWalk(width: width, height: height, orientation: orientation)
            #expect((walk.width, walk.height) == (turned.width, turned.height))
            for y in 0..<height {
                for x in 0..<width {
                    let place = walk.start + x * walk.stepX + y * walk.stepY
                    #expect(Int(turned[0, place / walk.width, place % walk.width]) == y * width + x)
                }
            }
        }
    }

    /// A decoder may keep a picture's lines from the bottom up, with any distance between them.
    @Test func linesMayGoUpwards() throws {
        let frame = try Frame.allocate(width: 3, height: 2, format: AV_PIX_FMT_GRAY8)
        let base = try #require(frame.raw.pointee.data.0), stride = Int(frame.raw.pointee.linesize.0)
        for y in 0..<2 { for x in 0..<3 { base[y * stride + x] = UInt8(10 * y + x) } }
        frame.raw.pointee.data.0 = base + stride
        frame.raw.pointee.linesize.0 = Int32(-stride)
        let layout = try #require(SampleLayout(pixelFormat: "gray"))
        var values: [UInt32] = []
        try layout.scan(frame, UprightWalk(width: 3, height: 2, orientation: .upright)) { _, value in values.append(value) }
        frame.raw.pointee.data.0 = base
        frame.raw.pointee.linesize.0 = Int32(stride)
        #expect(values == [10, 11, 12, 0, 1, 2])
    }

    /// Samples of pictures that are not all alike cannot be kept, and are not mixed.
    @Test func picturesOfAnotherKindAreRefused() throws {
        let media = try InputMedia()
        for (name, change) in [("s", "-vf scale=40:30"), ("f", "-pix_fmt rgb24")] {
            _ = try media.labels("\(name)1.png", "gray", "-frames:v 1")
            _ = try media.make("\(name)2.png", "-i @\(name)1.png \(change)")
            let error = #expect(throws: MediaError.self) { try readLabels(media.path("\(name)%d.png")) }
            #expect(error?.code == .badLabels && error?.message.contains("frame 1 of") == true, "\(error?.message ?? "")")
        }
    }

    @Test(arguments: ["monob", "rgb48be", "gray10le", "yuv420p", "yuv444p10le", "rgb565le"])
    func formatsThatHoldNoLabels(_ format: String) throws {
        let media = try InputMedia()
        var info = try keptFrames(media.labels("a.png", "gray", "-frames:v 1")).info
        info.video.pixelFormatName = format
        func read(_ forced: Bool) throws -> LabelReader {
            try LabelReader(source: info, colours: nil, reducesZeroLabel: false, isForced: forced)
        }
        if format == "gray10le" { return _ = try read(false) }
        let error = #expect(throws: MediaError.self) { try read(false) }
        #expect(error?.code == .badLabels && error?.message.contains(format) == true)
        if format == "yuv420p" { _ = try read(true) } else { #expect(throws: MediaError.self) { try read(true) } }
    }
}
