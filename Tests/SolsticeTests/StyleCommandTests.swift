import Foundation
import Imaging
import MediaIO
import TestSupport
import Testing

@testable import Pipeline

/// The program's style commands, with a cache of their own.
struct StyleProgram {
    let folder: TemporaryFolder
    let cache: TemporaryFolder

    init() throws { (folder, cache) = (try TemporaryFolder(), try TemporaryFolder()) }

    func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Program.Outcome {
        try Program.run(
            Program.solstice, arguments, environment: ["XDG_CACHE_HOME": cache.url.path].merging(environment) { $1 })
    }

    func style(_ arguments: [String]) throws -> Program.Outcome { try run(["style"] + arguments) }

    /// The one object that a command printed.
    func json(_ arguments: [String]) throws -> [String: Any] {
        let outcome = try style(arguments + ["--json"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    }

    func picture(_ name: String, _ source: String = "testsrc2=size=192x96") throws -> String {
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", source, "-frames:v", "1", folder.path(name)])
        return folder.path(name)
    }

    /// A video whose frame n has the grey level 16 + n * 4 (lossless), 25 frames a second.
    func greys(_ name: String, frames: Int, _ options: [String] = []) throws -> String {
        try Program.output(
            "ffmpeg",
            ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "color=size=64x32:rate=25:duration=\(Double(frames) / 25)",
             "-vf", "geq=lum='16+4*N':cb=128:cr=128", "-c:v", "libx264", "-qp", "0", "-g", "10", "-pix_fmt", "yuv420p"] + options + [folder.path(name)])
        return folder.path(name)
    }

    /// Which frames of such a video are taken.
    func frames(_ path: String, start: Double? = nil, duration: Double? = nil, count: Int) throws -> [Int] {
        var found: [Int] = []
        let sampler = try FrameSampler(path: path, start: start, duration: duration, count: count, interrupt: Interrupt())
        let number = try sampler.forEach { picture in
            // Limited range in full: 219 levels on 255.
            found.append(Int((Double(picture[0, 16, 32]) * 219 / 255 / 4).rounded()))
        }
        #expect(number == found.count)
        return found
    }
}

@Suite("solstice style") struct StyleCommandTests {
    let program: StyleProgram

    init() throws { program = try StyleProgram() }

    @Test("make, show and list tell the same story")
    func story() throws {
        let picture = try program.picture("road.png"), style = program.folder.path("dusk.style")
        let made = try program.style(["make", picture, "-o", style])
        #expect(made.status == 0 && made.errors.isEmpty && made.output.hasPrefix("\(style): a style for night of 1 picture, "), "\(made)")
        #expect(made.output.split(separator: "\n").count == 1)
        #expect(program.folder.names == ["dusk.style", "road.png"])
        let shown = try program.json(["show", style])
        #expect(shown["name"] as? String == "dusk" && shown["model"] as? String == "night" && shown["ngf"] as? Int == 8)
        let source = try #require((shown["sources"] as? [[String: Any]])?.first)
        #expect(source["file"] as? String == "road.png" && (source["sha256"] as? String)?.count == 64)
        #expect(shown["thumbnail"] as? [String: Int] == ["width": 192, "height": 96])
        let words = try program.style(["show", style])
        #expect(words.status == 0 && words.output.contains("thumbnail   192x96") && words.output.contains("road.png, sha256"))
        #expect(!words.output.contains("\u{1B}"), "colours are for terminals")
        let list = try program.style(["list", program.folder.url.path])
        #expect(list.status == 0 && list.output.contains("dusk: road.png"), "\(list)")
    }

