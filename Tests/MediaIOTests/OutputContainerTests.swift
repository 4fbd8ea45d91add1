import Foundation
import Testing

@testable import MediaIO

/// Copied streams and tags, container by container, as ffprobe sees them.
@Suite struct OutputContainerTests {
    static let picture = "-f lavfi -i testsrc2=s=160x112:r=25:d=2"
    static let sound = "-f lavfi -i sine=d=2:r=44100"

    private func subtitles(_ media: InputMedia) throws -> String {
        try media.write(
            "in.srt", Array("1\n00:00:00,300 --> 00:00:00,700\nHello\n\n2\n00:00:01,200 --> 00:00:01,600\nWorld\n".utf8)
        )
    }

    private func tags(_ media: InputMedia) throws -> String {
        let text =
            ";FFMETADATA1\ntitle=A drive\ncom.example.speed=12 km/h\nlocation=+47.0+008.0/\ncreation_time=2021-05-04T03:02:01.000000Z\n"
            + "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=First\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2000\ntitle=Second\n"
        return try media.write("in.txt", Array(text.utf8))
    }

    @Test func mp4KeepsSoundTextChaptersAndUnknownTags() throws {
        let media = try InputMedia()
        _ = try subtitles(media)
        _ = try tags(media)
        let source = try media.make(
            "source.mp4",
            "\(Self.picture) \(Self.sound) -i @in.srt -i @in.txt -map 0 -map 1 -map 2 -map_metadata 3 -map_chapters 3 -c:v libx264 -c:a aac -c:s mov_text -movflags use_metadata_tags -metadata:s:a language=deu -metadata:s:a handler_name=Microphone -metadata:s:s language=eng"
        )
        let output = media.path("out.mp4")
        let result = try transcode(source, to: output)
        #expect(result.frames == 50)
        #expect(result.report.warnings == [])
        #expect(try entries(media.directory) == ["in.srt", "in.txt", "out.mp4", "source.mp4"])
        try expectSamePackets(source, "a:0", output, "a:0")
        try expectSamePackets(source, "s:0", output, "s:0")
        try expectSameVideoTimes(source, output)
        let (a, b) = (try ProbedFile(source), try ProbedFile(output))
        #expect(a.streams.count == b.streams.count)
        for key in ["title", "com.example.speed", "location", "creation_time"] {
            #expect(b.tags[key] == a.tags[key], "\(key)")
        }
        #expect(b.tags["creation_time"] == "2021-05-04T03:02:01.000000Z")
        #expect(b.tags(1)["language"] == "deu")
        #expect(b.tags(1)["handler_name"] == "Microphone")
        #expect(b.tags(2)["language"] == "eng")
        #expect(b.chapters.count == 2)
        #expect((b.chapters[1]["tags"] as? [String: String])?["title"] == "Second")
        #expect(b.text(0, "time_base") == a.text(0, "time_base"))
        for index in a.streams.indices { #expect(a.dispositions(index) == b.dispositions(index)) }
    }
}

extension OutputContainerTests {
    /// A subtitle track without gaps at its ends, cover art as a JPEG.
    private func cover(_ media: InputMedia) throws -> String {
        try media.make("cover.jpg", "-f lavfi -i color=red:s=64x64 -frames:v 1")
    }

    @Test func mp4KeepsCoverArtBesideUnknownTags() throws {
        let media = try InputMedia()
        _ = try cover(media)
        let source = try media.make(
            "source.mp4",
            "\(Self.picture) \(Self.sound) -i @cover.jpg -map 0 -map 1 -map 2 -c:v:0 libx264 -c:a aac -c:v:1 copy -disposition:v:1 attached_pic -metadata title=T -metadata artist=A"
        )
        for ending in ["mp4", "mov"] {
            let output = media.path("out.\(ending)")
            let result = try transcode(source, to: output)
            #expect(result.report.warnings == [])
            let probed = try ProbedFile(output)
            #expect(probed.streams.count == 3)
            #expect(probed.dispositions(2) == ["attached_pic"])
            #expect(probed.tags["title"] == "T")
            #expect(probed.tags["artist"] == "A")
            try expectSamePackets(source, "v:1", output, "v:1")
            try expectSamePackets(source, "a:0", output, "a:0")
            try expectSameVideoTimes(source, output)
        }
    }

