import CFFmpeg
import Foundation
import Imaging
import TestSupport
import Testing

@testable import MediaIO

/// Live decoding and fitting, fed from files: what comes out, what it looks like, and that nothing is held back.
@Suite struct LiveDecoderTests {
    private static let pattern = "-f lavfi -i testsrc2=s=192x112:r=25 -frames:v 30"

    /// Every packet gives its frame at once, whatever the codec, with threads too.
    @Test(arguments: [
        "libx264 -tune zerolatency", "libx264 -bf 0 -refs 4", "libx264 -bf 0 -x264-params slices=4", "libx265 -tune zerolatency -x265-params log-level=0",
        "libx265 -bf 0 -x265-params log-level=0", "mpeg2video", "mpeg4", "libvpx -deadline realtime -cpu-used 8 -lag-in-frames 0", "mjpeg -pix_fmt yuvj420p", "flv1",
    ])
    func nothingIsHeldBack(_ codec: String) throws {
        let media = try InputMedia()
        let path = try media.make("a.mkv", "\(Self.pattern) -g 12 -pix_fmt yuv420p -c:v \(codec.replacingOccurrences(of: "flv1", with: "flv"))")
        let outcome = try LiveReading(path).decode(30, threads: 4)
        #expect(outcome.frames.count == (codec == "mpeg2video" ? 29 : 30))
        #expect(outcome.longestHold <= (codec == "mpeg2video" ? 1 : 0), "\(codec)")
        #expect(outcome.errors == 0)
    }

