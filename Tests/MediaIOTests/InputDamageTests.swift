import Foundation
import Testing

@testable import MediaIO

/// Damaged files: as many frames, at the same pts, as the intact file has.
@Suite struct InputDamageTests {
    static let source = "-f lavfi -i testsrc2=s=192x112:r=25 -frames:v 100"

    static let files: [(name: String, arguments: String)] = [
        ("h264.mp4", "\(source) -c:v libx264 -g 25 -bf 2"),
        ("h264.mkv", "\(source) -c:v libx264 -g 25 -bf 3"),
        ("hevc.mp4", "\(source) -c:v libx265 -x265-params log-level=none:pools=1:keyint=25:min-keyint=25"),
        ("mpeg4.mp4", "\(source) -c:v mpeg4 -bf 2 -g 25"),
        ("mjpeg.mov", "\(source) -c:v mjpeg"),
        ("mjpeg.avi", "\(source) -c:v mjpeg"),
        ("mpeg4.avi", "\(source) -c:v mpeg4 -g 25"),
        ("vp8.mkv", "\(source) -c:v libvpx -b:v 300k -deadline good -cpu-used 5 -g 25"),
        ("vp9.mkv", "\(source) -c:v libvpx-vp9 -b:v 300k -deadline good -cpu-used 5 -g 25"),
    ]

