import Foundation
import TestSupport
import Testing

/// What a conversion does where a call on a file fails, anywhere: it gives the right result or the right error, loses nothing, and
/// leaves nothing that the next run does not clear away.
@Suite("A conversion with a fault at any call", .enabled(if: Faults.isAvailable, "needs a clang that builds Tests/Fixtures/faults.c"))
struct FaultTrialTests {
    /// A source with everything that is read or written in its own way, and what it becomes.
    struct Scene: Sendable, CustomTestStringConvertible {
        let name: String
        let source: String
        let output: String
        var options: [String] = []
        var testDescription: String { name }

        static let all = [
            Scene(name: "data and boxes beside MP4", source: "camera.mov", output: "night.mp4"),
            Scene(name: "data and boxes beside Matroska", source: "camera.mov", output: "night.mkv"),
            Scene(name: "subtitles and a file, from Matroska", source: "film.mkv", output: "night.mp4"),
            Scene(
                name: "a style from a picture, over an older result", source: "film.mkv", output: "night.mkv",
                options: ["--style", "@/in/style.png", "--overwrite"]),
        ]
    }

    @Test("gives the right result or the right error, and loses nothing", arguments: Scene.all)
    func anywhere(scene: Scene) throws {
        let bench = try FaultBench(scene)
        let calls = try bench.dryRun()
        for place in FaultTrial.places(FaultTrial.count(usual: 3, share: 0.125), of: calls, scene: scene.name) {
            let problems = try bench.strike(place)
            #expect(problems.isEmpty, "\(place): \(problems.joined(separator: "; "))")
        }
    }
}

extension FaultTrialTests {
    /// Places that once went wrong.
    @Test("knows the header's disk from its streams, an output from an input, and a signal from a failure")
    func known() throws {
        let bench = try FaultBench(Scene.all[1])
        let calls = try bench.dryRun()
        func last(_ kind: Faults.Kind) -> Int { calls[kind] ?? 0 }
        var places: [Faults.Place] = [
            // The sidecar's header; the sidecar read back.
            .init(.write, 1, .inputOutput), .init(.write, 1, .noSpace), .init(.read, last(.read), .inputOutput),
            .init(.open, last(.open) - 1, .stale),
        ]
        for kind in [Faults.Kind.open, .create, .sync, .rename] {
            places += [.init(kind, 1, .interrupted), .init(kind, last(kind), .interrupted)]
        }
        for place in places {
            let problems = try bench.strike(place)
            #expect(problems.isEmpty, "\(place): \(problems.joined(separator: "; "))")
        }
    }
}

/// One scene, made once and struck again and again.
final class FaultBench {
    private let scene: FaultTrialTests.Scene
    private let folder: TemporaryFolder
    /// Sources, as they are copied into each run.
    private let sources: TemporaryFolder
    /// As the program sees it.
    private let root: String
    private var wanted: [String: Data] = [:]
    private var substance: [String: [String]] = [:]

    private static let options = [
        "--network-size", "256x128", "--detail", "none", "--threads", "1", "--crf", "0", "--preset", "ultrafast", "--quiet",
    ]
    /// What lies beside the output and is none of the program's business.
    private static let neighbours = ["neighbour.mp4", ".neighbour.mp4.partial-x"]

    init(_ scene: FaultTrialTests.Scene) throws {
        self.scene = scene
        folder = try TemporaryFolder()
        sources = try TemporaryFolder()
        root = folder.url.resolvingSymlinksInPath().path
        try Self.makeSources(in: sources)
        guard isReplacing else { return }
        // Models that can fail too.
        let models = (Program.solstice as NSString).deletingLastPathComponent + "/solstice_TSIT.resources/Models"
        try FileManager.default.copyItem(atPath: models, toPath: root + "/models")
    }

