import Foundation
import TestSupport
import Testing

@Suite("Styles and strengths in time") struct TimelineTests {
    /// A scene that stands still: what changes is the style alone. Frame n is shown at n/25 s.
    private static func still() throws -> StyleBench { try StyleBench(scene: "smptebars") }

    /// True where every value lies behind the one before it, in one direction.
    private func isMonotonic(_ values: some Collection<Double>) -> Bool {
        let steps = zip(values, values.dropFirst()).map { $1 - $0 }
        return !steps.isEmpty && (steps.allSatisfy { $0 > 0 } || steps.allSatisfy { $0 < 0 })
    }

    @Test("at a keyframe, before the first and after the last it is that style, between them it moves")
    func styles() throws {
        let bench = try Self.still()
        let dark = try bench.frames("dark.mkv", ["--style", bench.dark])
        let bright = try bench.frames("bright.mkv", ["--style", bench.bright])
        let moving = try bench.frames("moving.mkv", ["--style-at", "0.2=\(bench.dark),0:00.4=\(bench.bright)"])
        #expect(moving[...5] == dark[...5])
        #expect(moving[10...] == bright[10...])
        #expect(zip(moving[6...9], dark[6...9]).allSatisfy { $0 != $1 })
        #expect(isMonotonic(try bench.brightness("moving.mkv")[5...10]))
    }

    @Test("strength 0 is the source's own frame and 1 the translation's, between them it grows")
    func strengths() throws {
        let bench = try Self.still()
        let none = try bench.frames("none.mkv", ["--strength", "0"]), full = try bench.frames("full.mkv", [])
        let moving = try bench.frames("moving.mkv", ["--strength-at", "0.2=0,0.4=1"])
        #expect(moving[...5] == none[...5])
        #expect(moving[10...] == full[10...])
        #expect(none == (try StyleBench.frames(bench.input)))
        #expect(isMonotonic(try bench.brightness("moving.mkv")[5...10]))
        let back = try bench.frames("back.mkv", ["--strength-at", "0.2=1,0.4=0"])
        #expect(back[5] == full[5] && back[10] == none[10] && back[7] != full[7] && back[7] != none[7])
    }

    @Test("the preview of a frame without strength shows the source twice")
    func preview() throws {
        let bench = try Self.still()
        let path = bench.folder.path("p.png")
        #expect(try bench.convert("a.mkv", ["--strength-at", "9=0,10=1", "--preview", path]).status == 0)
        func half(_ x: Int) throws -> [String] {
            try Program.output(
                "ffmpeg", ["-v", "error", "-nostdin", "-i", path, "-vf", "crop=160:96:\(x):0", "-f", "framemd5", "-"]
            ).split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
        }
        #expect(try half(0) == half(160))
    }

    @Test("time is the source's, whatever part of it is converted")
    func window() throws {
        let bench = try StyleBench()
        let options = ["--style-at", "0.1=\(bench.dark),0.5=\(bench.bright)", "--strength-at", "0=0.4,0.4=1"]
        let whole = try bench.frames("whole.mkv", options)
        let part = try bench.frames("part.mkv", options + ["--start", "0.2", "--duration", "0.2"])
        #expect(part == Array(whole[5..<10]))
        // A source that starts late counts from its own start.
        let late = bench.folder.path("late.mkv")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", bench.input, "-c", "copy", "-output_ts_offset", "2", late])
        #expect(try ContractTests.convert(late, bench.folder.path("from-late.mkv"), options + ["--encoder", "ffv1"]).status == 0)
        #expect(try StyleBench.frames(bench.folder.path("from-late.mkv")) == whole)
    }

