import Foundation
import TestSupport
import Testing

@Suite("Options of convert") struct ConvertTests {
    let folder: TemporaryFolder
    let input: String

    init() throws {
        folder = try TemporaryFolder()
        input = folder.path("in.mp4")
        try Program.output(
            "ffmpeg",
            ["-v", "error", "-nostdin"] + Source.picture + Source.tone + Source.x264
                + ["-c:a", "aac", "-metadata", "title=Road", "-metadata", "location=+47.3+008.5/",
                   "-metadata:s:a", "language=deu", "-movflags", "use_metadata_tags", "-metadata", "com.example.camera=front",
                   "-metadata", "creation_time=2026-05-04T03:02:01Z", input])
    }

    private func convert(_ output: String, _ options: [String] = []) throws -> Program.Outcome {
        try ContractTests.convert(input, folder.path(output), options)
    }

    /// Mean of the first frame's samples over all three components, 0...255.
    private func brightness(_ path: String) throws -> Double {
        let raw = folder.path("brightness.rgb")
        try Program.output("ffmpeg", ["-v", "error", "-y", "-i", path, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", raw])
        let bytes = try Data(contentsOf: URL(fileURLWithPath: raw))
        return bytes.reduce(0.0) { $0 + Double($1) } / Double(bytes.count)
    }

    @Test("metadata, also keys that the container calls unknown, go along")
    func metadata() throws {
        #expect(try convert("out.mp4").status == 0)
        let tags = try Probe.tags(folder.path("out.mp4"))
        let expected = try Probe.tags(input)
        for key in ["title", "location", "com.example.camera", "creation_time"] {
            #expect(expected[key] != nil, "\(key)")
            #expect(tags[key] == expected[key], "\(key)")
        }
    }

    @Test("night is darker, strength 0 is the source, strength blends")
    func strength() throws {
        #expect(try convert("night.mp4").status == 0)
        #expect(try convert("half.mp4", ["--strength", "0.5"]).status == 0)
        #expect(try convert("source.mp4", ["--strength", "0"]).status == 0)
        let (day, night) = (try brightness(input), try brightness(folder.path("night.mp4")))
        #expect(night < day - 20)
        #expect(abs(try brightness(folder.path("source.mp4")) - day) < 1)
        #expect(abs(try brightness(folder.path("half.mp4")) - (day + night) / 2) < 3)
    }

    @Test("the same seed gives the same file, for any number of threads; another seed another one")
    func seed() throws {
        #expect(try convert("a.mp4", ["--threads", "1", "--seed", "7"]).status == 0)
        #expect(try convert("b.mp4", ["--threads", "3", "--seed", "7"]).status == 0)
        #expect(try convert("c.mp4", ["--seed", "8"]).status == 0)
        let hashes = try ["a", "b", "c"].map { try Probe.packets(folder.path("\($0).mp4"), "v").map(\.hash) }
        #expect(hashes[0] == hashes[1])
        #expect(hashes[0] != hashes[2])
    }

    @Test("start and duration cut every stream to the same moments")
    func window() throws {
        #expect(try convert("out.mp4", ["--start", "0.2", "--duration", "0.2"]).status == 0)
        let pts = try Probe.framePts(folder.path("out.mp4"))
        #expect(pts.count == 5)
        #expect(abs(pts[0]) < 0.002)
        let sound = try Probe.packets(folder.path("out.mp4"), "a").compactMap(\.pts)
        #expect((sound.first ?? -1) >= -0.05 && (sound.last ?? 1) < 0.2)
        #expect(!sound.isEmpty)
    }

    @Test("a second run with the same style picture takes the statistics from the cache")
    func styleCache() throws {
        let style = folder.path("style.png")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "mandelbrot=size=300x200", "-frames:v", "1", style])
        func cached(_ output: String) throws -> Bool? {
            let outcome = try Program.run(
                Program.solstice,
                ["convert", input, folder.path(output), "--network-size", "256x128", "--style", style, "--json"],
                environment: ["XDG_CACHE_HOME": folder.path("cache")])
            #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
            let last = outcome.output.split(separator: "\n").last.map { Data($0.utf8) } ?? Data()
            let object = try JSONSerialization.jsonObject(with: last) as? [String: Any]
            return object?["style_cached"] as? Bool
        }
        #expect(try cached("a.mp4") == false)
        #expect(try cached("b.mp4") == true)
        let hashes = try ["a", "b"].map { try Probe.packets(folder.path("\($0).mp4"), "v").map(\.hash) }
        #expect(hashes[0] == hashes[1])
    }