    @Test("The thumbnail comes out as it went in, upright")
    func thumbnail() throws {
        // Red left, blue right.
        let upright = try program.picture("upright.png", "color=red:size=60x40,format=rgb24,drawbox=x=30:w=30:h=40:color=blue:t=fill")
        let style = program.folder.path("a.style"), png = program.folder.path("thumbnail.png")
        #expect(try program.style(["make", upright, "-o", style]).status == 0)
        #expect(try program.style(["show", style, "--thumbnail", png]).status == 0)
        let picture = try PictureIO.load(png)
        #expect(picture.width == 60 && picture.height == 40)
        #expect(picture[0, 20, 5] > 240 && picture[2, 20, 5] < 10 && picture[0, 20, 55] < 10 && picture[2, 20, 55] > 240)
        #expect(try program.style(["show", style, "--thumbnail", png]).status == 20)
        #expect(try program.style(["show", style, "--thumbnail", png, "--overwrite"]).status == 0)
        #expect(try program.style(["show", "night", "--thumbnail", program.folder.path("n.png")]).status == 41)
        #expect(try program.style(["show", style, "--thumbnail", program.folder.path("n.jpg")]).status == 64)
        // A video that is stored lying on its side.
        let plain = program.folder.path("plain.mp4"), turned = program.folder.path("turned.mp4")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-loop", "1", "-i", upright, "-t", "1"] + Source.x264 + [plain])
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90", turned])
        let reference = program.folder.path("reference.png")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", turned, "-frames:v", "1", reference])
        let shown = try program.json(["make", "--video", turned, "--frames", "1", "-o", program.folder.path("t.style")])
        #expect(shown["thumbnail"] as? [String: Int] == ["width": 40, "height": 60])
        #expect(try program.style(["show", program.folder.path("t.style"), "--thumbnail", program.folder.path("t.png")]).status == 0)
        let side = try PictureIO.load(program.folder.path("t.png")), expected = try PictureIO.load(reference)
        for (plane, y) in [(0, 5), (2, 5), (0, 55), (2, 55)] { #expect(abs(Int(side[plane, y, 20]) - Int(expected[plane, y, 20])) < 16) }
        #expect((side[0, 5, 20] > 200) != (side[0, 55, 20] > 200), "left and right are now above each other")
    }

    @Test("A style of a picture gives the same video as the picture")
    func conversion() throws {
        let picture = try program.picture("road.png", "testsrc=size=320x200"), style = program.folder.path("road.style")
        let input = program.folder.path("in.mp4")
        try Program.output("ffmpeg", ["-v", "error", "-nostdin"] + Source.picture + Source.x264 + [input])
        #expect(try program.style(["make", picture, "-o", style]).status == 0)
        func hashes(_ name: String, _ style: String) throws -> [String] {
            let outcome = try program.run(
                ["convert", input, program.folder.path(name), "--style", style, "--duration", "0.4"] + ContractTests.quick)
            #expect(outcome.status == 0, "\(outcome.errors)")
            return try Probe.packets(program.folder.path(name), "v").map(\.hash)
        }
        let expected = try hashes("picture.mp4", picture)
        #expect(!expected.isEmpty)
        #expect(try hashes("style.mp4", style) == expected)
        #expect(try hashes("default.mp4", "night") != expected)
    }

    @Test("A style is refused by another model: one line, exit code 41")
    func otherModel() throws {
        let style = program.folder.path("snow.style"), input = try program.picture("in.png")
        #expect(try program.style(["make", input, "-o", style, "--to", "winter"]).status == 0)
        let outcome = try program.run(["convert", input, program.folder.path("out.png"), "--style", style])
        #expect(outcome.status == 41 && outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
        #expect(outcome.errors.contains("snow.style") && outcome.errors.contains("another model"))
        #expect(try program.run(["convert", input, program.folder.path("out.png"), "--style", style, "--to", "winter"]).status == 0)
    }

    @Test("Frames are spread evenly over the part of the video, each counting once")
    func video() throws {
        let path = try program.greys("greys.mp4", frames: 50)
        #expect(try program.frames(path, count: 1) == [25])
        #expect(try program.frames(path, count: 2) == [12, 37])
        #expect(try program.frames(path, count: 5) == [5, 15, 25, 35, 45])
        #expect(try program.frames(path, count: 50) == Array(0..<50))
        #expect(try program.frames(path, count: 500) == Array(0..<50))
        #expect(try program.frames(path, start: 1, count: 5) == [27, 32, 37, 42, 47])
        #expect(try program.frames(path, start: 0.4, duration: 0.4, count: 10) == Array(10..<20))
        #expect(try program.frames(path, start: 0.4, duration: 0.4, count: 2) == [12, 17])
        #expect(try program.frames(path, start: 1.9, duration: 60, count: 8) == [48, 49])
        // As many ticks as frames: rounding by half a tick would be rounding by half a frame.
        let coarse = try program.greys("coarse.mp4", frames: 50, ["-video_track_timescale", "25"])
        #expect(try program.frames(coarse, start: 0, duration: 0.01, count: 8) == [0])
        #expect(try program.frames(coarse, start: 0.41, duration: 0.08, count: 8) == [11, 12])
        #expect(try program.frames(coarse, count: 50) == Array(0..<50))
        let shown = try program.json([
            "make", "--video", path, "--start", "0.4", "--duration", "0.4", "--frames", "2", "-o", program.folder.path("a.style"),
        ])
        // Many more frames are wanted than there are: those that there are make the thumbnail.
        let all = try program.json(["make", "--video", path, "--frames", "1000", "-o", program.folder.path("all.style")])
        #expect(all["thumbnail"] as? [String: Int] == ["width": 255, "height": 126], "\(all)")
        let source = try #require((shown["sources"] as? [[String: Any]])?.first)
        #expect(source["start"] as? Double == 0.4 && source["end"] as? Double == 0.8 && source["frames"] as? Int == 2)
        #expect(shown["origin"] as? String == "2 frames of greys.mp4 (0:00.4 to 0:00.8)")
    }

    @Test("Far apart, frames are reached by seeking, and are the same ones")
    func seeking() throws {
        let path = program.folder.path("long.mp4")
        try Program.output(
            "ffmpeg",
            ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "color=size=64x32:rate=5:duration=40", "-vf", "geq=lum='16+N':cb=128:cr=128",
             "-c:v", "libx264", "-qp", "0", "-g", "15", "-bf", "2", "-pix_fmt", "yuv420p", path])
        var found: [Int] = []
        let sampler = try FrameSampler(path: path, start: nil, duration: nil, count: 4, interrupt: Interrupt())
        _ = try sampler.forEach { found.append(Int((Double($0[0, 16, 32]) * 219 / 255).rounded())) }
        #expect(found == [25, 75, 125, 175])
    }

