import Foundation
import Testing

@testable import MediaIO

/// Sources whose clocks jump or start again, and streams with times of their own: what is written stays together.
@Suite("Parts of a source whose streams count in other steps") struct OutputShiftTests {
    /// An MP4 whose video begins with an empty edit (ISO/IEC 14496-12, 8.6.6) of so many milliseconds.
    private func delayed(_ media: InputMedia, milliseconds: UInt64) throws -> String {
        let path = try media.make(
            "plain.mp4", "-f lavfi -i testsrc2=s=64x48:r=1:d=3 -f lavfi -i sine=r=44100:d=3 -c:v libx264 -bf 0 -c:a aac -video_track_timescale 1")
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        func big(_ value: UInt64, _ size: Int) -> [UInt8] { (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64(size - 1 - $0))) } }
        func size(at offset: Int) -> Int { bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
        /// The first box of a type between two offsets.
        func find(_ type: String, from start: Int, to end: Int) throws -> Int {
            var offset = start
            while offset < end, bytes[offset + 4..<offset + 8] != ArraySlice(type.utf8) { offset += max(8, size(at: offset)) }
            return try #require(offset < end ? offset : nil)
        }
        let moov = try find("moov", from: 0, to: bytes.count)
        let track = try find("trak", from: moov + 8, to: moov + size(at: moov))
        let edits = try find("edts", from: track + 8, to: track + size(at: track))
        let list: [UInt8] = [1, 0, 0, 0] + big(2, 4) + big(milliseconds, 8) + big(.max, 8) + big(0x10000, 4) + big(3000, 8) + big(0, 8) + big(0x10000, 4)
        let new = big(UInt64(list.count + 16), 4) + Array("edts".utf8) + big(UInt64(list.count + 8), 4) + Array("elst".utf8) + list
        let growth = new.count - size(at: edits)
        bytes.replaceSubrange(edits..<edits + size(at: edits), with: new)
        for box in [moov, track] { bytes.replaceSubrange(box..<box + 4, with: big(UInt64(size(at: box) + growth), 4)) }
        return try media.write("delayed.mp4", bytes)
    }

    @Test("are refused before anything is made where one cannot count as far")
    func far() throws {
        let media = try InputMedia()
        for (power, isPossible) in [(20, true), (58, false)] as [(UInt64, Bool)] {
            let demuxer = try Demuxer(path: try delayed(media, milliseconds: 1 << power), interrupt: Interrupt())
            #expect(demuxer.info.video.startTime ?? 0 > 1 << (power - 10), "the edit is not heeded")
            func shift() throws -> OutputShift {
                try OutputShift(window: TimeWindow(start: 1), source: demuxer, container: ContainerFormat(outputPath: "out.mp4"))
            }
            if isPossible { _ = try shift() } else { #expect { _ = try shift() } throws: { ($0 as? MediaError)?.code == .unsupportedOption } }
        }
    }
}

@Suite struct OutputClockTests {
    static let recording =
        "-f lavfi -i testsrc2=s=160x112:r=25:d=4 -f lavfi -i sine=d=4:r=44100 -c:v libx264 -g 25 -bf 2 -c:a aac"

    private func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

    private func steps(_ path: String, _ stream: String) throws -> [Double] {
        let times = try probedPackets(path, stream).compactMap(\.pts).sorted()
        return zip(times, times.dropFirst()).map { $1 - $0 }
    }

    // MARK: - A clock that starts again

    @Test(arguments: ["ts", "mpg"], ["mp4", "mkv", "ts"])
    func recordingsOneBehindTheOther(source ending: String, output: String) throws {
        let media = try InputMedia()
        let codecs = ending == "mpg" ? Self.recording.replacing("libx264", with: "mpeg2video").replacing("aac", with: "mp2") : Self.recording
        let one = try bytes(media.make("one.\(ending)", codecs))
        let source = try media.write("three.\(ending)", one + one + one)
        let result = try transcode(source, to: media.path("out.\(output)"))
        #expect(result.frames == 300)
        for stream in ["v:0", "a:0"] {
            let times = try probedPackets(media.path("out.\(output)"), stream).compactMap(\.pts).sorted()
            let span = (times.last ?? 0) - (times.first ?? 0)
            #expect(abs(span - 12) < 0.2, "\(stream): \(span) s")
        }
        #expect(try steps(media.path("out.\(output)"), "v:0").allSatisfy { $0 > 0.02 && $0 < 0.1 })
        // Where two recordings meet, sound may overlap by some hundredths of a second.
        #expect(try steps(media.path("out.\(output)"), "a:0").count { $0 < 0.01 } <= 16)
        #expect(result.report.warnings.count { $0.contains("its clock starts again 2 times") } == 1, "\(result.report.warnings)")
        let info = try SourceProbe.probe(path: source, interrupt: Interrupt())
        #expect(try OutputVerifier.isComplete(output: media.path("out.\(output)"), matches: info, interrupt: Interrupt()))
    }

    // MARK: - One wrong time

