import Foundation
import Testing

@testable import MediaIO

/// Copied streams and tags, container by container, as ffprobe sees them.
@Suite struct OutputContainerTests {
    static let picture = "-f lavfi -i testsrc2=s=160x112:r=25:d=2"
    static let sound = "-f lavfi -i sine=d=2:r=44100"

    private func subtitles(_ media: InputMedia) throws -> String {
        try media.write("in.srt", Array("1\n00:00:00,300 --> 00:00:00,700\nHello\n\n2\n00:00:01,200 --> 00:00:01,600\nWorld\n".utf8))
    }

    private func tags(_ media: InputMedia) throws -> String {
        let text = ";FFMETADATA1\ntitle=A drive\ncom.example.speed=12 km/h\nlocation=+47.0+008.0/\ncreation_time=2021-05-04T03:02:01.000000Z\n"
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
        for key in ["title", "com.example.speed", "location", "creation_time"] { #expect(b.tags[key] == a.tags[key], "\(key)") }
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