    @Test("A mixture of pictures and frames averages all of them alike")
    func mixture() throws {
        let path = try program.greys("greys.mp4", frames: 10), picture = try program.picture("road.png")
        let frame = program.folder.path("frame.png")
        // The very frame that is taken, as a picture of its own: both ways give the same style.
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", path, "-vf", "select=eq(n\\,5)", "-frames:v", "1", frame])
        #expect(try program.style(["make", picture, "--video", path, "--frames", "1", "-o", program.folder.path("a.style")]).status == 0)
        #expect(try program.style(["make", picture, frame, "-o", program.folder.path("b.style")]).status == 0)
        func convert(_ style: String) throws -> [UInt8] {
            let output = program.folder.path("\(style).png")
            #expect(try program.run(["convert", picture, output, "--style", program.folder.path(style)]).status == 0)
            let image = try PictureIO.load(output)
            return (0..<3).flatMap { plane in (0..<image.height).flatMap { y in (0..<image.width).map { image[plane, y, $0] } } }
        }
        let (a, b) = (try convert("a.style"), try convert("b.style"))
        #expect(zip(a, b).allSatisfy { abs(Int($0) - Int($1)) <= 2 })
    }

    @Test("Mistakes get one line and their own exit code, and write nothing")
    func mistakes() throws {
        let picture = try program.picture("road.png"), video = try program.greys("greys.mp4", frames: 10)
        let there = program.folder.path("there.style"), text = program.folder.path("text.jpg")
        try Data("precious".utf8).write(to: URL(fileURLWithPath: there))
        let film = program.folder.path("text.mp4")
        for file in [text, film] { try Data("words".utf8).write(to: URL(fileURLWithPath: file)) }
        let disguised = program.folder.path("film.style"), linked = program.folder.path("linked.style")
        try FileManager.default.copyItem(atPath: video, toPath: disguised)
        try FileManager.default.linkItem(atPath: picture, toPath: linked)
        let before = program.folder.names
        for (status, words, arguments) in [
            (20, "--overwrite", [picture, "-o", there]), (10, "none.jpg", [program.folder.path("none.jpg")]), (42, "text.jpg", [text]),
            (42, "--video", [video]), (31, "without --video", ["--video", picture]), (31, "--start", ["--video", video, "--start", "5"]),
            (10, "none.mp4", ["--video", program.folder.path("none.mp4")]), (11, "text.mp4", ["--video", film]),
            (22, "folder", [picture, "-o", program.folder.path("no/a.style")]), (40, "text.jpg", [picture, "--model", text]),
            (42, "style file", [there]), (42, "text.jpg", [picture, text]),
            (21, "made of", ["--video", disguised, "--overwrite", "-o", disguised]), (21, "made of", [picture, "--overwrite", "-o", linked]),
        ] as [(Int32, String, [String])] {
            let output = arguments.contains("-o") ? [] : ["-o", program.folder.path("new.style")]
            let outcome = try program.style(["make"] + arguments + output)
            #expect(outcome.status == status && outcome.errors.contains(words), "\(arguments): \(outcome)")
            #expect(outcome.errors.split(separator: "\n").count == 1 && outcome.output.isEmpty, "\(outcome)")
        }
        for arguments in [
            ["-o", "a.style"], [picture], [picture, "-o", "a.jpg"], [picture, "-o", ".style"], [picture, "-o", "a.style", "--start", "1"],
            [picture, "-o", "a.style", "--frames", "2"], ["--video", video, "-o", "a.style", "--frames", "0"],
            ["--video", video, "-o", "a.style", "--duration", "0"], ["--video", video, "-o", "a.style", "--start", "1:75"],
            [picture, "-o", "a.style", "--model", "m.safetensors", "--to", "night"], [picture, "-o", "a.style", "--name", "a\u{1B}[2J"],
        ] {
            #expect(try program.style(["make"] + arguments).status == 64, "\(arguments)")
        }
        #expect(program.folder.names == before)
        #expect(try String(contentsOfFile: there, encoding: .utf8) == "precious")
        #expect(try program.style(["make", picture, "-o", there, "--overwrite"]).status == 0)
    }