    /// Adds seconds to the times of the n-th packet of a stream (ISO/IEC 13818-1, 2.4.3.6) that has any, modulo 2^33 as its field is.
    private func bend(_ stream: [UInt8], pid: Int, _ nth: Int, by seconds: Int) throws -> [UInt8] {
        var bytes = stream
        var seen = 0
        for packet in Swift.stride(from: 0, to: bytes.count, by: 188) {
            guard Int(bytes[packet + 1] & 0x1f) << 8 | Int(bytes[packet + 2]) == pid, bytes[packet + 1] & 0x40 != 0 else { continue }
            let start = packet + 4 + (bytes[packet + 3] & 0x20 != 0 ? 1 + Int(bytes[packet + 4]) : 0)
            let flags = bytes[start + 7]
            guard flags & 0x80 != 0 else { continue }
            seen += 1
            guard seen == nth else { continue }
            for place in [start + 9] + (flags & 0x40 != 0 ? [start + 14] : []) {
                let field = bytes[place..<place + 5].map { Int($0) }
                let time = (field[0] >> 1 & 7) << 30 | field[1] << 22 | (field[2] >> 1) << 15 | field[3] << 7 | field[4] >> 1
                let moved = (time + seconds * 90000) & ((1 << 33) - 1)
                let new = [field[0] & 0xf1 | (moved >> 30 & 7) << 1, moved >> 22 & 255, (moved >> 15 & 127) << 1 | 1, moved >> 7 & 255, (moved & 127) << 1 | 1]
                for (offset, value) in new.enumerated() { bytes[place + offset] = UInt8(value) }
            }
            return bytes
        }
        throw MediaError(.internalFailure, "the stream has no packet \(nth)")
    }

    @Test(arguments: [0x100, 0x101], [-1000, 1000, -3, 60])
    func oneWrongTime(pid: Int, seconds: Int) throws {
        let media = try InputMedia()
        let source = try media.make("source.ts", Self.recording)
        // Parsers take the wrong time for more than one frame of sound.
        let bent = try media.write("bent.ts", bend(bytes(source), pid: pid, pid == 0x100 ? 60 : 6, by: seconds))
        for ending in ["mp4", "mkv", "ts"] {
            let result = try transcode(bent, to: media.path("out.\(ending)"))
            #expect(result.frames == 100)
            try expectSamePackets(source, "a:0", media.path("out.\(ending)"), "a:0", tolerance: 0.002, comparesHashes: false, comparesDTS: false)
            try expectSameVideoTimes(source, media.path("out.\(ending)"), tolerance: 0.002)
            #expect(result.report.warnings.count { $0.contains("the times of") && $0.contains("wrong") } == 1, "\(result.report.warnings)")
        }
    }

    // MARK: - What edit lists hide

    @Test func hiddenSoundStaysHidden() throws {
        let media = try InputMedia()
        _ = try media.make("long.mp4", Self.recording)
        let source = try media.make("cut.mp4", "-ss 1.3 -i @long.mp4 -c copy")
        let flags = try run("ffprobe", ["-v", "quiet", "-select_streams", "a", "-show_entries", "packet=pts_time,flags", "-of", "csv=p=0", source])
        let shown = flags.split(separator: "\n").filter { !$0.contains("D") && $0.contains("K") }.count
        let all = try probedPackets(source, "a:0")
        #expect(shown > 0 && shown < all.count - 5)
        for ending in ["mkv", "ts"] {
            let result = try transcode(source, to: media.path("out.\(ending)"))
            let sound = try probedPackets(media.path("out.\(ending)"), "a:0")
            #expect(sound.count == shown)
            let first = try #require(sound.first?.pts), picture = try #require(videoTimes(media.path("out.\(ending)")).first)
            #expect(first - picture > -0.03, "\(first) \(picture)")
            #expect(result.report.warnings.contains { $0.contains("edit list hides") }, "\(result.report.warnings)")
        }
        // The same edit list again.
        try transcode(source, to: media.path("out.mp4"))
        try expectSamePackets(source, "a:0", media.path("out.mp4"), "a:0")
    }

    // MARK: - A second video

    /// Matroska has no decoding times, and libavformat finds none for the first packets.
    @Test(arguments: ["mkv", "mp4", "ts"]) func secondVideoKeepsItsFirstTimes(ending: String) throws {
        let media = try InputMedia()
        let source = try media.make(
            "two.mkv",
            "-f lavfi -i testsrc2=s=160x112:r=25:d=2 -f lavfi -i testsrc=s=96x64:r=25:d=2 -map 0 -map 1 -c:v libx264 -bf 3 -g 25")
        let result = try transcode(source, to: media.path("out.\(ending)"))
        let times = try [source, media.path("out.\(ending)")].map { try probedPackets($0, "v:1").compactMap(\.pts) }
        #expect(times[0].count == 50 && times[1].count == 50)
        let delay = (times[1].first ?? 0) - (times[0].first ?? 0)
        #expect(zip(times[0], times[1]).allSatisfy { abs($1 - $0 - delay) < 0.0011 }, "\(times[0].prefix(6)) \(times[1].prefix(6))")
        #expect(result.report.warnings.allSatisfy { !$0.contains("wrong") })
    }