    /// Reordered pictures come in order, as late as their codec wants it.
    @Test(arguments: ["libx264 -bf 2", "libx265 -bf 2 -x265-params log-level=0", "mpeg2video -bf 2", "mpeg4 -bf 1"])
    func reorderedPictures(_ codec: String) throws {
        let media = try InputMedia()
        let path = try media.make("a.ts", "\(Self.pattern) -g 12 -pix_fmt yuv420p -c:v \(codec)")
        let outcome = try LiveReading(path).decode(100)
        #expect(outcome.frames.count >= 26 && outcome.errors == 0)
        #expect(outcome.longestHold <= 3)
        let times = outcome.frames.compactMap(\.pts)
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 3600 }, "\(times)")
    }

    /// What a codec holds back for reordering is not lost at the end of a source.
    @Test func theLastPicturesComeAtTheEnd() throws {
        let media = try InputMedia()
        let input = try LiveReading(try media.make("a.mkv", "\(Self.pattern) -c:v libx264 -bf 2")).input
        let decoder = try LiveDecoder(input: input, format: LiveFormat(showing: input.video), threads: 1)
        var times: [Int64?] = []
        while let packet = try input.next() {
            let base = packet.timeBase
            let live = try packet.restamped(
                streamIndex: 0, pts: packet.pts.map { base.rescale($0, to: LiveFormat.timeBase) }, dts: nil, duration: 0,
                timeBase: LiveFormat.timeBase)
            try decoder.decode(live) { times.append($0.pts) }
        }
        #expect(times.count < 30)
        try decoder.finish { times.append($0.pts) }
        #expect(times.count == 30 && times.last == 29 * 3600)
    }

    @Test func identityIsFree() throws {
        let media = try InputMedia()
        let tags = "-colorspace bt709 -color_range tv -color_primaries bt709 -color_trc bt709"
        let path = try media.make("a.mkv", "\(Self.pattern) -pix_fmt yuv420p -c:v libx264 -tune zerolatency \(tags)")
        let reading = try LiveReading(path)
        let fitter = FrameFitter(format: try LiveFormat(showing: reading.input.video), video: reading.input.video)
        let frame = try #require(try reading.decode(1).frames.first)
        let before = frame.raw.pointee.data.0
        #expect(try fitter.fit(frame).raw.pointee.data.0 == before)
        #expect(frame.timeBase == LiveFormat.timeBase && frame.colour == LiveFormat.colour)
    }

    /// 4:2:2 in 10 bits, full range, BT.601 without a tag, odd sizes: the colours stay what they are.
    @Test(arguments: [
        "yuv422p10le -c:v libx264 -colorspace bt709 -color_range tv", "yuv420p10le -c:v libx265 -x265-params log-level=0",
        "yuvj420p -c:v mjpeg -color_range pc", "yuv444p -c:v libx264 -color_range pc -colorspace bt709", "gbrp -c:v libx264rgb", "yuv420p -c:v libx264",
        "gray -c:v ffv1",
    ])
    func colours(_ kind: String) throws {
        let media = try InputMedia()
        let isGrey = kind.hasPrefix("gray")
        // In the matrix that a reader without tags has to take for it.
        let convert = "scale=out_color_matrix=\(kind.contains("bt709") ? "bt709" : "bt601"):out_range=\(kind.contains("range pc") ? "pc" : "tv")"
        let path = try media.make("a.mkv", "-f lavfi -i color=c=\(isGrey ? "0x808080" : "0xc04020"):s=160x90:r=25 -frames:v 5 -vf \(convert) -pix_fmt \(kind)")
        let outcome = try LiveReading(path).decode(5)
        let frame = try #require(outcome.frames.first)
        #expect(frame.pixelFormatName == "yuv420p" && frame.width == 160 && frame.height == 90)
        // BT.709, limited range, of (192, 64, 32) and of grey.
        let wanted = isGrey ? [126, 128, 128] : [92, 101, 186]
        for plane in 0..<3 {
            let value = try frame.sample(plane, 20, 20)
            #expect(abs(value - wanted[plane]) <= 3, "plane \(plane) of \(kind): \(value)")
        }
    }

    /// Every colour, against the formula with the chroma of the same place.
    @Test(arguments: [("smpte170m", false), ("smpte170m", true), ("bt709", true), ("bt2020nc", false)])
    func matrices(_ matrix: String, _ isFull: Bool) throws {
        func colour(_ matrix: Int32, _ isFull: Bool) -> SampleColour {
            SampleColour(format: AV_PIX_FMT_YUV420P, tags: ColourTags(range: isFull ? 2 : 1, primaries: 2, transfer: 2, matrix: matrix, chromaLocation: 1), height: 64)
        }
        let number: (Int32, Double, Double) = matrix == "bt709" ? (1, 0.2126, 0.0722) : matrix == "bt2020nc" ? (9, 0.2627, 0.0593) : (6, 0.299, 0.114)
        let conversion = try #require(MatrixConversion(from: colour(number.0, isFull), to: colour(1, false)))
        let frame = try Frame.allocate(width: 2, height: 2, format: AV_PIX_FMT_YUV420P)
        let (kr, kb) = (number.1, number.2)
        var worst = 0.0
        for value in stride(from: 0, to: 512, by: 1) {
            let rgb = [Double(value & 7) / 7, Double(value >> 3 & 7) / 7, Double(value >> 6) / 7]
            func code(_ kr: Double, _ kb: Double, _ isFull: Bool) -> [Double] {
                let y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2]
                let (b, r) = ((rgb[2] - y) / (2 * (1 - kb)), (rgb[0] - y) / (2 * (1 - kr)))
                return isFull ? [255 * y, 255 * b + 128, 255 * r + 128] : [219 * y + 16, 224 * b + 128, 224 * r + 128]
            }
            let old = code(kr, kb, isFull).map { UInt8(max(0, min(255, $0.rounded()))) }, wanted = code(0.2126, 0.0722, false)
            try frame.withPlanes { planes in
                for plane in 0..<3 {
                    for row in 0..<(plane == 0 ? 2 : 1) { for x in 0..<(plane == 0 ? 2 : 1) { planes.pointers[plane]![row * Int(planes.strides[plane]) + x] = old[plane] } }
                }
            }
            try conversion.convert(frame, to: frame)
            for plane in 0..<3 { worst = max(worst, abs(Double(try frame.sample(plane, 0, 0)) - wanted[plane])) }
        }
        #expect(worst < 1.7, "\(worst)")
    }

    @Test func oddSizesFillTheirFormat() throws {
        let media = try InputMedia()
        let path = try media.make("a.mkv", "-f lavfi -i color=c=white:s=161x91:r=25 -frames:v 5 -pix_fmt yuv444p -c:v libx264")
        let reading = try LiveReading(path)
        let format = try LiveFormat(showing: reading.input.video)
        #expect(format.width == 160 && format.height == 90)
        let frame = try #require(try reading.decode(3).frames.first)
        #expect(try frame.luma(0..<160, 0..<90) > 230)
    }

    /// Wide and tall sources, and such with samples that are not square, in the middle of black.
    @Test(arguments: [
        ("s=200x100", 0..<200, 50..<150), ("s=100x200", 50..<150, 0..<200), ("s=100x100,setsar=2", 0..<200, 50..<150),
        ("s=200x200", 0..<200, 0..<200), ("s=50x50", 0..<200, 0..<200),
    ])
    func aspectIsKept(_ source: String, _ x: Range<Int>, _ y: Range<Int>) throws {
        let media = try InputMedia()
        let path = try media.make("a.mkv", "-f lavfi -i color=c=white:r=25:\(source) -frames:v 5 -pix_fmt yuv420p -c:v libx264")
        let format = try LiveFormat(width: 200, height: 200, frameRate: Rational(25, 1))
        let frame = try #require(try LiveReading(path).decode(1, as: format).frames.first)
        #expect(frame.width == 200 && frame.height == 200)
        #expect(try frame.luma(x, y) > 230)
        if x.lowerBound > 0 { #expect(try frame.luma(0..<x.lowerBound - 2, 0..<200) < 18) }
        if y.upperBound < 200 { #expect(try frame.luma(0..<200, y.upperBound + 2..<200) < 18) }
    }

    /// A red quarter at the coded top left, which the display matrix turns to where ffmpeg shows it, too.
    @Test(arguments: [(90, 0, 1), (180, 1, 1), (270, 1, 0), (0, 0, 0)])
    func rotation(_ angle: Int, _ column: Int, _ row: Int) throws {
        let media = try InputMedia()
        let box = "color=c=black:s=160x96:r=25,drawbox=x=0:y=0:w=80:h=48:c=red:t=fill"
        _ = try media.make("flat.mp4", "-f lavfi -i \(box) -frames:v 5 -pix_fmt yuv420p -c:v libx264")
        let path = try media.make("a.mp4", "-i @flat.mp4 -c copy -metadata:s:v rotate=\(angle)")
        let reading = try LiveReading(path)
        let format = try LiveFormat(showing: reading.input.video)
        #expect(format.width == (angle % 180 == 0 ? 160 : 96))
        let frame = try #require(try reading.decode(1, as: format).frames.first)
        let (w, h) = (format.width / 2, format.height / 2)
        for x in 0...1 {
            for y in 0...1 {
                let isRed = x == column && y == row
                // Red is dark in luma, 60 or so, and has much of Cr.
                let luma = try frame.luma(x * w + 4..<x * w + w - 4, y * h + 4..<y * h + h - 4)
                #expect((luma > 40) == isRed, "\(x) \(y): \(luma)")
                #expect((try frame.sample(2, (x * w + w / 2) / 2, (y * h + h / 2) / 2) > 200) == isRed)
            }
        }
    }

    /// Interlaced frames lose their comb, one frame late; progressive ones behind them come at once again.
    @Test func interlacing() throws {
        let media = try InputMedia()
        let moving = "-f lavfi -i testsrc2=s=192x112:r=50 -vf scroll=h=0.05,interlace=lowpass=0"
        _ = try media.make("i.ts", "\(moving) -frames:v 30 -c:v mpeg2video -bf 0 -flags +ilme+ildct+low_delay -top 1")
        let outcome = try LiveReading(media.path("i.ts")).decode(100)
        #expect(outcome.frames.count >= 27 && outcome.longestHold <= 3)
        let plain = try #require(outcome.frames.last)
        #expect(!plain.isMarkedInterlaced)
        let times = outcome.frames.compactMap(\.pts)
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 3600 })
    }

    /// Another size and pixel format in mid stream, as when a camera is set up anew.
    @Test func aSourceThatChanges() throws {
        let media = try InputMedia()
        _ = try media.make("a.h264", "-f lavfi -i color=c=white:s=192x112:r=25 -frames:v 10 -c:v libx264 -tune zerolatency -pix_fmt yuv420p")
        _ = try media.make("b.h264", "-f lavfi -i color=c=white:s=128x128:r=25 -frames:v 10 -c:v libx264 -tune zerolatency -pix_fmt yuv422p")
        var bytes = try Data(contentsOf: URL(fileURLWithPath: media.path("a.h264")))
        bytes += try Data(contentsOf: URL(fileURLWithPath: media.path("b.h264")))
        let outcome = try LiveReading(try media.write("both.h264", [UInt8](bytes))).decode(20)
        // A bare stream says no times: the first pictures are given up.
        #expect(outcome.frames.count == 12)
        #expect(outcome.frames.allSatisfy { $0.width == 192 && $0.height == 112 && $0.pixelFormatName == "yuv420p" })
        #expect(outcome.decodedSize?.width == 128)
        let last = try #require(outcome.frames.last)
        #expect(try last.luma(0..<38, 0..<112) < 18 && last.luma(44..<148, 0..<112) > 230)
    }

    /// Packets cut, filled with noise and left out: no crash, and pictures again behind it.
    @Test(arguments: ["libx264 -tune zerolatency", "libx265 -tune zerolatency -x265-params log-level=0", "mpeg2video", "libvpx -deadline realtime", "mjpeg -pix_fmt yuvj420p"])
    func damage(_ codec: String) throws {
        let media = try InputMedia()
        let path = try media.make("a.mkv", "-f lavfi -i testsrc2=s=192x112:r=25 -frames:v 100 -g 10 -pix_fmt yuv420p -c:v \(codec)")
        let reading = try LiveReading(path)
        let decoder = try LiveDecoder(input: reading.input, format: try LiveFormat(showing: reading.input.video), threads: 2)
        var random = SeededRandom(seed: 9)
        var count = 0, last: Int64 = -1
        while let packet = try reading.input.next() {
            if Int.random(in: 0..<5, using: &random) == 0 { continue }
            let copy = try packet.restamped(streamIndex: 0, pts: packet.pts.map { $0 * 90 }, dts: nil, duration: 0, timeBase: LiveFormat.timeBase)
            if (packet.pts ?? 0) < 3000, Int.random(in: 0..<2, using: &random) == 0 { copy.scramble(&random) }
            try decoder.decode(copy) { frame in
                count += 1
                let pts = try #require(frame.pts)
                #expect(pts > last && frame.width == 192 && frame.height == 112)
                last = pts
            }
        }
        #expect(count > 20 && last >= 90 * 3600, "\(count) frames, the last at \(last)")
    }
}

