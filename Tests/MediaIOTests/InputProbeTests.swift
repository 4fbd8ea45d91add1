import Foundation
import Imaging
import Testing

@testable import MediaIO

/// What a source is, and why one cannot be used.
@Suite struct InputProbeTests {
    static let source = "-f lavfi -i testsrc2=s=192x112:r=25"

    private func probe(_ path: String) throws -> SourceInfo { try SourceProbe.probe(path: path, interrupt: Interrupt()) }

    @Test func containerAndStreams() throws {
        let media = try InputMedia()
        let path = try media.make(
            "streams.mp4",
            "-f lavfi -i testsrc2=s=320x180:r=30000/1001 -f lavfi -i sine -frames:v 45 -t 1.5 -c:v libx264 -pix_fmt yuv420p -c:a aac -metadata title=Ride -metadata:s:a language=deu -metadata:s:v handler_name=Camera")
        let info = try probe(path)
        #expect(info.containerName.hasPrefix("mov"))
        #expect(!info.isStillPicture && !info.isPictureSequence)
        #expect(info.metadata["title"] == "Ride")
        #expect(info.frameCountEstimate == 45)
        #expect(abs((info.duration ?? 0) - 1.5) < 0.1)
        #expect(info.streams.map(\.kind) == [.video, .audio])
        #expect(info.streams.map(\.codecName) == ["h264", "aac"])
        #expect(info.streams.map(\.codecTag) == ["avc1", "mp4a"])
        #expect(info.streams[0].handlerName == "Camera")
        #expect(info.streams[1].language == "deu")
        #expect(info.streams[0].dispositions == ["default"])
        #expect(info.streams[0].packetCount == 45)
        let video = info.video
        #expect((video.width, video.height) == (320, 180))
        #expect(video.frameRate == Rational(30000, 1001))
        #expect(video.timeBase == Rational(1, 30000))
        #expect(video.pixelFormatName == "yuv420p" && video.bitDepth == 8)
        #expect(video.orientation == .upright && video.displayMatrix == nil)
        #expect(!video.isInterlaced && video.hasKnownTimestamps)
        #expect(info.unreadBoxes.isEmpty && info.notices.isEmpty)
    }

    @Test func colourTagsAspectAndDepth() throws {
        let media = try InputMedia()
        let path = try media.make(
            "tags.mkv",
            "\(Self.source) -frames:v 3 -vf setsar=4/3 -c:v libx264 -pix_fmt yuv422p10le -color_range pc -colorspace bt2020nc -color_primaries bt2020 -color_trc arib-std-b67")
        let video = try probe(path).video
        #expect(video.sampleAspect == Rational(4, 3))
        #expect(video.pixelFormatName == "yuv422p10le" && video.bitDepth == 10)
        #expect(video.colour == ColourTags(range: 2, primaries: 9, transfer: 18, matrix: 9, chromaLocation: video.colour.chromaLocation))
    }

