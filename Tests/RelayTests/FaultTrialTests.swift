import Foundation
import TestSupport
import Testing

extension RelayProgram {
    /// What a relay's recordings are worth where a call on a file fails, anywhere.
    @Suite("recordings with a fault at any call", .enabled(if: TestSupport.Faults.isAvailable, "needs a clang that builds Tests/Fixtures/faults.c"))
    struct RecordingFaults {
        enum Scene: String, CaseIterable, CustomTestStringConvertible {
            case rolling = "rolling files"
            case single = "one file each"

            var testDescription: String { rawValue }
            var options: [String] { self == .rolling ? ["--segment", "1s"] : [] }
        }

        @Test("keep what was recorded, and say what is missing", arguments: Scene.allCases)
        func anywhere(scene: Scene) throws {
            let bench = try RecordingFaultBench(scene)
            let calls = try bench.dryRun()
            for place in FaultTrial.places(FaultTrial.count(usual: 2, share: 0.1), of: calls, scene: scene.rawValue) {
                let problems = try bench.strike(place)
                #expect(problems.isEmpty, "\(place): \(problems.joined(separator: "; "))")
            }
        }

        @Test("that cannot be put in place or synced are kept", arguments: [TestSupport.Faults.Kind.rename, .sync])
        func kept(kind: TestSupport.Faults.Kind) throws {
            let bench = try RecordingFaultBench(.rolling)
            _ = try bench.dryRun()
            let problems = try bench.strike(TestSupport.Faults.Place(kind, 1, .inputOutput))
            #expect(problems.isEmpty, "\(problems.joined(separator: "; "))")
        }
    }
}

/// A relay of a file, run again and again.
final class RecordingFaultBench {
    private let scene: RelayProgram.RecordingFaults.Scene
    private let folder: TemporaryFolder
    private let clips: TemporaryFolder
    private let root: String
    /// Hashes of the sound's packets, which pass untouched.
    private var sound: [String] = []
    private static let neighbours = ["neighbour.mkv", "night-neighbour.mkv", ".neighbour.mkv.partial-x"]

