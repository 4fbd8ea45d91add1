import Foundation
import MediaIO
import TestSupport
import Testing

/// A short label video with what belongs to it, a label model, and runs of the program on them.
struct LabelBench: Sendable {
    static let (width, height, count) = (96, 64, 8)
    let folder: TemporaryFolder
    let model: String
    /// Class ids, their Cityscapes colours, and instances, all FFV1.
    let ids, colours, instances: String

    init(vae: Bool = true) throws {
        folder = try TemporaryFolder()
        (ids, colours, instances) = (folder.path("ids.mkv"), folder.path("colours.mkv"), folder.path("instances.mkv"))
        model = folder.path("cityscapes.safetensors")
        let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "TSITTests/Fixtures").path
        var arguments = ["model", "import", "\(fixtures)/sis-G-zip.pth", model, "--native-size", "256x128"]
        if vae { arguments += ["--vae", "\(fixtures)/sis-E-legacy.pth"] }
        try Program.output(Program.solstice, arguments)
        let classes = (0..<Self.count).flatMap(Self.classes)
        try encode(classes, "gray", "gray", ids)
        try encode(classes.flatMap { Self.colours[$0] ?? [] }, "rgb24", "bgr0", colours)
        try encode(
            (0..<Self.count).flatMap { frame in Self.pixels { x, y in UInt8((x + frame) / 24 + y / 16 * 4) } }, "gray", "gray",
            instances)
    }

    static func pixels(_ value: (Int, Int) -> UInt8) -> [UInt8] {
        (0..<height).flatMap { y in (0..<width).map { value($0, y) } }
    }

    /// Sky over buildings over a road, with a car that moves.
    static func classes(frame: Int) -> [UInt8] {
        pixels { x, y in
            if y > 40, y < 56, x > 8 * frame, x < 8 * frame + 30 { return 26 }
            return y < 20 ? 23 : y < 40 ? 11 : 7
        }
    }

    /// Cityscapes' colours of those classes.
    static let colours: [UInt8: [UInt8]] = [7: [128, 64, 128], 11: [70, 70, 70], 23: [70, 130, 180], 26: [0, 0, 142]]

    func encode(_ samples: [UInt8], _ from: String, _ to: String, _ path: String, codec: [String] = ["-c:v", "ffv1"]) throws {
        let raw = folder.path("samples.raw")
        try Data(samples).write(to: URL(fileURLWithPath: raw))
        try Program.output(
            "ffmpeg",
            ["-v", "error", "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", from, "-s", "\(Self.width)x\(Self.height)", "-r", "25", "-i", raw]
                + codec + ["-pix_fmt", to, path])
    }

    func convert(_ input: String, _ output: String, _ options: [String] = []) throws -> Program.Outcome {
        try Program.run(Program.solstice, ["convert", input, folder.path(output), "--model", model] + options)
    }

    func frames(_ input: String, _ output: String, _ options: [String] = []) throws -> [String] {
        let outcome = try convert(input, output, ["--encoder", "ffv1"] + options)
        #expect(outcome.status == 0, "\(outcome.errors)")
        return try StyleBench.frames(folder.path(output))
    }
}

/// Semantic image synthesis from the command line.
@Suite struct LabelConversionTests {
    @Test func labelsBecomePicturesFrameByFrame() throws {
        let bench = try LabelBench()
        let outcome = try bench.convert(bench.ids, "out.mp4")
        #expect(outcome.status == 0, "\(outcome.errors)")
        let out = bench.folder.path("out.mp4")
        #expect(try Probe.framePts(out) == Probe.framePts(bench.ids))
        let video = try Probe.video(out, ["width", "height", "pix_fmt"])
        #expect(video == ["width": "96", "height": "64", "pix_fmt": "yuv420p"])
    }

    @Test func idsAndColoursAreTheSameLabels() throws {
        let bench = try LabelBench()
        let ids = try bench.frames(bench.ids, "ids.out.mkv")
        #expect(ids.count == LabelBench.count && Set(ids).count == LabelBench.count)
        #expect(try bench.frames(bench.colours, "colours.out.mkv") == ids)
        #expect(try bench.frames(bench.ids, "again.mkv") == ids)
    }

