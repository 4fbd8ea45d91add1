import Foundation
import TestSupport
import Testing

/// A short source, two style pictures, and runs of the program on them.
struct StyleBench: Sendable {
    let folder: TemporaryFolder
    let input: String
    /// A dark and a bright style.
    let dark, bright: String

    /// - Parameters:
    ///   - scene: a source of ffmpeg's lavfi; 25 frames a second.
    ///   - streams: what else ffmpeg is told of the file; lossless video alone where empty.
    init(scene: String = "testsrc2", seconds: Double = 0.6, streams: [String] = []) throws {
        folder = try TemporaryFolder()
        input = folder.path("in.mkv")
        (dark, bright) = (folder.path("dark.png"), folder.path("bright.png"))
        try Program.output(
            "ffmpeg",
            ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "\(scene)=size=160x96:rate=25:duration=\(seconds)"]
                + (streams.isEmpty ? ["-c:v", "ffv1", "-pix_fmt", "yuv420p"] : streams) + [input])
        for (path, colour) in [(dark, "0x101830"), (bright, "0xF0E0C0")] {
            let picture = "color=\(colour):size=128x64,drawbox=x=20:y=10:w=40:h=30:color=gray:t=fill"
            try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", picture, "-frames:v", "1", path])
        }
    }

    func convert(_ output: String, _ options: [String] = []) throws -> Program.Outcome {
        try ContractTests.convert(input, folder.path(output), options)
    }

    /// Converts without loss and gives the hash of every frame.
    func frames(_ output: String, _ options: [String]) throws -> [String] {
        let outcome = try convert(output, ["--encoder", "ffv1"] + options)
        #expect(outcome.status == 0, "\(outcome.errors)")
        return try Self.frames(folder.path(output))
    }

    /// A hash of the samples of every video frame.
    static func frames(_ path: String) throws -> [String] {
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", path, "-map", "0:v:0", "-f", "framemd5", "-"])
            .split(separator: "\n").filter { !$0.hasPrefix("#") }
            .map { String($0.split(separator: ",").last ?? "").trimmingCharacters(in: .whitespaces) }
    }

    /// Mean of each frame's luma, 0...255.
    func brightness(_ output: String) throws -> [Double] {
        let raw = folder.path("brightness.gray")
        try Program.output(
            "ffmpeg", ["-v", "error", "-y", "-nostdin", "-i", folder.path(output), "-f", "rawvideo", "-pix_fmt", "gray", raw])
        let bytes = try Data(contentsOf: URL(fileURLWithPath: raw))
        let size = 160 * 96
        return (0..<bytes.count / size).map { frame in
            bytes[frame * size..<(frame + 1) * size].reduce(0.0) { $0 + Double($1) } / Double(size)
        }
    }

    /// The last line of `--json` of that event.
    static func event(_ name: String, _ outcome: Program.Outcome) throws -> [String: Any]? {
        try outcome.output.split(separator: "\n").compactMap {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }.last { $0["event"] as? String == name }
    }
}