    @Test("a rotated video is stored as it was, coded size and display matrix")
    func rotation() throws {
        let turned = folder.path("turned.mp4")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", input, "-c", "copy", "-metadata:s:v", "rotate=90", turned])
        #expect(try ContractTests.convert(turned, folder.path("out.mp4")).status == 0)
        let keys = ["width", "height"]
        let (old, new) = (try Probe.video(turned, keys), try Probe.video(folder.path("out.mp4"), keys))
        #expect(old["rotation"] != nil)
        #expect(old == new)
    }

    @Test("a change of resolution in the middle is fitted to the first size")
    func resolutionChange() throws {
        let parts = try [("160x96", "a.ts"), ("320x180", "b.ts")].map { size, name in
            try Program.output(
                "ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=\(size):rate=25:duration=0.4"] + Source.x264 + [folder.path(name)])
            return try Data(contentsOf: URL(fileURLWithPath: folder.path(name)))
        }
        let joined = folder.path("joined.ts")
        try (parts[0] + parts[1]).write(to: URL(fileURLWithPath: joined))
        let outcome = try ContractTests.convert(joined, folder.path("out.mkv"), ["--salvage"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try Probe.framePts(folder.path("out.mkv")).count == 20)
        #expect(try Probe.video(folder.path("out.mkv"), ["width"])["width"] == "160")
    }

    @Test("pictures and numbered sequences")
    func pictures() throws {
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", input, "-frames:v", "4", folder.path("f_%03d.png")])
        #expect(try ContractTests.convert(folder.path("f_001.png"), folder.path("one.jpg")).status == 0)
        #expect(try ContractTests.convert(folder.path("f_%03d.png"), folder.path("g_%03d.png")).status == 0)
        #expect(folder.names.filter { $0.hasPrefix("g_") } == (1...4).map { "g_00\($0).png" })
        #expect(try ContractTests.convert(folder.path("f_%03d.png"), folder.path("clip.mp4"), ["--sequence-rate", "10"]).status == 0)
        let pts = try Probe.framePts(folder.path("clip.mp4"))
        #expect(pts.count == 4 && abs(pts[3] - 0.3) < 0.001)
        #expect(try brightness(folder.path("one.jpg")) < (try brightness(folder.path("f_001.png"))) - 20)
    }

    @Test("the network at the video's own size, and without detail transfer")
    func sizes() throws {
        #expect(try Program.run(Program.solstice, ["convert", input, folder.path("n.mp4"), "--network-size", "native", "--quiet"]).status == 0)
        #expect(try convert("plain.mp4", ["--detail", "none", "--to", "winter"]).status == 0)
        #expect(try Probe.framePts(folder.path("n.mp4")).count == 15)
    }

    @Test("preview shows before and after side by side")
    func preview() throws {
        #expect(try convert("out.mp4", ["--preview", folder.path("p.png")]).status == 0)
        let size = try Probe.video(folder.path("p.png"), ["width", "height"])
        #expect(size["width"] == "320" && size["height"] == "96")
    }

    @Test("an encoder of one's own choice")
    func encoders() throws {
        #expect(try convert("a.mp4", ["--encoder", "libx265", "--crf", "30", "--preset", "ultrafast"]).status == 0)
        #expect(try Probe.codecs(folder.path("a.mp4")).contains("hevc"))
        #expect(try convert("b.mkv", ["--encoder", "ffv1"]).status == 0)
        #expect(try convert("c.mp4", ["--encoder", "mpeg4", "--bitrate", "800k"]).status == 0)
    }