    /// Matrices that ffmpeg writes (the program's angles are counter-clockwise), and mirrored ones written by hand.
    @Test func orientations() throws {
        let media = try InputMedia()
        let plain = try media.make("plain.mp4", "\(Self.source) -frames:v 3 -c:v libx264")
        for (angle, orientation) in [(90, Orientation.clockwise270), (180, .clockwise180), (270, .clockwise90)] {
            let path = try media.make("turned\(angle).mp4", "-i @plain.mp4 -c copy -metadata:s:v rotate=\(angle)")
            let video = try probe(path).video
            #expect(video.orientation == orientation)
            #expect(video.displayMatrix?.count == 9)
            #expect((video.width, video.height) == (192, 112))
        }
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: plain)))
        let matrices: [([Int32], Orientation)] = [
            ([-1, 0, 0, 1], .mirrored), ([1, 0, 0, -1], .mirroredClockwise180), ([0, 1, 1, 0], .mirroredClockwise270),
            ([0, -1, -1, 0], .mirroredClockwise90),
        ]
        for (axes, orientation) in matrices {
            let video = try probe(try media.write("m.mp4", withMatrix(bytes, axes.map { $0 << 16 }))).video
            #expect(video.orientation == orientation, "\(axes)")
        }
        let tilted = try probe(try media.write("t.mp4", withMatrix(bytes, [46341, 46300, -46300, 46341])))
        #expect(tilted.notices.count == 1)
    }

    /// The axes of every orientation's matrix agree with what `turned(by:)` does to a picture.
    @Test func displayMatrixMeansWhatTurningDoes() throws {
        let picture = PlanarImage<Float>(width: 3, height: 2)
        for y in 0..<2 { for x in 0..<3 { picture[0, y, x] = Float(10 * y + x) } }
        for (a, b, c, d) in [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0), (-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)] {
            let values = [a, b, 0, c, d, 0, 0, 0, 1].map { Int32($0) << 16 }
            let matrix = try #require(DisplayMatrix(values))
            #expect(matrix.orientation.isExact)
            let turned = picture.turned(by: matrix.orientation.nearest)
            for y in 0..<2 {
                for x in 0..<3 {
                    // Around the centre, in half samples, so that all is whole numbers.
                    let (cx, cy) = (2 * x - 2, 2 * y - 1)
                    let (tx, ty) = (a * cx + c * cy + turned.width - 1, b * cx + d * cy + turned.height - 1)
                    #expect(turned[0, ty / 2, tx / 2] == picture[0, y, x])
                }
            }
        }
    }

    private func withMatrix(_ bytes: [UInt8], _ axes: [Int32]) -> [UInt8] {
        var bytes = bytes
        // The matrix follows 40 bytes behind the name of the track header.
        guard let name = (0..<bytes.count - 4).first(where: { Array(bytes[$0..<$0 + 4]) == Array("tkhd".utf8) }) else { return bytes }
        let matrix = name + 4 + 40
        for (index, value) in zip([0, 1, 3, 4], axes) {
            for byte in 0..<4 { bytes[matrix + 4 * index + byte] = UInt8(truncatingIfNeeded: value >> (24 - 8 * Int32(byte))) }
        }
        return bytes
    }

    @Test func picturesAndSequences() throws {
        let media = try InputMedia()
        for (name, arguments) in [("p.png", ""), ("p.jpg", ""), ("p.webp", "-c:v libwebp"), ("p.bmp", ""), ("p.tiff", "")] {
            let info = try probe(try media.make(name, "\(Self.source) -frames:v 1 \(arguments)"))
            #expect(info.isStillPicture && info.frameCountEstimate == 1, "\(name)")
            #expect((info.video.width, info.video.height) == (192, 112))
            #expect(try DecodedSource(media.path(name)).pts.count == 1)
        }
        // A name that lies, and one that looks like a pattern.
        try FileManager.default.copyItem(atPath: media.path("p.png"), toPath: media.path("lies.jpg"))
        #expect(try DecodedSource(media.path("lies.jpg")).info.streams[0].codecName == "png")
        try FileManager.default.copyItem(atPath: media.path("p.png"), toPath: media.path("100%d.png"))
        #expect(try DecodedSource(media.path("100%d.png")).pts.count == 1)
        _ = try media.make("frame_%04d.png", "\(Self.source) -frames:v 7 -start_number 98")
        let sequence = try DecodedSource(media.path("frame_%04d.png"))
        #expect(sequence.info.isPictureSequence && !sequence.info.isStillPicture)
        #expect(sequence.info.frameCountEstimate == 7)
        #expect(sequence.pts == Array(0..<7))
        #expect(sequence.info.video.frameRate == Rational(25, 1))
        let rate = Rational(10, 1)
        let slow = try SourceProbe.probe(path: media.path("frame_%04d.png"), interrupt: Interrupt(), sequenceRate: rate)
        #expect(slow.video.frameRate == rate)
        try FileManager.default.removeItem(atPath: media.path("frame_0101.png"))
        let gap = try probe(media.path("frame_%04d.png"))
        #expect(gap.frameCountEstimate == 3 && gap.notices.count == 1)
        let partial = try DecodedSource(media.path("frame_%04d.png"))
        #expect(partial.pts == [0, 1, 2] && partial.readError == nil)
    }

    @Test func sequencePatterns() throws {
        let pattern = try #require(PictureSequence(pattern: "/a/b_%03d.png"))
        #expect(pattern == PictureSequence(pattern: "/a/b_%03d.png"))
        #expect(pattern.number(ofFile: "b_007.png") == 7)
        #expect(pattern.number(ofFile: "b_1234.png") == 1234)
        #expect(["b_07.png", "b_0007.png", "b_.png", "b_007.jpg", "c_007.png", "b_99999999999.png"].allSatisfy { pattern.number(ofFile: $0) == nil })
        #expect(pattern.range(ofFiles: ["b_005.png", "b_006.png", "b_008.png", "x"])?.count == 2)
        for bad in ["a.png", "a_%s.png", "a_%4d.png", "%d/a.png", "a_%d_%d.png", "a_%%d.png"] {
            #expect(PictureSequence(pattern: bad) == nil, "\(bad)")
        }
    }

    @Test func interlacingIsSeen() throws {
        let media = try InputMedia()
        let path = try media.make("i.ts", "\(Self.source) -frames:v 10 -vf interlace=lowpass=0 -c:v mpeg2video -flags +ilme+ildct -top 1")
        #expect(try probe(path).video.isInterlaced)
    }

    @Test func refusals() throws {
        let media = try InputMedia()
        let audio = try media.make("a.mp3", "-f lavfi -i sine -t 0.5")
        let cover = try media.make("p.png", "\(Self.source) -frames:v 1")
        let covered = try media.make("c.mp3", "-i \(audio) -i \(cover) -map 0 -map 1 -c copy")
        let fifo = media.path("fifo")
        _ = try run("mkfifo", [fifo])
        let cases: [(path: String, code: MediaError.Code, word: String)] = [
            (media.path("none.mp4"), .noSuchFile, "no file"), ("", .noSuchFile, "empty"),
            (media.path("none_%03d.png"), .noSuchFile, "no picture"), (media.directory, .notMedia, "directory"),
            (try media.write("e.mp4", []), .notMedia, "empty"),
            (try media.write("t.mp4", Array("Dear diary, today I drove home.\n".utf8)), .notMedia, "not a video"),
            (try media.write("t.txt", Array(String(repeating: "word ", count: 4000).utf8)), .notMedia, "not a video"),
            (try media.write("l.mp4", Array("#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n".utf8)), .notMedia, "not a video"),
            (try media.write("c.mp4", Array("ffconcat version 1.0\nfile p.png\n".utf8)), .notMedia, "not a video"),
            (fifo, .notMedia, "pipe"), ("/dev/null", .notMedia, "device"), (audio, .noVideo, "no video"), (covered, .noVideo, "cover"),
            ("http://127.0.0.1:1/a.mp4", .noSuchFile, "no file"), ("concat:\(cover)", .noSuchFile, "no file"),
        ]
        for (path, code, word) in cases {
            let error = #expect(throws: MediaError.self, "\(path)") { try Demuxer(path: path, interrupt: Interrupt()) }
            #expect(error?.code == code, "\(path): \(error.map { "\($0)" } ?? "")")
            #expect(error?.message.contains(word) == true, "\(path): \(error?.message ?? "")")
            #expect(error?.remedy != nil || path.isEmpty, "\(path)")
        }
    }

    @Test func interruptStopsReading() throws {
        let media = try InputMedia()
        let interrupt = Interrupt()
        let demuxer = try Demuxer(path: try media.make("a.mp4", "\(Self.source) -frames:v 9 -c:v libx264"), interrupt: interrupt)
        #expect(try demuxer.next() != nil)
        interrupt.trigger()
        #expect(#expect(throws: MediaError.self) { try demuxer.next() }?.code == .cancelled)
    }
}