@Suite("Several outputs of one run") struct FanOutTests {
    @Test("each has the bits that a run of its own gives it", arguments: [[], ["--strength", "0.5"], ["--strength", "0"]])
    func sameAsAlone(options: [String]) throws {
        let bench = try StyleBench()
        let mixture = "\(bench.dark):0.3,\(bench.bright):0.7"
        let alone = try [["--style", bench.dark], ["--style", bench.bright], ["--style", mixture]].enumerated().map {
            try bench.frames("alone\($0).mkv", options + $1)
        }
        let together = try bench.frames(
            "a.mkv",
            options + ["--style", bench.dark, "--also", "\(bench.bright)=\(bench.folder.path("b.mkv"))", "--also",
                "\(mixture)=\(bench.folder.path("c.mkv"))"])
        #expect(together.count == 15)
        #expect(together == alone[0])
        #expect(try StyleBench.frames(bench.folder.path("b.mkv")) == alone[1])
        #expect(try StyleBench.frames(bench.folder.path("c.mkv")) == alone[2])
        if options != ["--strength", "0"] { #expect(Set([alone[0][7], alone[1][7], alone[2][7]]).count == 3) }
    }

    @Test("each holds every other stream and tag, in whatever container, with its own sidecars")
    func otherStreams() throws {
        let words = try TemporaryFolder()
        let subtitles = words.path("words.srt")
        try Data("1\n00:00:00,100 --> 00:00:00,300\nhello\n\n2\n00:00:00,400 --> 00:00:00,500\nroad\n".utf8)
            .write(to: URL(fileURLWithPath: subtitles))
        let bench = try StyleBench(
            streams: Source.tone + ["-i", subtitles, "-map", "0:v", "-map", "1:a", "-map", "2:s"] + Source.x264
                + ["-c:a", "aac", "-c:s", "srt", "-metadata", "title=Road"])
        let outputs = ["a.mkv", "b.mkv", "c.mp4"].map(bench.folder.path)
        let outcome = try Program.run(
            Program.solstice,
            ["convert", bench.input, outputs[0], "--network-size", "256x128", "--json", "--also", "\(bench.dark)=\(outputs[1])",
             "--also", "\(bench.bright)=\(outputs[2])"])
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        for output in outputs {
            #expect(try Probe.packets(output, "a").map(\.hash) == Probe.packets(bench.input, "a").map(\.hash))
            #expect(try Probe.tags(output)["title"] == "Road")
            #expect(try Probe.framePts(output).count == 15)
        }
        for output in outputs.dropLast() {
            #expect(try Probe.packets(output, "s").map(\.hash) == Probe.packets(bench.input, "s").map(\.hash))
        }
        // MP4 holds no SubRip: only that output has it beside it.
        let beside = bench.folder.names.filter { $0.contains(".streams.") }
        #expect(!beside.isEmpty && beside.allSatisfy { $0.hasPrefix("c.mp4.") }, "\(beside)")

        let done = try #require(try StyleBench.event("done", outcome))
        #expect(done["output"] as? String == outputs[0])
        let listed = try #require(done["outputs"] as? [[String: Any]])
        #expect(listed.map { $0["output"] as? String } == outputs)
        #expect((listed[2]["also_written"] as? [String])?.isEmpty == false)
        #expect((listed[0]["also_written"] as? [String]) == [])
        let notices = outcome.output.split(separator: "\n").filter { $0.contains("\"notice\"") }
        #expect(Set(notices).count == notices.count)
    }

    @Test("pictures and numbered sequences")
    func pictures() throws {
        let bench = try StyleBench()
        let picture = bench.folder.path("day.png")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", bench.input, "-frames:v", "1", picture])
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", bench.input, "-frames:v", "3", bench.folder.path("f_%02d.png")])
        func run(_ input: String, _ a: String, _ b: String) throws {
            let outcome = try ContractTests.convert(
                input, bench.folder.path(a), ["--style", bench.dark, "--also", "\(bench.bright)=\(bench.folder.path(b))"])
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
        try run(picture, "one.png", "two.png")
        try run(bench.folder.path("f_%02d.png"), "g_%02d.png", "h_%02d.png")
        #expect(bench.folder.names.filter { $0.hasPrefix("g_") || $0.hasPrefix("h_") }.count == 6)
        let (one, two) = (try StyleBench.frames(bench.folder.path("one.png")), try StyleBench.frames(bench.folder.path("two.png")))
        #expect(one.count == 1 && one != two)
    }

    @Test("a second output that cannot be written leaves nothing of either")
    func failures() throws {
        let bench = try StyleBench()
        let before = bench.folder.names
        func expect(_ status: Int32, _ word: String, _ output: String, _ options: [String] = []) throws {
            let outcome = try bench.convert("a.mkv", ["--also", "\(bench.dark)=\(output)"] + options)
            #expect(outcome.status == status, "\(outcome.errors)")
            #expect(outcome.errors.contains(word) && outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
            #expect(bench.folder.names == before)
        }
        try expect(22, "missing", bench.folder.path("missing/b.mkv"))
        try expect(24, "b.xyz", bench.folder.path("b.xyz"))
        try expect(31, "prores", bench.folder.path("b.mp4"), ["--encoder", "prores"])
        let command = "ulimit -f 4; exec \(Program.solstice) convert \(bench.input) \(bench.folder.path("a.mkv")) "
            + "--network-size 256x128 --quiet --also \(bench.dark)=\(bench.folder.path("b.mkv"))"
        #expect(try Program.run("bash", ["-c", command]).status == 23)
        #expect(bench.folder.names == before)
    }

    @Test("outputs that are one file, the input, the preview or a style are refused")
    func sameFile() throws {
        let bench = try StyleBench()
        let folder = bench.folder
        let there = folder.path("there.mkv"), style = folder.path("style.mkv")
        try Data("precious".utf8).write(to: URL(fileURLWithPath: there))
        try FileManager.default.linkItem(atPath: there, toPath: folder.path("hard.mkv"))
        try FileManager.default.createSymbolicLink(atPath: folder.path("soft.mkv"), withDestinationPath: "there.mkv")
        try FileManager.default.createSymbolicLink(atPath: folder.path("dangling.mkv"), withDestinationPath: "new.mkv")
        try FileManager.default.createSymbolicLink(atPath: folder.path("here"), withDestinationPath: folder.url.path)
        try FileManager.default.copyItem(atPath: bench.dark, toPath: style)
        let before = folder.names
        func refused(_ status: Int32, _ first: String, _ second: String, _ options: [String] = []) throws {
            let outcome = try bench.convert(first, ["--overwrite", "--also", "\(bench.bright)=\(folder.path(second))"] + options)
            #expect(outcome.status == status, "\(first) \(second): \(outcome.errors)")
            #expect(folder.names == before)
        }
        try refused(20, "a.mkv", "a.mkv")
        try refused(20, "a.mkv", "./a.mkv")
        try refused(20, "a.mkv", "here/a.mkv")
        try refused(20, "there.mkv", "hard.mkv")
        try refused(20, "there.mkv", "soft.mkv")
        try refused(20, "new.mkv", "dangling.mkv")
        try refused(21, "a.mkv", "in.mkv")
        try refused(21, "a.mkv", "style.mkv", ["--style", style])
        try refused(20, "a.mkv", "p.png", ["--preview", folder.path("p.png")])
        #expect(try String(contentsOfFile: there, encoding: .utf8) == "precious")
    }

    @Test("what appears under an output's name meanwhile stays, and nothing else does")
    func takenMeanwhile() throws {
        let bench = try StyleBench(seconds: 8), log = try TemporaryFolder()
        let before = bench.folder.names
        let second = bench.folder.path("b.mkv")
        let running = try Program.start(
            Program.solstice, ["convert", bench.input, bench.folder.path("a.mkv"), "--also", "\(bench.dark)=\(second)"] + ContractTests.quick,
            in: log.url)
        let end = Date().addingTimeInterval(30)
        while bench.folder.names.count < before.count + 2 && Date() < end { usleep(2000) }
        try Data("precious".utf8).write(to: URL(fileURLWithPath: second))
        #expect(running.wait(limit: 60).status == 20)
        #expect(bench.folder.names == (before + ["b.mkv"]).sorted())
        #expect(try String(contentsOfFile: second, encoding: .utf8) == "precious")
    }

    @Test("interrupted, it leaves nothing")
    func interrupted() throws {
        let bench = try StyleBench(seconds: 60), log = try TemporaryFolder()
        let before = bench.folder.names
        let running = try Program.start(
            Program.solstice,
            ["convert", bench.input, bench.folder.path("a.mkv"), "--quiet", "--also", "\(bench.dark)=\(bench.folder.path("b.mp4"))"],
            in: log.url)
        let end = Date().addingTimeInterval(30)
        while bench.folder.names.count < before.count + 2 && Date() < end { usleep(5000) }
        #expect(bench.folder.names.count >= before.count + 2)
        running.send(signal: SIGINT)
        #expect(running.wait(limit: 20).status == 128 + SIGINT)
        #expect(bench.folder.names == before)
    }

    @Test("folders: a file is left out when all its outputs are there, and only the missing ones are made")
    func folders() throws {
        let bench = try StyleBench()
        let day = bench.folder.path("day"), night = bench.folder.path("night"), snow = bench.folder.path("snow")
        try FileManager.default.createDirectory(atPath: day + "/deep", withIntermediateDirectories: true)
        for name in ["/a.mkv", "/deep/b.mkv"] { try FileManager.default.copyItem(atPath: bench.input, toPath: day + name) }
        let options = ["--network-size", "256x128", "--json", "--encoder", "ffv1"]
        func run(_ also: String) throws -> Program.Outcome {
            try Program.run(Program.solstice, ["convert", day, night, "--also", "\(bench.dark)=\(also)"] + options)
        }
        #expect(try run(snow).status == 0)
        let whole = try StyleBench.frames(snow + "/deep/b.mkv")
        #expect(try StyleBench.frames(night + "/deep/b.mkv") != whole)
        let kept = try FileManager.default.attributesOfItem(atPath: night + "/deep/b.mkv")[.systemFileNumber] as? Int
        try FileManager.default.removeItem(atPath: snow + "/deep/b.mkv")
        let again = try run(snow)
        #expect(again.status == 0, "\(again.output)")
        let done = try #require(try StyleBench.event("done", again)), skipped = try #require(try StyleBench.event("skipped", again))
        #expect((done["outputs"] as? [[String: Any]])?.compactMap { $0["output"] as? String } == [snow + "/deep/b.mkv"])
        #expect(skipped["outputs"] as? [String] == [night + "/a.mkv", snow + "/a.mkv"])
        #expect(try StyleBench.frames(snow + "/deep/b.mkv") == whole)
        #expect(try FileManager.default.attributesOfItem(atPath: night + "/deep/b.mkv")[.systemFileNumber] as? Int == kept)
        for (output, status) in [(night, 20), (night + "/deep", 20), (day, 21), (bench.dark, 22)] as [(String, Int32)] {
            #expect(try run(output).status == status, "\(output)")
        }
    }

    @Test("bench measures what a further style costs, and every branch")
    func bench() throws {
        let bench = try StyleBench()
        let network = try Program.output(
            Program.solstice, ["bench", "network", "--styles", "3", "--ngf", "2", "--size", "256x128", "--runs", "3", "--json"])
        let figures = try #require(try JSONSerialization.jsonObject(with: Data(network.utf8)) as? [String: Any])
        #expect(figures["styles"] as? Int == 3)
        #expect((figures["single_ms"] as? Double ?? 0) > 0)
        #expect(figures["marginal_ms"] is Double)
        let pipeline = try Program.output(
            Program.solstice,
            ["bench", "pipeline", bench.input, "--also", "\(bench.dark)=", "--network-size", "256x128", "--json"])
        let report = try #require(try JSONSerialization.jsonObject(with: Data(pipeline.utf8)) as? [String: Any])
        let names = (report["stages"] as? [[String: Any]])?.compactMap { $0["name"] as? String }
        #expect(names == ["demux", "decode", "preprocess", "generate", "postprocess", "encode", "mux", "postprocess 2", "encode 2", "mux 2"])
        let refused = try Program.run(Program.solstice, ["bench", "pipeline", bench.input, "--also", "\(bench.dark)=x.mkv"])
        #expect(refused.status == 64)
    }
}