    private func matroska(_ media: InputMedia) throws -> String {
        let script =
            "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Arial,20\n\n[Events]\nFormat: Layer, Start, End, Style, Text\nDialogue: 0,0:00:00.50,0:00:01.00,Default,Hello\nDialogue: 0,0:00:01.20,0:00:01.70,Default,World\n"
        _ = try media.write("in.ass", Array(script.utf8))
        _ = try media.write("font.ttf", (0..<5000).map { UInt8(truncatingIfNeeded: $0 * 7) })
        _ = try cover(media)
        return try media.make(
            "source.mkv",
            "\(Self.picture) \(Self.sound) -f lavfi -i sine=440:d=2:r=48000 -i @in.ass -map 0 -map 1 -map 2 -map 3 -c:v libx264 -bf 2 -c:a:0 ac3 -c:a:1 libopus -c:s copy -attach @font.ttf -metadata:s:t:0 mimetype=application/x-truetype-font -attach @cover.jpg -metadata:s:t:1 mimetype=image/jpeg -metadata:s:a:0 language=ger -metadata:s:a:0 title=Deutsch -metadata:s:a:1 language=eng -disposition:a:0 0 -disposition:a:1 default+comment -disposition:s:0 forced -metadata strange_key=value"
        )
    }

    @Test func matroskaKeepsAttachmentsSubtitlesAndDispositions() throws {
        let media = try InputMedia()
        let source = try matroska(media)
        let output = media.path("out.mkv")
        let result = try transcode(source, to: output)
        #expect(result.report.warnings == [])
        for stream in ["a:0", "a:1", "s:0"] { try expectSamePackets(source, stream, output, stream) }
        try expectSameVideoTimes(source, output)
        let (a, b) = (try ProbedFile(source), try ProbedFile(output))
        #expect(a.streams.count == b.streams.count)
        for index in a.streams.indices {
            #expect(a.dispositions(index) == b.dispositions(index), "stream \(index)")
            for key in ["language", "title", "filename", "mimetype"] {
                #expect(a.tags(index)[key] == b.tags(index)[key])
            }
            #expect(a.text(index, "codec_name") == b.text(index, "codec_name"))
            if index > 0 { #expect(a.text(index, "extradata_size") == b.text(index, "extradata_size")) }
        }
        #expect(b.tags["STRANGE_KEY"] == "value")
        try expectSameDumps(source, output, media, ["v:1"])
    }

    private func expectSameDumps(_ a: String, _ b: String, _ media: InputMedia, _ streams: [String]) throws {
        for stream in streams { try expectSamePackets(a, stream, b, stream) }
        let dumps = try [a, b].map { file in
            let dump = media.path("dump.ttf")
            _ = try run(
                "sh", ["-c", "ffmpeg -v quiet -y -dump_attachment:t:0 \(dump) -i \(file) -t 0 -f null - ; true"])
            return try Data(contentsOf: URL(fileURLWithPath: dump))
        }
        #expect(dumps[0].count == 5000)
        #expect(dumps[0] == dumps[1])
    }

    @Test func matroskaToMP4PutsTheRestBesideIt() throws {
        let media = try InputMedia()
        let source = try matroska(media)
        let output = media.path("out.mp4")
        let result = try transcode(source, to: output)
        try expectSamePackets(source, "a:0", output, "a:0", tolerance: 0.0006)
        try expectSamePackets(source, "a:1", output, "a:1", tolerance: 0.0006)
        try expectSameVideoTimes(source, output)
        #expect(
            Set(try entries(media.directory)).isSuperset(of: [
                "out.mp4", "out.mp4.streams.json", "out.mp4.streams.nut", "out.mp4.stream4.font.ttf",
            ]))
        try expectSamePackets(source, "s:0", output + ".streams.nut", "s:0", tolerance: 0.0006, comparesDTS: false)
        let font = try Data(contentsOf: URL(fileURLWithPath: output + ".stream4.font.ttf"))
        #expect(font.count == 5000)
        #expect(result.report.sidecarStreams == [3, 4])
        let json = try json(output + ".streams.json")
        #expect(result.report.warnings.count == result.notices.count)
        let streams = try #require(json["streams"] as? [[String: Any]])
        #expect(streams.map { $0["index"] as? Int } == [3, 4])
        #expect(streams[0]["codec"] as? String == "ass")
        #expect(streams[0]["file"] as? String == "out.mp4.streams.nut")
        let probed = try ProbedFile(output)
        #expect(probed.streams.last?["codec_name"] as? String == "mjpeg")
        #expect(probed.tags["strange_key"] == "value" || probed.tags["STRANGE_KEY"] == "value")
    }