    /// AVI says only when packets are decoded.
    @Test(arguments: ["libx264 -bf 3 -g 25", "libx264 -bf 3 -g 25 -x264-params open-gop=1:b-pyramid=normal", "libx264 -bf 0", "mpeg4 -bf 2 -g 12"], ["mkv", "mp4"])
    func secondVideoFromAVIKeepsItsOrder(codec: String, ending: String) throws {
        let media = try InputMedia()
        let arguments = "-f lavfi -i testsrc2=s=160x112:r=25:d=4 -f lavfi -i testsrc2=s=96x64:r=25:d=4 -map 0 -map 1 -c:v \(codec) -threads 1"
        let (source, reference) = (try media.make("two.avi", arguments), try media.make("two.mkv", arguments))
        let result = try transcode(source, to: media.path("out.\(ending)"))
        func times(_ path: String) throws -> [Double] {
            let all = try probedPackets(path, "v:1").compactMap(\.pts), first = all.min() ?? 0
            return all.map { $0 - first }
        }
        let (wanted, found) = (try times(reference), try times(media.path("out.\(ending)")))
        #expect(wanted.count == 100 && found.count == 100)
        #expect(zip(wanted, found).allSatisfy { abs($0 - $1) < 0.002 }, "\(wanted.prefix(12)) \(found.prefix(12))")
        // They begin with the first video's pictures.
        let starts = try ["v:0", "v:1"].map { try probedPackets(media.path("out.\(ending)"), $0).compactMap(\.pts).min() ?? -1 }
        #expect(abs(starts[0] - starts[1]) < 0.002, "\(starts)")
        #expect(result.report.warnings.allSatisfy { !$0.contains("wrong") }, "\(result.report.warnings)")
    }

    @Test func decodingTimesAreCountedBackwards() {
        #expect(LeadingPackets.decodingTimes([23, 183], step: 40, before: 23) == [-57, -17])
        #expect(LeadingPackets.decodingTimes([23, 183, 103, 63], step: nil, before: 63) == [-97, -57, -17, 23])
        #expect(LeadingPackets.decodingTimes([0, 120, 40, 80], step: nil, before: nil) == DecodingTimes(presentation: [0, 120, 40, 80]).decoding)
        #expect(LeadingPackets.decodingTimes([nil, 40], step: nil, before: nil) == [nil, nil])
    }

    // MARK: - AVI

    @Test(arguments: ["ts", "mpg"]) func aviStartsAtZero(ending: String) throws {
        let media = try InputMedia()
        let codecs = "-f lavfi -i testsrc2=s=160x112:r=25:d=2 -f lavfi -i sine=d=2:r=44100 -c:v mpeg2video -c:a mp2"
        let source = try media.make("source.\(ending)", "\(codecs) -output_ts_offset 3")
        let result = try transcode(source, to: media.path("out.avi"))
        #expect(result.frames == 50)
        let start = try #require(videoTimes(source).first)
        #expect(start > 0.4)
        #expect(result.report.warnings.contains { $0.contains("out.avi cannot start when the source does") && $0.contains("earlier") }, "\(result.report.warnings)")
        let times = try videoTimes(media.path("out.avi"))
        #expect(times.first == 0 && abs((times.last ?? 0) - 1.96) < 0.13, "\(times)")
        let info = try SourceProbe.probe(path: source, interrupt: Interrupt())
        #expect(try OutputVerifier.isComplete(output: media.path("out.avi"), matches: info, interrupt: Interrupt()))
    }

    @Test func aviHasItsTimecodeBesideIt() throws {
        let media = try InputMedia()
        let source = try media.make(
            "source.mov", "-f lavfi -i testsrc2=s=160x112:r=25:d=1 -c:v libx264 -bf 0 -timecode 01:02:03:04")
        let result = try transcode(source, to: media.path("out.avi"))
        #expect(result.frames == 25)
        #expect(result.report.sidecarStreams == [1])
        #expect(result.notices.contains { $0.contains("stream 1") && $0.contains("saved beside it") })
        #expect(result.report.files.contains { $0.hasSuffix(".streams.mov") || $0.hasSuffix(".streams.nut") })
    }

    // MARK: - Verification

    @Test func collapsedStreamsAreFound() {
        func collapse(_ span: Double, start: Double = 0, last: Double = 12, duration: Double = 12) -> Double? {
            OutputLedger.collapse(of: span, 500, start: start, last: last, duration: duration)
        }
        #expect(collapse(12) == nil && collapse(11.9) == nil && collapse(13) == nil)
        // Times that ended up at one moment, with and without those of the source saying so.
        #expect(collapse(4) == 12)
        #expect(collapse(4, start: 1.4, last: 5.4) == 12)
        #expect(OutputLedger.collapse(of: 0, 1, start: 0, last: 0, duration: 60) == nil)
    }
}