    @Test("keyframes in a file, and of a picture the one at 0")
    func files() throws {
        let bench = try StyleBench()
        let list = bench.folder.path("styles.txt")
        try Data("# evening\n0:00=\(bench.dark)\n0.4=\(bench.bright):2,\(bench.dark)  # half light\n".utf8).write(to: URL(fileURLWithPath: list))
        let text = "0:00=\(bench.dark),0.4=\(bench.bright):2,\(bench.dark)"
        #expect(try bench.frames("a.mkv", ["--style-at", "@\(list)"]) == bench.frames("b.mkv", ["--style-at", text]))
        let picture = bench.folder.path("day.png")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", bench.input, "-frames:v", "1", picture])
        let outputs = try [["--style-at", text], ["--style", bench.dark]].enumerated().map { place, options in
            let output = bench.folder.path("night\(place).png")
            #expect(try ContractTests.convert(picture, output, options).status == 0)
            return try StyleBench.frames(output)
        }
        #expect(outputs[0] == outputs[1])
    }

    @Test("--norm overrides the model's")
    func normalization() throws {
        let bench = try StyleBench()
        let own = try bench.frames("a.mkv", []), running = try bench.frames("b.mkv", ["--norm", "running"])
        #expect(own == running)
        #expect(try bench.frames("c.mkv", ["--norm", "frame"]) != own)
    }

    @Test("a model file has its own style, or the one that --to names")
    func modelStyles() throws {
        let bench = try StyleBench()
        let models = (Program.solstice as NSString).deletingLastPathComponent + "/solstice_TSIT.resources/Models/"
        let files = FileManager.default, folder = bench.folder
        let model = folder.path("mine.safetensors")
        try files.copyItem(atPath: models + "night.safetensors", toPath: model)
        let alone = try bench.convert("a.mkv", ["--model", model])
        #expect(alone.status == 41 && alone.errors.contains("--style"), "\(alone.errors)")

        try files.copyItem(atPath: models + "night.style", toPath: folder.path("dusk.style"))
        try files.copyItem(atPath: models + "winter.style", toPath: folder.path("other.style"))
        let night = try bench.frames("night.mkv", ["--to", "night"])
        #expect(try bench.frames("dusk.mkv", ["--model", model, "--to", "dusk"]) == night)
        #expect(try bench.frames("named.mkv", ["--model", model, "--style", "dusk"]) == night)
        let unknown = try bench.convert("a.mkv", ["--model", model, "--to", "dawn"])
        #expect(unknown.status == 10 && unknown.errors.contains("dusk") && !unknown.errors.contains("other"), "\(unknown.errors)")
        let foreign = try bench.convert("a.mkv", ["--model", model, "--to", "other"])
        #expect(foreign.status == 41, "\(foreign.errors)")

        try files.copyItem(atPath: models + "night.style", toPath: folder.path("mine.style"))
        #expect(try bench.frames("default.mkv", ["--model", model]) == night)
    }

    @Test("options that contradict each other or mean nothing are refused before any work", arguments: [
        (64, ["--style", "a.png", "--style-at", "0=a.png"]), (64, ["--strength", "1", "--strength-at", "0=1"]),
        (64, ["--model", "m.safetensors", "--to", "dusk", "--style", "a.png"]), (64, ["--to", "dusk"]),
        (64, ["--also", "a.png"]), (64, ["--also", "a.png="]), (64, ["--also", "=b.mkv"]), (64, ["--norm", "batch"]),
        (31, ["--style-at", "a.png"]), (31, ["--style-at", "0:10=a.png,0:05=b.png"]), (31, ["--strength-at", "0=2"]),
        (31, ["--style", "a.png:0"]), (31, ["--also", "a.png:-1=b.mkv"]), (10, ["--style-at", "@nowhere.txt"]),
        (10, ["--also", "nowhere=b.mkv"]), (10, ["--model", "nowhere.safetensors"]),
    ] as [(Int32, [String])])
    func refused(status: Int32, options: [String]) throws {
        let bench = try StyleBench()
        let before = bench.folder.names
        let outcome = try Program.run(Program.solstice, ["convert", bench.input, bench.folder.path("out.mkv")] + options)
        #expect(outcome.status == status, "\(outcome.errors)")
        #expect(bench.folder.names == before)
        #expect(!FileManager.default.fileExists(atPath: "b.mkv"))
    }
}