    init(_ scene: RelayProgram.RecordingFaults.Scene) throws {
        self.scene = scene
        folder = try TemporaryFolder()
        clips = try TemporaryFolder()
        root = folder.url.resolvingSymlinksInPath().path
        let clip = clips.path("clip.mkv")
        try Program.output(
            "ffmpeg",
            ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=2.6"]
                + ["-f", "lavfi", "-i", "anoisesrc=duration=2.6:seed=3"]
                + ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10", "-c:a", "aac", clip])
        sound = try Probe.packets(clip, "a").map(\.hash)
    }

    private func arrange() throws {
        for name in folder.names { try FileManager.default.removeItem(atPath: folder.path(name)) }
        for name in ["in", "out"] { try FileManager.default.createDirectory(atPath: folder.path(name), withIntermediateDirectories: true) }
        try FileManager.default.copyItem(atPath: clips.path("clip.mkv"), toPath: folder.path("in/clip.mkv"))
        for name in Self.neighbours { try Data("mine".utf8).write(to: URL(fileURLWithPath: folder.path("out/" + name))) }
    }

    private func relay(_ place: TestSupport.Faults.Place?) throws -> (outcome: Program.Outcome, events: [JSONRow], report: FaultReport) {
        let report = try FaultReport(at: clips.path("report"))
        let targets = ["mkv", "mp4"].map { root + "/out/night." + $0 }
        let options = ["--strength", "0", "--keyframe-interval", "0.4s", "--realtime-file"] + scene.options + Bench.quick
        let environment = TestSupport.Faults.environment(below: root, place, report: report)
        let outcome = try Program.run(Program.solstice, ["relay", root + "/in/clip.mkv"] + targets + options, environment: environment)
        return (outcome, JSONRow.lines(of: outcome.output), report)
    }

    func dryRun() throws -> [TestSupport.Faults.Kind: Int] {
        try arrange()
        let (outcome, events, report) = try relay(nil)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let problems = try completeness(events)
        #expect(problems.isEmpty, "\(problems)")
        return report.calls
    }

    /// Runs with a fault; tells what was not right.
    func strike(_ place: TestSupport.Faults.Place) throws -> [String] {
        try arrange()
        let source = FolderSnapshot(folder.path("in"))
        let (outcome, events, report) = try relay(place)
        guard let hit = report.hit else {
            FaultTrial.note(scene.rawValue, place, "not met")
            return outcome.status == 0 ? [] : ["status \(outcome.status) without a fault: \(outcome.errors)"]
        }
        var problems = outcome.status == 0 ? try completeness(events) : judge(outcome, place)
        let hasLoss = events.contains { $0.text("state") == "lost" }
        if place.failure.isHarmless, hasLoss { problems.append("a target or the source was lost") }
        if FolderSnapshot(folder.path("in")) != source { problems.append("the source has changed") }
        problems += try remains(place)
        let result = outcome.status != 0 ? "right error" : hasLoss ? "right result, and told" : "right result"
        FaultTrial.note(scene.rawValue, place, problems.isEmpty ? result : "wrong", "\(outcome.status) \(hit)")
        return problems.map { "\(hit.call) of \(hit.path): \($0)" }
    }

    // MARK: - Judgement

    private var recordings: [String] { results.filter { !$0.hasPrefix(".") } }
    private var results: [String] { FolderSnapshot(folder.path("out")).names.filter { !Self.neighbours.contains($0) } }

    /// What is wrong with a relay that has given up.
    private func judge(_ outcome: Program.Outcome, _ place: TestSupport.Faults.Place) -> [String] {
        let said = JSONRow.lines(of: outcome.output).last { $0.text("event") == "failed" }?.text("error") ?? ""
        let isRight = [14, 22, 23, 50].contains(outcome.status) && said.contains(root) && !said.contains(".partial-")
        return isRight && !place.failure.isHarmless ? [] : ["status \(outcome.status): \(said)"]
    }

    /// Of a target that was never lost, all sound must be there, in its order; of one that was, every file must play.
    private func completeness(_ events: [JSONRow]) throws -> [String] {
        var problems: [String] = []
        let isWholeSource = !events.contains { $0.text("event") == "source" && $0.text("state") == "lost" }
        for ending in ["mkv", "mp4"] {
            let files = recordings.filter { $0.hasSuffix("." + ending) }
            let isLost = events.contains { $0.text("state") == "lost" && $0.text("address")?.hasSuffix("." + ending) == true }
            var heard: [String] = []
            for file in files {
                let options = ["-v", "error", "-count_packets", "-select_streams", "v", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"]
                let packets = try Program.run("ffprobe", options + [folder.path("out/" + file)])
                let count = packets.output.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0
                if count == 0 || (!isLost && packets.status != 0) { problems.append("\(file) does not play: \(packets.errors)") }
                heard += try Probe.packets(folder.path("out/" + file), "a").map(\.hash)
            }
            guard !isLost, isWholeSource else { continue }
            guard let first = heard.first, let start = sound.firstIndex(of: first), start < 20 else {
                problems.append("the sound of \(files) does not begin with the source's")
                continue
            }
            if Array(sound[start...].prefix(heard.count)) != heard || heard.count < sound.count - start - 20 {
                problems.append("the sound of \(files) has gaps: \(heard.count) packets of \(sound.count - start)")
            }
        }
        return problems
    }

    /// What is left under hidden names must come back with the next run; what was recorded before the fault must be there.
    private func remains(_ place: TestSupport.Faults.Place) throws -> [String] {
        var problems: [String] = []
        let before = results.filter { $0.hasPrefix(".") }
        if !before.isEmpty {
            if ![.rename, .unlink, .link].contains(place.kind) { problems.append("left under hidden names: \(before)") }
            for name in recordings where scene == .single {
                try FileManager.default.moveItem(atPath: folder.path("out/" + name), toPath: folder.path("out/first-" + name))
            }
            _ = try relay(nil)
            let after = results.filter { $0.hasPrefix(".") }
            if !after.isEmpty { problems.append("left after the next run: \(after)") }
        }
        if [.sync, .rename, .close, .unlink].contains(place.kind) {
            let beginning = Set(sound.prefix(20))
            for ending in ["mkv", "mp4"] {
                let kept = try recordings.filter { $0.hasSuffix("." + ending) }.contains { name in
                    try Probe.packets(folder.path("out/" + name), "a").contains { beginning.contains($0.hash) }
                }
                if !kept { problems.append("what was recorded first is not in any \(ending) file: \(recordings)") }
            }
        }
        let found = FolderSnapshot(folder.path("out")).files
        for name in Self.neighbours where found[name] != Data("mine".utf8) { problems.append("\(name) is not what it was") }
        return problems
    }
}