    /// Noise over the payload of some packets, also the first one's in one of the rounds.
    @Test(arguments: files.indices) func damagedPayload(_ index: Int) throws {
        let media = try InputMedia()
        let (name, arguments) = Self.files[index]
        let path = try media.make(name, arguments)
        let intact = try DecodedSource(path)
        #expect(intact.damage.isDamaged == false)
        let packets = try packetPlaces(path)
        try #require(packets.count == 100)
        var random = SeededRandom(seed: UInt64(index))
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        for number in [20, 21, 47, 48, 49, 50, 51, 80, 99] {
            let (offset, size) = packets[number]
            // Of a Matroska block ffprobe gives the place of its header. VP8 notices noise in a frame's first bytes alone: its
            // arithmetic decoder makes a picture of any others.
            let header = name == "vp8.mkv" ? 7 : name.hasSuffix("mkv") ? 16 : 0
            for place in offset + header..<offset + size where place >= 0 && place < bytes.count {
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
        }
        let damaged = try DecodedSource(try media.write("damaged-" + name, bytes), threads: 2)
        #expect(damaged.pts == intact.pts)
        #expect(damaged.damage.frames == 100)
        #expect(damaged.damage.isDamaged)
        #expect(damaged.damage.missing == 0)
    }

    @Test func damagedStartIsStoodInFor() throws {
        let media = try InputMedia()
        let path = try media.make("start.mp4", "\(Self.source) -c:v mjpeg")
        let packets = try packetPlaces(path)
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        for (offset, size) in packets[0..<3] { for place in offset..<offset + size { bytes[place] = 0x55 } }
        let intact = try DecodedSource(path)
        let damaged = try DecodedSource(try media.write("damaged.mp4", bytes))
        #expect(damaged.pts == intact.pts)
        #expect(damaged.conditions.prefix(4) == [.replaced, .replaced, .replaced, .intact])
        #expect(damaged.damage.replaced == 3)
    }

    /// A file that was cut off says how many of its frames are not there.
    @Test func truncatedFileCountsWhatIsMissing() throws {
        let media = try InputMedia()
        let path = try media.make("cut.mp4", "\(Self.source) -c:v libx264 -g 10 -movflags faststart")
        let packets = try packetPlaces(path)
        let (offset, size) = packets[70]
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)).prefix(offset + size / 2))
        let cut = try DecodedSource(try media.write("half.mp4", bytes))
        #expect(cut.damage.frames + cut.damage.missing == 100)
        #expect((28...30).contains(cut.damage.missing))
        let intact = try DecodedSource(path)
        #expect(cut.pts == Array(intact.pts.prefix(cut.damage.frames)))
    }

    /// Noise over whole stretches of the file, the container's own structure included: frames whose packets are lost are
    /// stood in for at their own pts where they come at a steady rate.
    @Test(arguments: ["mkv", "ts"]) func damagedContainer(_ ending: String) throws {
        let media = try InputMedia()
        let path = try media.make("whole.\(ending)", "\(Self.source) -c:v libx264 -g 10 -bf 2")
        let intact = try DecodedSource(path)
        let packets = try packetPlaces(path)
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        var random = SeededRandom(seed: 3)
        for number in [23, 24, 61, 62, 63] {
            let place = packets[number].offset
            for place in place..<place + 1500 { bytes[place] = UInt8.random(in: 0...255, using: &random) }
        }
        let damaged = try DecodedSource(try media.write("damaged.\(ending)", bytes))
        #expect(damaged.pts == intact.pts)
        #expect(damaged.damage.isDamaged)
    }

    /// Formats without an index of all frames: what is not there is counted where the header has the number.
    @Test(arguments: ["mkv", "avi"]) func truncatedWithoutIndex(_ ending: String) throws {
        let media = try InputMedia()
        let path = try media.make("whole.\(ending)", "\(Self.source) -c:v mjpeg")
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        let cut = try DecodedSource(try media.write("cut.\(ending)", Array(bytes.prefix(bytes.count * 6 / 10))))
        #expect(cut.damage.frames + cut.damage.missing == 100)
        #expect((30...50).contains(cut.damage.missing))
    }

    /// Frames that a variable rate leaves out are not missing.
    /// FFmpeg counts H.264 in AVI in fields, two ticks a picture: what is cut off is counted in pictures.
    @Test func missingPicturesInAVIAreCountedInPictures() throws {
        let media = try InputMedia()
        _ = try media.make("pictures.mp4", "-f lavfi -i testsrc2=s=96x64:r=25 -frames:v 200 -c:v libx264 -g 25")
        let path = try media.make("fields.avi", "-i @pictures.mp4 -c copy")
        let whole = try DecodedSource(path)
        #expect(whole.pts.count == 200 && whole.damage.missing == 0)
        #expect(whole.info.video.timeBase == Rational(1, 50))
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        for part in [2, 4] {
            let cut = try DecodedSource(try media.write("cut.avi", Array(bytes[..<(bytes.count - bytes.count / part)])))
            #expect(cut.pts.count < 190)
            #expect(abs(cut.pts.count + cut.damage.missing - 200) <= 1, "\(cut.pts.count) + \(cut.damage.missing)")
        }
    }

    @Test func droppedFramesInAVIAreNotMissing() throws {
        let media = try InputMedia()
        let path = try media.make(
            "skip.avi", "-f lavfi -i testsrc2=s=96x64:r=25 -vf select='not(eq(mod(n\\,5)\\,2))' -vsync vfr -frames:v 40 -c:v mjpeg")
        let decoded = try DecodedSource(path)
        #expect(decoded.pts == (try probedPts(path)))
        #expect(decoded.damage.isDamaged == false)
    }

    @Test func fileWithoutItsIndexIsRefused() throws {
        let media = try InputMedia()
        let path = try media.make("noindex.mp4", "\(Self.source) -c:v libx264")
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)).prefix(3000))
        let cut = try media.write("cut.mp4", bytes)
        let error = #expect(throws: MediaError.self) { try Demuxer(path: cut, interrupt: Interrupt()) }
        #expect(error?.code == .damaged)
        #expect(error?.message.contains("moov") == true)
    }

    /// Seeded mutations of small files: no crash, no hang; an error or frames, and pts that increase.
    @Test func mutatedFiles() throws {
        let media = try InputMedia()
        let short = "-f lavfi -i testsrc2=s=64x64:r=25 -frames:v 12"
        let originals = try [
            media.make("a.mp4", "\(short) -c:v libx264 -bf 2"), media.make("b.mkv", "\(short) -c:v mpeg4"),
            media.make("c.avi", "\(short) -c:v mjpeg"), media.make("d.ts", "\(short) -c:v mpeg2video"),
            media.make("e.mov", "\(short) -c:v mjpeg -movflags faststart"),
        ]
        var random = SeededRandom(seed: 11)
        var (opened, refused) = (0, 0)
        for round in 0..<150 {
            let original = originals[round % originals.count]
            var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: original)))
            for _ in 0..<Int.random(in: 1...30, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if round % 7 == 0 { bytes.removeLast(Int.random(in: 0..<bytes.count - 1, using: &random)) }
            let path = try media.write("mutated\(round)" + original.suffix(4), bytes)
            do {
                let decoded = try DecodedSource(path)
                #expect(zip(decoded.pts, decoded.pts.dropFirst()).allSatisfy { $0 < $1 })
                opened += 1
            } catch is MediaError {
                refused += 1
            }
        }
        #expect(opened > 20 && refused > 5, "\(opened) opened, \(refused) refused")
    }

    /// Offset and size of every video packet in the file, in decoding order.
    private func packetPlaces(_ path: String) throws -> [(offset: Int, size: Int)] {
        let text = try run(
            "ffprobe", ["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pos,size", "-of", "csv=p=0", path])
        return text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ",").compactMap { Int($0) }
            return fields.count == 2 ? (fields[1], fields[0]) : nil
        }
    }
}
