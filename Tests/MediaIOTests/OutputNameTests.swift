import Foundation
import Testing

@testable import MediaIO

/// Names of files beside the output, which have at most 255 bytes as its own has.
@Suite struct OutputNameTests {
    /// A video with an attachment, which MP4 does not take.
    private func source(_ media: InputMedia, attachment: String) throws -> String {
        _ = try media.write("font.ttf", Array(repeating: 7, count: 100))
        return try media.make(
            "source.mkv",
            "-f lavfi -i testsrc2=s=64x64:r=25 -frames:v 5 -c:v libx264 -attach @font.ttf -metadata:s:t:0 mimetype=application/x-truetype-font -metadata:s:t:0 filename=\(attachment)"
        )
    }

    private func name(bytes count: Int) -> String { String(repeating: "n", count: count - 4) + ".mp4" }

    @Test(arguments: ["font.ttf", String(repeating: "字", count: 70) + ".ttf", String(repeating: "f", count: 300) + ".ttf"])
    func namesOfAttachmentsAreCut(attachment: String) throws {
        let media = try InputMedia()
        let source = try source(media, attachment: attachment)
        let output = media.path(name(bytes: 230))
        let report = try transcode(source, to: output).report
        let file = try #require(report.files.first { $0.hasSuffix(".ttf") })
        #expect((file as NSString).lastPathComponent.utf8.count <= 255)
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)).count == 100)
    }

    @Test func whatCannotBeNamedIsFoundBeforeAnythingIsWritten() throws {
        let media = try InputMedia()
        let source = try source(media, attachment: "font.ttf")
        let before = try entries(media.directory)
        var frames = 0
        for length in [245, 255] {
            let failure = #expect(throws: MediaError.self) {
                try transcode(source, to: media.path(name(bytes: length))) { _ in frames += 1 }
            }
            #expect(failure?.code == .nameTooLong && failure?.remedy == "give the output a shorter name", "\(failure?.description ?? "")")
        }
        #expect(frames == 0)
        #expect(try entries(media.directory) == before)
    }

    /// Tags alone are no reason to refuse: they may be lost, and it is said.
    @Test func tagsThatCannotBeSavedAreTold() throws {
        let media = try InputMedia()
        let source = try media.make("source.mov", "-f lavfi -i testsrc2=s=64x64:r=25 -frames:v 5 -c:v libx264 -metadata:s:v handler_name=Front")
        let long = String(repeating: "n", count: 252) + ".ts"
        let report = try transcode(source, to: media.path(long)).report
        #expect(report.files == [media.path(long)])
        #expect(report.warnings.contains { $0.contains("handler_name") && $0.contains("too long") }, "\(report.warnings)")
    }

    @Test func namesAreCutBetweenCharacters() {
        #expect("字字字".prefix(bytes: 8) == "字字")
        #expect("e\u{301}e\u{301}".prefix(bytes: 5) == "e\u{301}")
        #expect("abc".prefix(bytes: 3) == "abc" && "abc".prefix(bytes: 0) == "")
    }
}