    @Test("pictures keep their colours whatever rules their format has", arguments: ["jpg", "webp", "tiff", "png", "bmp"])
    func pictureColours(ending: String) throws {
        let full = folder.path("full.jpg"), rgb = folder.path("rgb.png"), palette = folder.path("palette.png")
        // 720 lines, where video would mean BT.709 and pictures do not.
        let scene = ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "smptebars=size=1280x720", "-frames:v", "1"]
        try Program.output("ffmpeg", scene + ["-q:v", "2", full])
        try Program.output("ffmpeg", scene + ["-pix_fmt", "rgb24", rgb])
        try Program.output("ffmpeg", scene + ["-pix_fmt", "pal8", palette])
        for source in [full, rgb, palette] {
            let output = folder.path("out.\(ending)")
            let outcome = try ContractTests.convert(source, output, ["--strength", "0", "--overwrite"])
            #expect(outcome.status == 0, "\(source): \(outcome.errors)")
            let (old, new) = (try meanColour(source), try meanColour(output))
            for (a, b) in zip(old, new) { #expect(abs(a - b) < 2.5, "\(source) \(old) -> \(new)") }
        }
    }

    /// Mean red, green and blue of the first frame. YCbCr pictures are BT.601 whatever ffmpeg makes of their size.
    private func meanColour(_ path: String) throws -> [Double] {
        let raw = folder.path("colour.rgb")
        try Program.output(
            "ffmpeg",
            ["-v", "error", "-y", "-i", path, "-frames:v", "1", "-vf", "scale=in_color_matrix=bt601:flags=accurate_rnd+full_chroma_int",
             "-f", "rawvideo", "-pix_fmt", "rgb24", raw])
        let bytes = try Data(contentsOf: URL(fileURLWithPath: raw))
        return (0..<3).map { plane in
            stride(from: plane, to: bytes.count, by: 3).reduce(0.0) { $0 + Double(bytes[$1]) } * 3 / Double(bytes.count)
        }
    }

    @Test("encoders that talk keep quiet", arguments: ["libx265", "libsvtav1"])
    func quietEncoders(encoder: String) throws {
        let outcome = try convert("out.mkv", ["--encoder", encoder])
        #expect(outcome.status == 0)
        // Only the program itself speaks, of what Matroska does not hold.
        #expect(outcome.output == "")
        #expect(outcome.errors.split(separator: "\n").allSatisfy { $0.hasPrefix("solstice: ") }, "\(outcome.errors)")
    }

    @Test("an instruction set that is not there is said to be replaced")
    func unknownInstructionSet() throws {
        let outcome = try Program.run(
            Program.solstice, ["convert", input, folder.path("out.mp4")] + ContractTests.quick,
            environment: ["SOLSTICE_ISA": "mmx"])
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("SOLSTICE_ISA=mmx"), "\(outcome.errors)")
    }

    @Test("a folder: same names, what is done is left out, a failure does not stop the rest")
    func folders() throws {
        let source = folder.path("day"), target = folder.path("night")
        try FileManager.default.createDirectory(atPath: source + "/deep", withIntermediateDirectories: true)
        for name in ["/a.mp4", "/deep/b.mp4"] { try FileManager.default.copyItem(atPath: input, toPath: source + name) }
        try Data("no video".utf8).write(to: URL(fileURLWithPath: source + "/broken.mp4"))
        try Data("left alone".utf8).write(to: URL(fileURLWithPath: source + "/notes.txt"))
        func run() throws -> (status: Int32, events: [String]) {
            let outcome = try Program.run(Program.solstice, ["convert", source, target, "--network-size", "256x128", "--json"])
            let events = try outcome.output.split(separator: "\n").compactMap {
                (try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])?["event"] as? String
            }
            return (outcome.status, events.filter { $0 != "progress" && $0 != "notice" })
        }
        #expect(try run() == (2, ["done", "failed", "done", "summary"]))
        #expect(FileManager.default.fileExists(atPath: target + "/deep/b.mp4"))
        #expect(!FileManager.default.fileExists(atPath: target + "/notes.txt"))
        try FileManager.default.removeItem(atPath: source + "/broken.mp4")
        #expect(try run() == (0, ["skipped", "skipped", "summary"]))
    }
}