    private func json(_ path: String) throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any])
    }

    @Test func mp4ToMatroskaKeepsTimesThroughPriming() throws {
        let media = try InputMedia()
        let source = try media.make("source.mp4", "\(Self.picture) \(Self.sound) -c:v libx264 -bf 2 -c:a aac")
        let output = media.path("out.mkv")
        try transcode(source, to: output)
        try expectSamePackets(source, "a:0", output, "a:0", tolerance: 0.0006)
        try expectSameVideoTimes(source, output, tolerance: 0.0006)
    }

    @Test(arguments: ["mov", "mp4", "mkv"])
    func timecodeIsKept(ending: String) throws {
        let media = try InputMedia()
        let source = try media.make(
            "source.mov",
            "-f lavfi -i testsrc2=s=160x112:r=30000/1001:d=2 \(Self.sound) -c:v libx264 -c:a aac -timecode 01:02:03;04")
        let output = media.path("out.\(ending)")
        let result = try transcode(source, to: output)
        let probed = try ProbedFile(output)
        #expect(probed.tags(0)["timecode"] ?? probed.tags(0)["TIMECODE"] == "01:02:03;04")
        #expect(result.report.warnings == [])
        #expect(!(try entries(media.directory)).contains { $0.contains("streams") })
        if ending != "mkv" { try expectSamePackets(source, "d:0", output, "d:0", comparesDTS: false) }
        try expectSamePackets(source, "a:0", output, "a:0", tolerance: ending == "mkv" ? 0.0006 : 1e-6)
    }

    /// A data track of three packets, half a second each, under the four-character code `tag`.
    private func dataTrack(_ media: InputMedia, tag: String) throws -> String {
        _ = try media.write("data.bin", (0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
        let path = try media.make(
            "source.mov",
            "\(Self.picture) \(Self.sound) -f data -raw_packet_size 1000 -i @data.bin -map 0 -map 1 -map 2 -c:v libx264 -c:a aac -c:d copy -tag:d gpmd -bsf:d setts=pts=N*500+100:dts=N*500+100:duration=500:time_base=1/1000 -metadata:s:d handler_name=Telemetry"
        )
        // ffmpeg writes no other code of four characters that it reads back.
        let content = try Data(contentsOf: URL(fileURLWithPath: path))
        let place = try #require(content.range(of: Data("gpmd".utf8), options: .backwards))
        try content.replacingCharacters(place, tag).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test(arguments: ["mov", "mp4"])
    func telemetryIsKept(ending: String) throws {
        let media = try InputMedia()
        let source = try dataTrack(media, tag: "gpmd")
        let output = media.path("out.\(ending)")
        let result = try transcode(source, to: output)
        #expect(result.report.warnings == [])
        try expectSamePackets(source, "d:0", output, "d:0")
        let probed = try ProbedFile(output)
        #expect(probed.text(2, "codec_tag_string") == "gpmd")
        #expect(probed.tags(2)["handler_name"] == "Telemetry")
    }

    @Test(arguments: [("mkv", "gpmd"), ("mp4", "fdsc"), ("ts", "gpmd")])
    func telemetryThatDoesNotFitIsSavedBeside(ending: String, tag: String) throws {
        let media = try InputMedia()
        let source = try dataTrack(media, tag: tag)
        let output = media.path("out.\(ending)")
        let result = try transcode(source, to: output)
        #expect(result.report.sidecarStreams == [2])
        #expect(result.report.files == [output, output + ".streams.mov", output + ".streams.json"])
        try expectSamePackets(source, "d:0", output + ".streams.mov", "d:0")
        let json = try json(output + ".streams.json")
        let stream = try #require((json["streams"] as? [[String: Any]])?.first)
        #expect(stream["tag"] as? String == tag)
        #expect(stream["handler"] as? String == "Telemetry")
        #expect(stream["timeBase"] as? String == "1/1000")
        #expect(try ProbedFile(output + ".streams.mov").text(0, "codec_tag_string") == tag)
    }

    @Test func unusualDataInMOVKeepsItsCode() throws {
        let media = try InputMedia()
        let source = try dataTrack(media, tag: "fdsc")
        let output = media.path("out.mov")
        try transcode(source, to: output)
        try expectSamePackets(source, "d:0", output, "d:0")
        #expect(try ProbedFile(output).text(2, "codec_tag_string") == "fdsc")
        #expect(try entries(media.directory) == ["data.bin", "out.mov", "source.mov"])
    }

    @Test func transportStreamToMP4() throws {
        let media = try InputMedia()
        let source = try media.make(
            "source.ts",
            "\(Self.picture) \(Self.sound) -f lavfi -i sine=440:d=2:r=48000 -map 0 -map 1 -map 2 -c:v libx264 -bf 2 -c:a:0 aac -c:a:1 mp2 -program title=One:st=0:st=1 -program title=Two:st=2 -metadata:s:a:0 language=fra"
        )
        let output = media.path("out.mp4")
        try transcode(source, to: output)
        // The ADTS header of each AAC packet goes, its payload stays.
        try expectSamePackets(source, "a:0", output, "a:0", tolerance: 1.5 / 44100, comparesHashes: false)
        try expectSamePackets(source, "a:1", output, "a:1", tolerance: 1.5 / 48000)
        try expectSameVideoTimes(source, output)
        #expect(try ProbedFile(output).tags(1)["language"] == "fra")
    }

    @Test func transportStreamKeepsItsPrograms() throws {
        let media = try InputMedia()
        let source = try media.make(
            "source.ts",
            "\(Self.picture) \(Self.sound) -f lavfi -i sine=440:d=2:r=48000 -map 0 -map 1 -map 2 -c:v libx264 -bf 2 -c:a:0 aac -c:a:1 mp2 -program title=One:program_num=7:st=0:st=1 -program title=Two:program_num=9:st=2"
        )
        let output = media.path("out.ts")
        let result = try transcode(source, to: output)
        #expect(result.report.warnings == [])
        for stream in ["a:0", "a:1"] { try expectSamePackets(source, stream, output, stream) }
        try expectSameVideoTimes(source, output)
        let programs = try run(
            "ffprobe",
            ["-v", "quiet", "-show_entries", "program=program_id:program_tags=service_name", "-of", "csv", output])
        #expect(
            programs.contains("7") && programs.contains("One") && programs.contains("9") && programs.contains("Two"))
    }

    @Test(
        arguments: [
            "-output_ts_offset 1.2345", "-output_ts_offset -0.3 -avoid_negative_ts disabled", "-output_ts_offset 100",
        ], ["mp4", "mkv"])
    func startTimesAreKept(offset: String, ending: String) throws {
        let media = try InputMedia()
        let source = try media.make("source.mp4", "\(Self.picture) \(Self.sound) -c:v libx264 -bf 2 -c:a aac \(offset)")
        let output = media.path("out.\(ending)")
        try transcode(source, to: output)
        let tolerance = ending == "mkv" ? 0.0006 : 1e-6
        try expectSameVideoTimes(source, output, tolerance: tolerance)
        guard ending == "mkv", offset.contains("-0.3") else {
            return try expectSamePackets(source, "a:0", output, "a:0", tolerance: tolerance)
        }
        // What lies before 0 is hidden by the source's edit list, and Matroska has none.
        let all = try probedPackets(source, "a:0"), kept = try probedPackets(output, "a:0")
        #expect(kept.count < all.count && kept.map(\.hash) == all.suffix(kept.count).map(\.hash))
        #expect(zip(kept, all.suffix(kept.count)).allSatisfy { abs(($0.pts ?? -9) - ($1.pts ?? 9)) <= tolerance })
    }

    @Test(arguments: ["-field_order tt -flags +ildct+ilme -c:v mpeg2video"], ["mpg", "ts", "mkv"])
    func interlacedVideoComesOutProgressive(arguments: String, ending: String) throws {
        let media = try InputMedia()
        let source = try media.make(
            "source.\(ending)",
            "\(Self.picture) \(Self.sound) -vf tinterlace=interleave_top,setfield=tff -c:a mp2 \(arguments)")
        let output = media.path("out.mp4")
        try transcode(source, to: output)
        try expectSamePackets(source, "a:0", output, "a:0", tolerance: ending == "mkv" ? 0.0006 : 1.5 / 44100)
        #expect(try ProbedFile(output).text(0, "field_order") == "progressive")
    }

    @Test(arguments: ["mov", "mkv", "avi", "flv", "ts", "mpg", "nut", "3gp", "m4v", "ogv", "wmv"])
    func everyCommonContainerIsWritten(ending: String) throws {
        let media = try InputMedia()
        let source = try media.make(
            "source.mov",
            "\(Self.picture) \(Self.sound) -f lavfi -i testsrc=s=64x48:r=25:d=2 -map 0 -map 1 -map 2 -c:v:0 libx264 -bf 0 -c:v:1 libx264 -bf 2 -c:a pcm_s16le -metadata title=T"
        )
        let output = media.path("out.\(ending)")
        let result = try transcode(
            source, to: output, ["ogv", "mpg"].contains(ending) ? EncoderSettings(bitrate: 500_000) : EncoderSettings())
        #expect(result.frames == 50)
        let tolerance =
            ["mkv", "flv", "wmv"].contains(ending) ? 0.0011 : ending == "avi" ? 0.0401 : ending == "3gp" ? 1e-6 : 0.0001
        let count = try videoTimes(output).count
        #expect(count == 50)
        let times = try (videoTimes(source), videoTimes(output))
        let delay = times.1[0] - times.0[0]
        if !["avi", "ogv"].contains(ending) {
            let isSame = zip(times.0, times.1).allSatisfy { abs($1 - $0 - delay) <= tolerance }
            #expect(isSame, "\(times)")
        }
        // A container that has no times before 0 moves all, and says so.
        #expect(abs(delay) < 0.0011 || result.report.warnings.contains { $0.contains("later") })
        if ending != "mpg" { #expect(abs(delay) < 0.0011, "\(delay)") }
        // Sound that does not fit is beside it, and never gone.
        let holders = try entries(media.directory).filter { $0.hasPrefix("out.") && !$0.hasSuffix("json") }
        var bytes = 0
        for holder in holders {
            let sizes = try run(
                "ffprobe",
                [
                    "-v", "quiet", "-select_streams", "a", "-show_entries", "packet=size", "-of", "csv=p=0",
                    media.path(holder),
                ])
            bytes += sizes.split(separator: "\n").compactMap { Int($0.prefix { $0.isNumber }) }.reduce(0, +)
        }
        #expect(bytes == 2 * 44100 * 2)
    }

    @Test func windowMovesEverything() throws {
        let media = try InputMedia()
        _ = try subtitles(media)
        _ = try tags(media)
        let source = try media.make(
            "source.mp4",
            "\(Self.picture) \(Self.sound) -i @in.srt -i @in.txt -map 0 -map 1 -map 2 -map_chapters 3 -c:v libx264 -g 10 -c:a aac -c:s mov_text"
        )
        let output = media.path("out.mp4")
        let result = try transcode(source, to: output, window: TimeWindow(start: 0.52, end: 1.48))
        #expect(result.frames == 24)
        #expect(try videoTimes(output).first == 0)
        let all = try probedPackets(source, "a:0")
        let kept = try probedPackets(output, "a:0")
        let expected = all.filter { ($0.pts ?? -1) >= 0.52 && ($0.pts ?? 9) < 1.48 }
        #expect(kept.map(\.hash) == expected.map(\.hash))
        for (a, b) in zip(kept, expected) { #expect(abs((a.pts ?? 0) - (b.pts ?? 0) + 0.52) < 2.0 / 44100) }
        let chapters = try ProbedFile(output).chapters.compactMap { $0["start_time"] as? String }.compactMap(
            Double.init)
        #expect(chapters == [0, 0.48])
        let texts = try run("ffmpeg", ["-v", "quiet", "-i", output, "-map", "0:s", "-f", "srt", "-"])
        #expect(texts.contains("00:00:00,000 --> 00:00:00,180\nHello"))
        #expect(
            texts.contains("00:00:00,680 --> 00:00:00,960\nWorld")
                || texts.contains("00:00:00,680 --> 00:00:01,080\nWorld"))
    }
}