    @Test func instancesSeedsAndReferencesChangeThePicture() throws {
        let bench = try LabelBench()
        for (name, colour) in [("red", "red"), ("blue", "0x2040A0")] {
            try Program.output(
                "ffmpeg",
                ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "color=\(colour):size=128x64,drawbox=w=50:h=20:color=gray:t=fill",
                    "-frames:v", "1", bench.folder.path("\(name).png")])
        }
        let (red, blue) = (bench.folder.path("red.png"), bench.folder.path("blue.png"))
        let runs: [[String]] = [
            [], ["--instances", bench.instances], ["--seed", "1"], ["--style", red], ["--style", blue],
            ["--style", "\(red):1,\(blue):1"],
        ]
        let results = try runs.enumerated().map { try bench.frames(bench.ids, "run\($0).mkv", $1) }
        #expect(Set(results.map { $0[0] }).count == runs.count)
        // A reference takes the seed's place; a mixture of one picture is that picture.
        #expect(try bench.frames(bench.ids, "seeded.mkv", ["--style", red, "--seed", "9"]) == results[3])
        #expect(try bench.frames(bench.ids, "mixed.mkv", ["--style", "\(red):0.3,\(red):0.7"]) == results[3])
    }

    @Test func aPartHasTheFramesOfTheWhole() throws {
        let bench = try LabelBench()
        let options = ["--instances", bench.instances]
        let whole = try bench.frames(bench.ids, "whole.mkv", options)
        let part = try bench.frames(bench.ids, "part.mkv", options + ["--start", "0.08", "--duration", "0.12"])
        #expect(part == Array(whole[2..<5]))
    }

    @Test func strengthShowsTheLabelsInTheirColours() throws {
        let bench = try LabelBench()
        let outcome = try bench.convert(bench.ids, "shown.mkv", ["--encoder", "ffv1", "--strength", "0", "--preview", bench.folder.path("p.png")])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let raw = bench.folder.path("first.raw")
        try Program.output(
            "ffmpeg",
            ["-v", "error", "-nostdin", "-i", bench.folder.path("shown.mkv"), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", raw])
        let pixels = [UInt8](try Data(contentsOf: URL(fileURLWithPath: raw)))
        // In the sky, in 8-bit YCbCr: each component within a few steps.
        let sky = pixels[(10 * 96 + 40) * 3..<(10 * 96 + 40) * 3 + 3]
        #expect(zip(sky, [70, 130, 180]).allSatisfy { abs(Int($0) - $1) <= 4 }, "\(Array(sky))")
        #expect(try Probe.video(bench.folder.path("p.png"), ["width", "height"]) == ["width": "192", "height": "64"])
    }

    @Test func whatHoldsNoLabelsIsRefusedWithTheReason() throws {
        let bench = try LabelBench()
        let lossy = bench.folder.path("lossy.mp4"), foreign = bench.folder.path("foreign.mkv"), short = bench.folder.path("short.mkv")
        let classes = (0..<LabelBench.count).flatMap(LabelBench.classes)
        try bench.encode(classes, "gray", "yuv420p", lossy, codec: ["-c:v", "libx264"])
        try bench.encode(classes.map { $0 == 26 ? 40 : $0 }, "gray", "gray", foreign)
        try bench.encode(Array(classes.prefix(3 * 96 * 64)), "gray", "gray", short)
        let cases: [(input: String, options: [String], words: [String])] = [
            (lossy, [], ["h264", "lossy", "--force"]), (foreign, [], ["40"]),
            (bench.ids, ["--instances", short], ["short.mkv"]), (bench.ids, ["--instances", lossy], ["lossy"]),
            (bench.ids, ["--also", "night=\(bench.folder.path("b.mkv"))"], ["--also"]),
            (bench.ids, ["--style-at", "0=night"], ["--style-at"]), (bench.ids, ["--alpha", "0.5"], ["--alpha"]),
        ]
        for (input, options, words) in cases {
            let outcome = try bench.convert(input, "refused.mkv", options)
            #expect(outcome.status != 0 && outcome.status < 64, "\(options): \(outcome.status)")
            let line = outcome.errors.split(separator: "\n").last.map(String.init) ?? ""
            #expect(words.allSatisfy(line.contains), "\(line)")
            #expect(!FileManager.default.fileExists(atPath: bench.folder.path("refused.mkv")))
        }
        let forced = try bench.convert(lossy, "forced.mp4", ["--force"])
        #expect(forced.status == 0, "\(forced.errors)")
        #expect(try Probe.framePts(bench.folder.path("forced.mp4")).count == LabelBench.count)
    }

    @Test func aModelWithoutEncoderTakesNoReference() throws {
        let bench = try LabelBench(vae: false)
        try Program.output(
            "ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1", bench.folder.path("red.png")])
        let outcome = try bench.convert(bench.ids, "out.mkv", ["--style", bench.folder.path("red.png")])
        #expect(outcome.status == 41 && outcome.errors.contains("--vae"), "\(outcome.errors)")
    }

    @Test func labelOptionsNeedALabelModel() throws {
        let bench = try LabelBench()
        for options in [["--instances", bench.instances], ["--force"], ["--reduce-zero-label"]] {
            let outcome = try Program.run(
                Program.solstice, ["convert", bench.ids, bench.folder.path("out.mkv"), "--to", "night"] + options)
            #expect(outcome.status == 31 && outcome.errors.contains("labels"), "\(outcome.errors)")
        }
    }

    @Test func picturesSequencesAndFoldersOfLabelsConvert() throws {
        let bench = try LabelBench()
        let folder = bench.folder.path("in")
        for name in ["", "gt", "gi"] { try FileManager.default.createDirectory(atPath: folder + "/" + name, withIntermediateDirectories: true) }
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", bench.ids, "\(folder)/%02d.png"])
        #expect(try bench.convert("\(folder)/01.png", "one.png").status == 0)
        #expect(try Probe.video(bench.folder.path("one.png"), ["width", "height", "pix_fmt"]) == ["width": "96", "height": "64", "pix_fmt": "rgb24"])
        try FileManager.default.createDirectory(atPath: bench.folder.path("seq"), withIntermediateDirectories: true)
        #expect(try bench.convert("\(folder)/%02d.png", "seq/%02d.png").status == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.folder.path("seq")).count == LabelBench.count)
        try FileManager.default.copyItem(atPath: "\(folder)/01.png", toPath: "\(folder)/gt/a_labelIds.png")
        try FileManager.default.copyItem(atPath: "\(folder)/02.png", toPath: "\(folder)/gi/a_instanceIds.png")
        let outcome = try bench.convert("\(folder)/gt", "gt-out", ["--instances", "\(folder)/gi"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(FileManager.default.fileExists(atPath: bench.folder.path("gt-out/a_labelIds.png")))
    }
}