    private static func makeSources(in folder: TemporaryFolder) throws {
        let data = Data((0..<6000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
        try data.write(to: folder.url.appendingPathComponent("data.bin"))
        try Data("1\n00:00:00,100 --> 00:00:00,300\nleft\n\n".utf8).write(to: folder.url.appendingPathComponent("text.srt"))
        let picture = ["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=0.48", "-f", "lavfi", "-i", "sine=duration=0.48"]
        let coding = Source.x264 + ["-bf", "2", "-g", "4", "-c:a", "aac"]
        let start = ["-v", "error", "-nostdin", "-y"], all = ["-map", "0", "-map", "1", "-map", "2"]
        let times = "setts=pts=N*50:dts=N*50:duration=50:time_base=1/1000"
        let camera = folder.path("camera.mov")
        try Program.output(
            "ffmpeg",
            start + picture + ["-f", "data", "-raw_packet_size", "1000", "-i", folder.path("data.bin")] + all + coding
                + ["-c:d", "copy", "-tag:d", "gpmd", "-bsf:d", times, camera])
        // A box that no player reads.
        let box = Data([0, 0, 0x17, 0x78]) + Data("gps1".utf8) + data
        try (Data(contentsOf: URL(fileURLWithPath: camera)) + box).write(to: URL(fileURLWithPath: camera))
        let attached = ["-attach", folder.path("data.bin"), "-metadata:s:t", "mimetype=application/octet-stream"]
        let text = ["-i", folder.path("text.srt")]
        try Program.output("ffmpeg", start + picture + text + all + coding + attached + [folder.path("film.mkv")])
        try Program.output("ffmpeg", start + ["-f", "lavfi", "-i", "testsrc2=size=128x64", "-frames:v", "1", folder.path("style.png")])
    }

    // MARK: - Runs

    /// Puts everything where it belongs before a run.
    private func arrange() throws {
        let files = FileManager.default
        for name in folder.names where name != "models" { try files.removeItem(atPath: folder.path(name)) }
        for name in ["in", "out"] { try files.createDirectory(atPath: folder.path(name), withIntermediateDirectories: true) }
        for name in [scene.source, "style.png"] { try files.copyItem(atPath: sources.path(name), toPath: folder.path("in/" + name)) }
        for name in Self.neighbours + (isReplacing ? [scene.output] : []) {
            try Data("mine".utf8).write(to: URL(fileURLWithPath: folder.path("out/" + name)))
        }
    }

    private var isReplacing: Bool { scene.options.contains("--overwrite") }

    private func convert(_ place: Faults.Place?) throws -> (outcome: Program.Outcome, report: FaultReport) {
        let report = try FaultReport(at: sources.path("report"))
        var environment = Faults.environment(below: root, place, report: report)
        environment["XDG_CACHE_HOME"] = root + "/cache"
        if isReplacing { environment["SOLSTICE_MODELS"] = root + "/models" }
        let options = scene.options.map { $0.replacingOccurrences(of: "@", with: root) }
        let arguments = ["convert", root + "/in/" + scene.source, root + "/out/" + scene.output] + Self.options + options
        return (try Program.run(Program.solstice, arguments, environment: environment), report)
    }

    /// Converts undisturbed, keeps the result, and tells which calls there were.
    func dryRun() throws -> [Faults.Kind: Int] {
        try arrange()
        let (outcome, report) = try convert(nil)
        #expect(outcome.status == 0, "\(outcome.errors)")
        wanted = FolderSnapshot(folder.path("out")).files
        let media = wanted.keys.filter { ["mp4", "mkv", "mov", "nut"].contains(($0 as NSString).pathExtension) }
        for name in media where !Self.neighbours.contains(name) {
            substance[name] = try Probe.substance(folder.path("out/" + name))
        }
        #expect(wanted.count > Self.neighbours.count && wanted[scene.output] != nil && wanted[scene.output] != Data("mine".utf8))
        return report.calls
    }

    /// Converts with a fault, and once more without one where it failed; tells what was not right.
    func strike(_ place: Faults.Place) throws -> [String] {
        try arrange()
        let before = FolderSnapshot(folder.path("in"))
        let (outcome, report) = try convert(place)
        guard let hit = report.hit else {
            FaultTrial.note(scene.name, place, "not met")
            return outcome.status == 0 ? try differences() : ["status \(outcome.status) without a fault: \(outcome.errors)"]
        }
        var problems = outcome.status == 0 ? try differences() : judge(outcome, place, hit.path)
        if FolderSnapshot(folder.path("in")) != before { problems.append("the source has changed") }
        if outcome.status != 0 {
            let next = try convert(nil).outcome
            if next.status != 0 { problems.append("the next run ends with \(next.status): \(next.errors)") }
            problems += try differences().map { "after the next run: " + $0 }
        }
        let right = outcome.status == 0 ? "right result" : "right error"
        FaultTrial.note(scene.name, place, problems.isEmpty ? right : "wrong", "\(outcome.status) \(hit)")
        return problems.map { "\(hit.call) of \(hit.path): \($0)" }
    }

    // MARK: - Judgement

    /// What differs in the output's folder from what the dry run has left there.
    private func differences() throws -> [String] {
        let found = FolderSnapshot(folder.path("out"))
        guard found.names == wanted.keys.sorted() else { return ["the files are \(found.names) instead of \(wanted.keys.sorted())"] }
        return try found.files.compactMap { name, bytes in
            guard bytes != wanted[name] else { return nil }
            guard let substance = substance[name] else { return "\(name) has other bytes" }
            return try Probe.substance(folder.path("out/" + name)) == substance ? nil : "\(name) has other frames or packets"
        }
    }

    /// What is wrong with a failed run.
    private func judge(_ outcome: Program.Outcome, _ place: Faults.Place, _ path: String) -> [String] {
        var problems: [String] = []
        // Where all later calls fail too, another one may be the first that matters.
        let sides = ["in", "out", "models", "cache"].filter { place.lasts || path.hasPrefix("\(root)/\($0)") }
        let lines = outcome.errors.split(separator: "\n").filter { !$0.contains("is saved beside it") && !$0.contains("they are saved in") }
        let side = sides.first { outcome.errors.contains("\(root)/\($0)/") }
        let codes: [String: Int32] = ["in": 14, "models": 14, "out": place.failure == .noSpace ? 23 : 22]
        if place.failure.isHarmless || side.flatMap({ codes[$0] }) != outcome.status { problems.append("status \(outcome.status)") }
        if lines.count != 1 || side == nil || outcome.errors.contains(".partial-") { problems.append("it says: \(outcome.errors)") }
        let before = Self.neighbours + (isReplacing ? [scene.output] : [])
        let found = FolderSnapshot(folder.path("out")).files
        for name in before where found[name] != Data("mine".utf8) { problems.append("\(name) is not what it was") }
        // What cannot be removed stays, under a hidden name.
        let surplus = found.keys.filter { !before.contains($0) && (place.kind != .unlink || !$0.hasPrefix(".")) }
        if !surplus.isEmpty { problems.append("left behind: \(surplus.sorted())") }
        return problems
    }
}
