import Foundation
import TestSupport
import Testing

@testable import MediaIO

/// Lossy coding is refused, with the reason, unless forced.
@Suite struct LabelCodingTests {
    static let lossy: [(name: String, arguments: String, word: String)] = [
        ("mpeg4.mkv", "-c:v mpeg4 -pix_fmt yuv420p", "mpeg4, which is lossy"),
        ("mjpeg.mov", "-c:v mjpeg -pix_fmt yuvj420p", "mjpeg, which is lossy"),
        ("gray.jpg", "-frames:v 1 -pix_fmt gray", "mjpeg, which is lossy"),
        ("h264.mkv", "-c:v libx264 -pix_fmt gray", "h264, which may be lossy, which cannot be told"),
        ("lossless.mkv", "-c:v libx264 -qp 0 -pix_fmt yuv444p", "h264, which may be lossy"),
        ("vp9.webm", "-c:v libvpx-vp9 -lossless 1 -deadline realtime -cpu-used 8", "vp9, which may be lossy"),
        ("hevc.mkv", "-c:v libx265 -x265-params log-level=none:pools=1", "hevc, which may be lossy"),
        ("a.webp", "-frames:v 1 -c:v libwebp -lossless 0", "webp, which is lossy"),
        ("a.jp2", "-frames:v 1 -c:v jpeg2000", "jpeg2000, which may be lossy"),
    ]

    @Test(arguments: lossy.indices) func lossyIsRefused(_ index: Int) throws {
        let (name, arguments, word) = Self.lossy[index]
        let media = try InputMedia()
        let path = try media.labels(name, "gray", arguments, width: 64, height: 48)
        let info = try SourceProbe.probe(path: path, interrupt: Interrupt())
        let error = #expect(throws: MediaError.self) { try LabelCoding.check(info, isForced: false) }
        #expect(error?.code == .badLabels)
        #expect(error?.message.contains("\(path) is coded as \(word)") == true, "\(error?.message ?? "")")
        #expect(error?.remedy?.contains("--force") == true)
        try LabelCoding.check(info, isForced: true)
        let labels = try readLabels(path, forced: true)
        #expect(labels.allSatisfy { $0.width == 64 && $0.height == 48 })
    }

    @Test func whatTheCodecsAre() {
        for codec in ["png", "apng", "gif", "bmp", "tiff", "ffv1", "huffyuv", "ffvhuff", "utvideo", "qtrle", "rawvideo", "magicyuv", "pgm"] {
            #expect(LabelCoding.loss(of: codec, pixelFormat: "gray") == .none, "\(codec)")
        }
        for codec in ["mjpeg", "mpeg2video", "prores", "vp8", "dnxhd"] {
            #expect(LabelCoding.loss(of: codec, pixelFormat: "gray") == .certain, "\(codec)")
        }
        for codec in ["h264", "hevc", "vp9", "av1", "jpeg2000", "jpegls", "jpegxl", "dirac", "none", "no such codec"] {
            #expect(LabelCoding.loss(of: codec, pixelFormat: "gray") == .possible, "\(codec)")
        }
        #expect(LabelCoding.loss(of: "webp", pixelFormat: "argb") == .none)
        #expect(LabelCoding.loss(of: "webp", pixelFormat: "yuva420p") == .certain)
    }

    /// Gray levels of a video without colours are ids, whichever range they are stored in.
    static let grayLevels = [
        (name: "a.mkv", arguments: "-pix_fmt yuv420p -c:v ffv1", isExact: false), ("b.mkv", "-pix_fmt yuv444p -c:v ffv1", false),
        ("c.nut", "-pix_fmt nv12 -c:v rawvideo", false),
        ("d.mkv", "-vf scale=out_range=full,format=yuv422p -color_range pc -c:v ffv1", true),
    ]

    @Test(arguments: grayLevels.indices) func forcedGrayLevels(_ index: Int) throws {
        let (name, arguments, isExact) = Self.grayLevels[index]
        let media = try InputMedia()
        let path = try media.labels(name, "gray", arguments)
        let refused = #expect(throws: MediaError.self) { try readLabels(path) }
        #expect(refused?.code == .badLabels && refused?.remedy?.contains("--force") == true)
        let labels = try readLabels(path, LabelPattern.table, forced: true)
        #expect(labels.count == LabelPattern.frames)
        for (index, image) in labels.enumerated() {
            let worst = zip(image.classes, LabelPattern.ids(frame: index)).map { abs(Int($0) - Int($1)) }.max()
            // 219 steps for 256 gray levels.
            #expect(try #require(worst) <= (isExact ? 0 : 1))
        }
    }

