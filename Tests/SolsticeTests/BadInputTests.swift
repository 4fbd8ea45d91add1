import Foundation
import TestSupport
import Testing

@Suite("Bad input gets one clear line and its own exit code") struct BadInputTests {
    let folder: TemporaryFolder
    let video: String

    init() throws {
        folder = try TemporaryFolder()
        video = folder.path("in.mp4")
        try Program.output(
            "ffmpeg", ["-v", "error", "-nostdin"] + Source.picture + Source.tone + Source.x264 + ["-c:a", "aac", video])
    }

    /// Converts and expects `status`, one line that holds all of `words`, and nothing new in the folder.
    private func expect(
        _ status: Int32, _ words: [String], _ arguments: [String], location: SourceLocation = #_sourceLocation
    ) throws {
        let before = folder.names
        let outcome = try Program.run(Program.solstice, ["convert"] + arguments + ContractTests.quick)
        #expect(outcome.status == status, "\(outcome.errors)", sourceLocation: location)
        let lines = outcome.errors.split(separator: "\n")
        #expect(lines.count == 1, "\(outcome.errors)", sourceLocation: location)
        for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)", sourceLocation: location) }
        #expect(folder.names == before, sourceLocation: location)
    }

    @Test func noSuchFile() throws { try expect(10, ["nowhere.mp4"], [folder.path("nowhere.mp4"), folder.path("out.mp4")]) }

    @Test func namesThatHoldCommandsForTheTerminal() throws {
        for option in [["--style", "a\n\u{1B}[2Jb"], ["--model", "a\n\u{1B}[2Jb"]] {
            try expect(10, ["[2Jb"], [video, folder.path("out.mp4")] + option)
        }
        let outcome = try Program.run(Program.solstice, ["convert", folder.path("a\n\u{1B}[2Jb"), folder.path("out.mp4")])
        #expect(outcome.status == 10 && outcome.errors.filter(\.isNewline).count == 1 && !outcome.errors.contains("\u{1B}"), "\(outcome)")
    }

    @Test func notMedia() throws {
        let text = folder.path("notes.mp4")
        try Data("this is not a video\n".utf8).write(to: URL(fileURLWithPath: text))
        try expect(11, ["notes.mp4"], [text, folder.path("out.mp4")])
        let empty = folder.path("empty.mp4")
        try Data().write(to: URL(fileURLWithPath: empty))
        try expect(11, ["empty.mp4"], [empty, folder.path("out.mp4")])
        let noise = folder.path("noise.mp4")
        var random = SeededRandom(seed: 1)
        try Data((0..<20_000).map { _ in UInt8.random(in: 0...255, using: &random) }).write(to: URL(fileURLWithPath: noise))
        try expect(11, ["noise.mp4"], [noise, folder.path("out.mp4")])
    }

    @Test func noVideo() throws {
        let sound = folder.path("sound.m4a")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin"] + Source.tone + ["-c:a", "aac", sound])
        try expect(12, ["sound.m4a"], [sound, folder.path("out.mp4")])
    }

    @Test func damaged() throws {
        let path = folder.path("damaged.mp4"), long = folder.path("long.mp4")
        try Program.output(
            "ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=4"] + Source.x264 + ["-g", "10", long])
        var bytes = try Data(contentsOf: URL(fileURLWithPath: long))
        let start = try #require(bytes.range(of: Data("mdat".utf8))).upperBound
        let payload = start + 60_000..<start + 80_000
        #expect(payload.upperBound < bytes.count)
        for offset in payload { bytes[offset] = UInt8(truncatingIfNeeded: offset &* 31) }
        try bytes.write(to: URL(fileURLWithPath: path))
        try expect(13, ["damaged", "--salvage"], [path, folder.path("out.mp4")])
    }

    /// A timecode is moved by the frames before the start, which must not end the program where there are too many.
    @Test func startBehindAnyTimecode() throws {
        let timed = folder.path("timed.mov")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", video, "-c", "copy", "-timecode", "01:00:00:00", timed])
        try expect(31, ["timed.mov", "--start"], [timed, folder.path("out.mov"), "--start", "100000000"])
    }

    @Test func outputExists() throws {
        let there = folder.path("there.mp4")
        try Data("precious".utf8).write(to: URL(fileURLWithPath: there))
        try expect(20, ["there.mp4", "--overwrite"], [video, there])
        #expect(try String(contentsOfFile: there, encoding: .utf8) == "precious")
    }

    @Test func outputIsInput() throws {
        let before = try Data(contentsOf: URL(fileURLWithPath: video))
        try expect(21, ["in.mp4"], [video, video, "--overwrite"])
        try FileManager.default.createSymbolicLink(atPath: folder.path("link.mp4"), withDestinationPath: video)
        try expect(21, [], [video, folder.path("link.mp4"), "--overwrite"])
        try FileManager.default.linkItem(atPath: video, toPath: folder.path("hard.mp4"))
        try expect(21, [], [video, folder.path("hard.mp4"), "--overwrite"])
        #expect(try Data(contentsOf: URL(fileURLWithPath: video)) == before)
    }

    @Test func nothingInTheAskedPart() throws {
        try expect(31, ["in.mp4", "--start"], [video, folder.path("out.mp4"), "--start", "99"])
        try expect(31, ["in.mp4", "--sequence-rate"], [video, folder.path("out.mp4"), "--sequence-rate", "10"])
    }

    @Test func previewReplacesNothing() throws {
        let picture = folder.path("day.png"), style = folder.path("style.png"), output = folder.path("night.png")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin"] + Source.picture + ["-frames:v", "1", picture])
        try FileManager.default.copyItem(atPath: picture, toPath: style)
        let before = try Data(contentsOf: URL(fileURLWithPath: picture))
        try expect(21, ["day.png"], [picture, output, "--preview", picture, "--overwrite"])
        try expect(21, ["style.png"], [picture, output, "--style", style, "--preview", style, "--overwrite"])
        try expect(20, ["style.png", "--overwrite"], [picture, output, "--preview", style])
        try expect(20, ["night.png"], [picture, output, "--preview", folder.path("./night.png"), "--overwrite"])
        try expect(22, ["missing"], [picture, output, "--preview", folder.path("missing/p.png")])
        #expect(try Data(contentsOf: URL(fileURLWithPath: picture)) == before)
        #expect(try Data(contentsOf: URL(fileURLWithPath: style)) == before)
    }

    @Test func folderIntoFile() throws {
        let day = folder.path("day")
        try FileManager.default.createDirectory(atPath: day, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: video, toPath: day + "/a.mp4")
        try expect(22, ["in.mp4"], [day, video])
    }

    @Test func unwritable() throws {
        try expect(22, ["missing"], [video, folder.path("missing/out.mp4")])
        try expect(22, ["full"], [video, "/dev/full/out.mp4"])
    }

    @Test func diskFull() throws {
        // A limit on the size of files stands for a disk without room: the same call fails, with EFBIG for ENOSPC.
        let before = folder.names
        let command = "ulimit -f 4; exec \(Program.solstice) convert \(video) \(folder.path("out.mp4")) --network-size 256x128 --quiet"
        let outcome = try Program.run("bash", ["-c", command])
        #expect(outcome.status == 23, "\(outcome.errors)")
        #expect(folder.names == before)
    }

    @Test func unknownEncoderAndContainer() throws {
        try expect(30, ["libx256"], [video, folder.path("out.mp4"), "--encoder", "libx256"])
        try expect(31, ["mpeg2video", "crf"], [video, folder.path("out.mkv"), "--encoder", "mpeg2video", "--crf", "20"])
        try expect(31, ["turbo"], [video, folder.path("out.mp4"), "--preset", "turbo"])
        try expect(24, ["out.xyz"], [video, folder.path("out.xyz")])
        try expect(24, [], [video, folder.path("out.wav")])
    }

    @Test func badModelsAndStyles() throws {
        let garbage = folder.path("garbage.safetensors"), picture = folder.path("style.png")
        try Data("garbage garbage garbage".utf8).write(to: URL(fileURLWithPath: garbage))
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1", picture])
        try expect(40, ["garbage.safetensors"], [video, folder.path("out.mp4"), "--model", garbage, "--style", picture])
        try expect(42, ["garbage.safetensors"], [video, folder.path("out.mp4"), "--style", garbage])
        try expect(10, ["no.png"], [video, folder.path("out.mp4"), "--style", folder.path("no.png")])
    }

    @Test func cutOffPictures() throws {
        let whole = folder.path("whole.jpg"), cut = folder.path("cut.jpg")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", video, "-frames:v", "1", "-q:v", "2", whole])
        let bytes = try Data(contentsOf: URL(fileURLWithPath: whole))
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: cut))
        try expect(13, ["damaged", "--salvage"], [cut, folder.path("out.png")])
        try expect(42, ["cut.jpg"], [video, folder.path("out.mp4"), "--style", cut])
    }

    @Test func damagedWeights() throws {
        let model = folder.path("damaged.safetensors"), style = folder.path("style.png")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", video, "-frames:v", "1", style])
        let resources = (Program.solstice as NSString).deletingLastPathComponent + "/solstice_TSIT.resources/Models"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: resources + "/night.safetensors"))
        bytes[bytes.count / 2] ^= 0x55
        try bytes.write(to: URL(fileURLWithPath: model))
        try expect(40, ["damaged.safetensors"], [video, folder.path("out.mp4"), "--model", model, "--style", style])
    }

    @Test func usage() throws {
        for arguments in [
            ["--strength", "1.5"], ["--network-size", "big"], ["--to", "autumn"], ["--crf", "20", "--bitrate", "1M"],
            ["--nonsense"], ["--duration", "0"], ["--preview", "x.jpg"],
        ] {
            let outcome = try Program.run(Program.solstice, ["convert", video, folder.path("out.mp4")] + arguments)
            #expect(outcome.status == 64, "\(arguments): \(outcome.errors)")
        }
        let outcome = try Program.run(Program.solstice, ["convert", video, folder.path("out.mp4"), "--network-size", "300x200"])
        #expect(outcome.status == 31, "\(outcome.errors)")
    }
}
