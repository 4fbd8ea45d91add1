import Foundation
import TestSupport
import Testing

/// A source made with the ffmpeg program, and what its conversion is written as.
struct Source: Sendable, CustomTestStringConvertible {
    let name: String
    let file: String
    let arguments: [String]
    var output = "out.mp4"
    var options: [String] = []
    var testDescription: String { name }

    static let picture = ["-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=0.6"]
    static let tone = ["-f", "lavfi", "-i", "sine=frequency=440:duration=0.6"]
    static let x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-threads", "1"]

    static let all: [Source] = [
        Source(name: "plain with AAC", file: "in.mp4", arguments: picture + tone + x264 + ["-c:a", "aac"]),
        Source(
            name: "B-frames", file: "in.mp4",
            arguments: picture + ["-c:v", "libx264", "-bf", "3", "-g", "12", "-pix_fmt", "yuv420p", "-threads", "1"]),
        Source(
            name: "variable frame rate", file: "in.mkv",
            arguments: picture + ["-vf", "select='not(between(n,3,6))*not(eq(n,9))'", "-vsync", "vfr"] + x264, output: "out.mkv"),
        Source(
            name: "variable frame rate into MP4", file: "in.mp4",
            arguments: picture + ["-vf", "select='not(between(n,3,6))*not(eq(n,9))'", "-vsync", "vfr"] + x264),
        Source(name: "late start", file: "in.mkv", arguments: picture + tone + ["-output_ts_offset", "1.5"] + x264, output: "out.mkv"),
        Source(
            name: "non-square samples", file: "in.mp4", arguments: picture + ["-vf", "setsar=4/3"] + x264),
        Source(name: "4:2:2", file: "in.mp4", arguments: picture + ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv422p"]),
        Source(name: "4:4:4", file: "in.mkv", arguments: picture + ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p"], output: "out.mkv"),
        Source(name: "10 bit", file: "in.mp4", arguments: picture + ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le"]),
        Source(
            name: "full range BT.709", file: "in.mp4",
            arguments: picture + x264 + ["-vf", "scale=out_range=full:out_color_matrix=bt709", "-color_range", "pc", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]),
        Source(
            name: "BT.2020", file: "in.mp4",
            arguments: picture + ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", "bt2020-10"]),
        Source(
            name: "interlaced", file: "in.mp4",
            arguments: picture + ["-vf", "interlace,setfield=tff", "-c:v", "libx264", "-flags", "+ildct+ilme", "-pix_fmt", "yuv420p"]),
        Source(name: "MPEG-4 in AVI", file: "in.avi", arguments: picture + tone + ["-c:v", "mpeg4", "-c:a", "mp3"], output: "out.mkv"),
        Source(name: "MPEG-2 transport stream", file: "in.ts", arguments: picture + tone + ["-c:v", "mpeg2video", "-c:a", "mp2"], output: "out.mkv"),
        Source(name: "VP9 in WebM", file: "in.webm", arguments: picture + ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"], output: "out.mkv"),
        Source(name: "VP8 in WebM", file: "in.webm", arguments: picture + ["-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "10"], output: "out.mkv"),
        Source(name: "HEVC", file: "in.mp4", arguments: picture + ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"]),
        Source(name: "odd size", file: "in.mkv", arguments: ["-f", "lavfi", "-i", "testsrc2=size=161x97:rate=25:duration=0.4", "-c:v", "ffv1", "-pix_fmt", "yuv420p"], output: "out.mkv"),
        Source(name: "motion JPEG", file: "in.mov", arguments: picture + ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"], output: "out.mov"),
    ]
}

@Suite("Converted videos keep what the source has") struct ContractTests {
    static let quick = ["--network-size", "256x128", "--quiet"]

    static func make(_ source: Source, in folder: TemporaryFolder) throws -> String {
        let path = folder.path(source.file)
        try Program.output("ffmpeg", ["-v", "error", "-y", "-nostdin"] + source.arguments + [path])
        return path
    }

    static func convert(_ input: String, _ output: String, _ options: [String] = []) throws -> Program.Outcome {
        try Program.run(Program.solstice, ["convert", input, output] + quick + options)
    }

    @Test("frames, timestamps, geometry, colour tags and other streams", arguments: Source.all)
    func contract(source: Source) throws {
        let folder = try TemporaryFolder()
        let input = try Self.make(source, in: folder), output = folder.path(source.output)
        let outcome = try Self.convert(input, output, source.options)
        #expect(outcome.status == 0, "\(outcome.errors)")

        let before = try Probe.framePts(input), after = try Probe.framePts(output)
        #expect(before.count == after.count)
        for (a, b) in zip(before, after) { #expect(abs(a - b) < 0.0011) }

        let keys = ["width", "height", "sample_aspect_ratio", "color_range", "color_space", "color_primaries", "color_transfer"]
        let old = try Probe.video(input, keys), new = try Probe.video(output, keys)
        for key in keys where old[key] != "unknown" && old[key] != nil {
            // Limited range is what H.264 means where the stream says nothing else (ITU-T H.264, E.2.1), and x264 says nothing.
            if key == "color_range", old[key] == "tv", new[key] == "unknown" { continue }
            #expect(new[key] == old[key], "\(key)")
        }

        let oldAudio = try Probe.packets(input, "a"), newAudio = try Probe.packets(output, "a")
        #expect(oldAudio.map(\.hash) == newAudio.map(\.hash))
        for (a, b) in zip(oldAudio, newAudio) where a.pts != nil { #expect(abs((a.pts ?? -1) - (b.pts ?? -1)) < 0.0011) }
        #expect(folder.names.filter { !$0.hasPrefix(".") }.sorted() == [source.file, source.output].sorted())
    }
}
