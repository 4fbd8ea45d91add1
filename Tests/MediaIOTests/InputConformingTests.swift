import Foundation
import Imaging
import Testing

@testable import MediaIO

/// What keeps all frames alike: deinterlacing, a change of size or format in the middle, trimming.
@Suite struct InputConformingTests {
    static let source = "-f lavfi -i testsrc2=s=192x112:r=25"

    /// Mean absolute difference between neighbouring lines of the luma plane: high where two fields are combed.
    private func combing(_ frame: Frame) throws -> Double {
        var sum = 0
        try frame.withPlanes { planes in
            guard let base = planes.pointers[0] else { return }
            let stride = Int(planes.strides[0])
            for y in 1..<frame.height { for x in 0..<frame.width { sum += abs(Int(base[y * stride + x]) - Int(base[(y - 1) * stride + x])) } }
        }
        return Double(sum) / Double(frame.width * (frame.height - 1))
    }

    @Test(arguments: ["mpeg2video -flags +ilme+ildct -top 1", "libx264 -flags +ildct+ilme -top 1 -bf 2"])
    func interlacedFramesBecomeProgressive(_ codec: String) throws {
        let media = try InputMedia()
        // A moving fine pattern, so that the two fields differ.
        let moving = "-f lavfi -i testsrc2=s=192x112:r=50 -frames:v 30 -vf scroll=h=0.05,interlace=lowpass=0"
        let path = try media.make("interlaced.ts", "\(moving) -c:v \(codec)")
        var before = 0.0, after = 0.0
        let decoded = try DecodedSource(path) { after += try combing($0.frame) }
        #expect(decoded.info.video.isInterlaced)
        #expect(decoded.pts == (try probedPts(path)))
        #expect(decoded.damage.isDamaged == false)
        let demuxer = try Demuxer(path: path, interrupt: Interrupt())
        let plain = try PictureDecoder(try #require(demuxer.stream(at: 0)), threads: 1)
        while let packet = try demuxer.next() { try plain.decode(packet, token: 0) { before += try combing($0) } }
        try plain.decode(nil, token: 0) { before += try combing($0) }
        #expect(after < 0.8 * before, "\(after) of \(before)")
    }

    /// Progressive first, interlaced later: no frame is lost where the deinterlacer starts.
    @Test func interlacingThatStartsLater() throws {
        let media = try InputMedia()
        _ = try media.make("p.h264", "\(Self.source) -frames:v 20 -c:v libx264 -bf 0")
        _ = try media.make("i.h264", "\(Self.source) -frames:v 20 -c:v libx264 -bf 0 -flags +ildct+ilme -top 1")
        var bytes = try Data(contentsOf: URL(fileURLWithPath: media.path("p.h264")))
        bytes += try Data(contentsOf: URL(fileURLWithPath: media.path("i.h264")))
        let decoded = try DecodedSource(try media.write("both.h264", [UInt8](bytes)))
        #expect(decoded.pts.count == 40)
        #expect(!decoded.damage.isDamaged)
    }

    @Test func anotherSizeIsScaledAndPadded() throws {
        let media = try InputMedia()
        _ = try media.make("a.h264", "-f lavfi -i color=c=white:s=192x112:r=25 -frames:v 10 -c:v libx264 -pix_fmt yuv420p")
        _ = try media.make("b.h264", "-f lavfi -i color=c=white:s=128x128:r=25 -frames:v 10 -c:v libx264 -pix_fmt yuv422p10le")
        var bytes = try Data(contentsOf: URL(fileURLWithPath: media.path("a.h264")))
        bytes += try Data(contentsOf: URL(fileURLWithPath: media.path("b.h264")))
        var seen = 0
        let decoded = try DecodedSource(try media.write("both.h264", [UInt8](bytes))) { decoded in
            let frame = decoded.frame
            #expect((frame.width, frame.height) == (192, 112))
            #expect(frame.pixelFormatName == "yuv420p")
            guard decoded.index >= 10 else { return }
            seen += 1
            try frame.withPlanes { planes in
                guard let luma = planes.pointers[0], let chroma = planes.pointers[1] else { return }
                // A square in the middle, black beside it.
                let row = luma + 56 * Int(planes.strides[0])
                #expect(row[10] == 16 && row[36] == 16 && row[155] == 16 && row[180] == 16)
                #expect(row[42] > 230 && row[96] > 230 && row[149] > 230)
                #expect(chroma[28 * Int(planes.strides[1]) + 5] == 128)
            }
        }
        #expect(decoded.pts.count == 20 && seen == 10)
    }

    @Test func anotherRangeIsConverted() throws {
        let media = try InputMedia()
        for (name, range) in [("a.h264", "tv"), ("b.h264", "pc")] {
            _ = try media.make(name, "-f lavfi -i color=c=white:s=96x64:r=25 -frames:v 5 -vf scale=out_range=\(range),format=yuv420p -c:v libx264 -color_range \(range)")
        }
        var bytes = try Data(contentsOf: URL(fileURLWithPath: media.path("a.h264")))
        bytes += try Data(contentsOf: URL(fileURLWithPath: media.path("b.h264")))
        let decoded = try DecodedSource(try media.write("both.h264", [UInt8](bytes))) { decoded in
            try decoded.frame.withPlanes { planes in #expect(abs(Int(planes.pointers[0]?.pointee ?? 0) - 235) <= 1) }
            #expect(decoded.frame.colour.range != 2)
        }
        #expect(decoded.pts.count == 10)
    }

    /// From a time on: the first frame is the first at or after it, and none is damaged by the way there.
    @Test(arguments: [0.5, 1.0, 1.37, 3.96, 10], ["mp4", "mkv", "ts", "avi", "h264"]) func trimming(_ start: Double, _ ending: String) throws {
        let media = try InputMedia()
        let path = try media.make("long.\(ending)", "\(Self.source) -frames:v 100 -c:v libx264 -g 20 -bf 3 -x264-params open-gop=1")
        let all = try DecodedSource(path)
        let timeBase = try #require(all.info.video.timeBase.value)
        let expected = all.pts.filter { $0 - all.pts[0] >= Int64((start / timeBase).rounded()) }
        let trimmed = try DecodedSource(path, from: start)
        #expect(trimmed.pts == expected)
        #expect(trimmed.damage.frames == expected.count && !trimmed.damage.isDamaged)
    }

    /// Containers that do not give every picture its time, with pictures in another order than shown: each start gives the frames
    /// that the whole has from there on.
    @Test(arguments: ["mpg", "avi"]) func trimmingWithoutTimes(ending: String) throws {
        let media = try InputMedia()
        let codec = ending == "mpg" ? "mpeg2video" : "mpeg4"
        let path = try media.make("long.\(ending)", "\(Self.source) -frames:v 100 -c:v \(codec) -g 12 -bf 2")
        var digests: [UInt64] = []
        let all = try DecodedSource(path) { digests.append($0.frame.sampleDigest) }
        let timeBase = try #require(all.info.video.timeBase.value)
        for number in stride(from: 3, to: 98, by: 5) {
            let start = Double(number) / 25
            let first = try #require(all.pts.firstIndex { $0 - all.pts[0] >= Int64((start / timeBase).rounded()) })
            var found: [UInt64] = []
            let trimmed = try DecodedSource(path, from: start) { found.append($0.frame.sampleDigest) }
            #expect(trimmed.pts == Array(all.pts[first...]), "from \(start) s")
            #expect(found == Array(digests[first...]), "from \(start) s")
            #expect(!trimmed.damage.isDamaged, "from \(start) s")
        }
    }

    /// An edit list that hides the first frames: they are neither decoded to frames nor counted as lost.
    @Test func editListHidesFrames() throws {
        let media = try InputMedia()
        _ = try media.make("long.mp4", "\(Self.source) -frames:v 60 -c:v libx264 -g 60 -bf 2")
        let path = try media.make("cut.mp4", "-ss 0.6 -i @long.mp4 -c copy")
        let decoded = try DecodedSource(path)
        #expect(decoded.pts == (try probedPts(path)))
        #expect(decoded.pts.count < 50 && decoded.pts.count > 40)
        #expect(!decoded.damage.isDamaged)
        #expect(decoded.info.frameCountEstimate == decoded.pts.count)
    }
}