    @Test("list shows the embedded styles, those beside a model and in folders, and says of broken ones why")
    func list() throws {
        let picture = try program.picture("road.png")
        let resources = (Program.solstice as NSString).deletingLastPathComponent + "/solstice_TSIT.resources/Models"
        let models = program.folder.path("models"), own = program.folder.path("own")
        for folder in [models, own] { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
        try FileManager.default.copyItem(atPath: resources + "/winter.safetensors", toPath: models + "/north.safetensors")
        #expect(try program.style(["make", picture, "-o", models + "/snow.style", "--model", models + "/north.safetensors"]).status == 0)
        #expect(try program.style(["make", picture, "-o", own + "/city.style"]).status == 0)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: own + "/city.style"))
        try bytes.prefix(bytes.count - 9).write(to: URL(fileURLWithPath: own + "/cut.style"))
        try Data().write(to: URL(fileURLWithPath: own + "/empty.style"))
        let outcome = try program.style(["list", own, own, "--model", models + "/north.safetensors", "--json"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let rows = try outcome.output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(rows.map { $0["style"] as? String } == [
            "night", "winter", models + "/snow.style", own + "/city.style", own + "/cut.style", own + "/empty.style",
        ])
        #expect(rows.map { $0["model"] as? String } == ["night", "winter", "winter", "night", nil, nil])
        #expect(rows.map { $0["broken"] != nil } == [false, false, false, false, true, true])
        #expect(rows[3]["bytes"] as? Int == bytes.count && rows[3]["origin"] as? String == "road.png")
        let table = try program.style(["list", own])
        #expect(table.status == 0 && table.output.contains("cut.style") && table.output.contains("broken"))
        #expect(try program.style(["list", program.folder.path("nowhere")]).status == 10)
    }

    @Test("Words of a hostile style file reach no terminal as commands")
    func hostileWords() throws {
        let picture = try program.picture("road.png"), style = program.folder.path("a.style")
        #expect(try program.style(["make", picture, "-o", style, "--name", "XXXXXXXX", "--no-thumbnail"]).status == 0)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: style))
        let range = try #require(bytes.range(of: Data("XXXXXXXX".utf8)))
        bytes.replaceSubrange(range, with: Data("\\u001b[J".utf8))
        try bytes.write(to: URL(fileURLWithPath: style))
        for command in [["show", style], ["list", program.folder.url.path], ["show", style, "--json"]] {
            let outcome = try program.style(command)
            #expect(outcome.status == 0 && !outcome.output.contains("\u{1B}") && !outcome.errors.contains("\u{1B}"), "\(outcome)")
            #expect(outcome.output.lowercased().contains("u{1b}[j") || outcome.output.lowercased().contains("\\u001b[j"), "\(outcome)")
        }
    }

    @Test("A model without a style stream takes no styles: one line that says so")
    func noStyleStream() throws {
        let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let checkpoint = fixtures.appendingPathComponent("TSITTests/Fixtures/checkpoint-sis.pth").path
        let model = program.folder.path("labels.safetensors"), picture = try program.picture("road.png")
        #expect(try program.run(["model", "import", checkpoint, model]).status == 0)
        let outcome = try program.style(["make", picture, "-o", program.folder.path("a.style"), "--model", model])
        #expect(outcome.status == 41 && outcome.errors.contains("no style stream"), "\(outcome)")
        #expect(outcome.errors.split(separator: "\n").count == 1 && program.folder.names == ["labels.safetensors", "road.png"])
    }

    @Test("Ctrl-C ends it in order")
    func interrupt() throws {
        let picture = try program.picture("road.png"), log = try TemporaryFolder()
        let video = program.folder.path("long.mp4")
        try Program.output(
            "ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=60"] + Source.x264 + [video])
        let before = program.folder.names
        let running = try Program.start(
            Program.solstice, ["style", "make", picture, "--video", video, "--frames", "1000", "-o", program.folder.path("a.style")],
            environment: ["XDG_CACHE_HOME": program.cache.url.path], in: log.url)
        // Once the picture is in the cache, frames are on their way.
        let end = Date().addingTimeInterval(30)
        while program.cache.names.isEmpty && Date() < end { usleep(5000) }
        #expect(!program.cache.names.isEmpty)
        running.send(signal: SIGINT)
        let outcome = running.wait(limit: 20)
        #expect(outcome.status == 130 && outcome.errors.contains("nothing was written"), "\(outcome)")
        #expect(program.folder.names == before)
    }
}