    @Test func forcedColoursAreTheNearest() throws {
        let media = try InputMedia()
        let path = try media.colourLabels("a.nut", "-pix_fmt yuv444p -c:v rawvideo -sws_flags accurate_rnd+full_chroma_int+full_chroma_inp")
        expectPattern(try readLabels(path, LabelPattern.table, forced: true), path)
        let error = #expect(throws: MediaError.self) { try readLabels(path, forced: true) }
        #expect(error?.message.contains("has colours") == true)
        let instances = try readInstances(path, forced: true)
        let colours = zip(instances[0], LabelPattern.ids(frame: 0)).reduce(into: [UInt8: Set<UInt32>]()) { $0[$1.1, default: []].insert($1.0) }
        #expect(colours.values.allSatisfy { $0.count == 1 })
    }

    @Test func whatDamageLeavesIsNotAnError() throws {
        let media = try InputMedia()
        let (info, frames) = try keptFrames(try media.colourLabels("a.mkv", "-c:v ffv1 -pix_fmt bgr0"))
        let reader = try LabelReader(source: info, colours: ColourTable([(0, 0)]), reducesZeroLabel: false, isForced: false)
        let concealed = DecodedFrame(index: 1, frame: frames[1].frame, condition: .concealed)
        #expect(throws: MediaError.self) { try reader.labels(of: concealed) }
        let exact = try LabelReader(source: info, colours: LabelPattern.table, reducesZeroLabel: false, isForced: false)
        let first = try exact.labels(of: frames[0])
        let base = try #require(concealed.frame.raw.pointee.data.0)
        base[0] ^= 0x55
        #expect(try exact.labels(of: concealed) == first)
        #expect(throws: MediaError.self) { try exact.labels(of: frames[1]) }
        #expect(try exact.labels(of: frames[2]).classes == LabelPattern.ids(frame: 2))
    }

    /// A PNG whose data is damaged is stood in for; nothing crashes whatever stands in a file.
    @Test func mutatedLabelFiles() throws {
        let media = try InputMedia()
        let originals = try [
            media.labels("a.mkv", "gray", "-c:v png"), media.colourLabels("b.mov", "-c:v qtrle -pix_fmt rgb24"),
            media.labels("c.avi", "gray", "-c:v ffv1"), media.colourLabels("d.gif", "-pix_fmt bgr8"),
            media.labels("e.tiff", "gray16le", "-frames:v 1") { [$0, 0] },
        ]
        var random = SeededRandom(seed: 5)
        var (opened, refused) = (0, 0)
        for round in 0..<100 {
            let original = originals[round % originals.count]
            var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: original)))
            for _ in 0..<Int.random(in: 1...20, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let path = try media.write("m\(round)" + original.suffix(4), bytes)
            do {
                for image in try readLabels(path, LabelPattern.table) { #expect(image.classes.count == image.width * image.height) }
                opened += 1
            } catch is MediaError {
                refused += 1
            }
            do { _ = try readInstances(path) } catch is MediaError {}
        }
        #expect(opened > 10 && refused > 10, "\(opened) opened, \(refused) refused")
    }

    @Test func damagedPNGIsReplacedByItsPredecessor() throws {
        let media = try InputMedia()
        let path = try media.labels("a.mov", "gray", "-c:v png")
        let packets = try run("ffprobe", ["-v", "error", "-show_entries", "packet=pos,size", "-of", "csv=p=0", path])
            .split(separator: "\n").map { $0.split(separator: ",").compactMap { Int($0) } }
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        let (size, place) = (packets[2][0], packets[2][1])
        for offset in place..<place + size { bytes[offset] = 0xAA }
        let damaged = try media.write("d.mov", bytes)
        #expect(try keptFrames(damaged).frames.map(\.condition) == [.intact, .intact, .replaced, .intact])
        let labels = try readLabels(damaged)
        #expect(labels.map(\.classes) == [0, 1, 1, 3].map { LabelPattern.ids(frame: $0) })
    }
}