/// Frames that the relay makes itself.
@Suite struct LiveFrameTests {
    private let format = try! LiveFormat(width: 64, height: 32, frameRate: Rational(25, 1))

    @Test func blackCopyAndPaint() throws {
        let black = try Frame.black(format)
        #expect(black.pixelFormatName == "yuv420p" && black.colour == LiveFormat.colour && black.pts == nil)
        #expect(try black.sample(0, 63, 31) == 16 && black.sample(1, 31, 15) == 128)
        black.pts = 7
        let copy = try black.copy()
        #expect(copy.pts == 7 && copy.raw.pointee.data.0 != black.raw.pointee.data.0)
        try copy.paint(x: 10, y: 4, width: 8, height: 6, luma: 200)
        #expect(try copy.sample(0, 10, 4) == 200 && copy.sample(0, 17, 9) == 200)
        #expect(try copy.sample(0, 9, 4) == 16 && copy.sample(0, 18, 9) == 16 && copy.sample(0, 10, 10) == 16)
        #expect(try black.sample(0, 10, 4) == 16)
    }

    @Test func paintingIsClippedAndDoesNotReachOthers() throws {
        let frame = try Frame.black(format)
        let shared = try frame.reference()
        for (x, y, w, h) in [
            (-5, -5, 8, 8), (60, 30, 100, 100), (Int.max, 0, 5, 5), (Int.min, Int.min, Int.max, Int.max), (0, 0, -1, 4), (2, 2, Int.max, Int.max),
        ] { try frame.paint(x: x, y: y, width: w, height: h, luma: 235) }
        #expect(try frame.sample(0, 0, 0) == 235 && frame.sample(0, 63, 31) == 235 && frame.sample(0, 3, 0) == 16)
        #expect(try shared.luma(0..<64, 0..<32) == 16)
    }

    @Test func formatsOfOddSources() throws {
        var video = format.video
        (video.width, video.height, video.frameRate) = (721, 576, Rational(90000, 1))
        video.sampleAspect = Rational(16, 15)
        #expect(try LiveFormat(showing: video) == LiveFormat(width: 768, height: 576, frameRate: Rational(25, 1)))
        video.orientation = .clockwise90
        #expect(try LiveFormat(showing: video).width == 576)
        (video.width, video.height, video.sampleAspect) = (30000, 15000, Rational(0, 1))
        video.orientation = .upright
        #expect(try LiveFormat(showing: video) == LiveFormat(width: 8192, height: 4096, frameRate: Rational(25, 1)))
    }
}
