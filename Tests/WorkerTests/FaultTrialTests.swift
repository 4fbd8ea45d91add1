import Foundation
import Glibc
import Jobs
import MediaIO
import SystemPackage
import TestSupport
import Testing

@testable import Worker

/// What a worker does where a call on a file fails, anywhere: it finishes its job, or says what failed and that it may pass; what was
/// rendered is kept, and the next life finishes the job.
@Suite("A job with a fault at any call", .serialized, .enabled(if: Faults.isAvailable, "needs a clang that builds Tests/Fixtures/faults.c"))
struct FaultTrialTests {
    /// What a life of the job finds.
    enum Scene: String, CaseIterable, CustomTestStringConvertible {
        case fresh = "from the start"
        case resumed = "from a journal that another life has left"
        case older = "over the result of other settings"
        case twin = "with a result that can be copied"

        var testDescription: String { rawValue }
    }

    @Test("ends rightly or goes on in its next life, and loses nothing", arguments: Scene.allCases)
    func anywhere(scene: Scene) async throws {
        let bench = try await WorkerFaultBench(scene)
        let calls = try bench.dryRun()
        for place in FaultTrial.places(FaultTrial.count(usual: 2, share: 0.075), of: calls, scene: scene.rawValue) {
            let problems = try bench.strike(place)
            #expect(problems.isEmpty, "\(place): \(problems.joined(separator: "; "))")
        }
    }
}

/// One scene, made once and struck again and again.
private final class WorkerFaultBench {
    private let scene: FaultTrialTests.Scene
    private let bench: WorkerBench
    private let root: String
    private let report: String
    private var order: WorkOrder
    private var source: FolderSnapshot
    /// What each life finds, in copies.
    private let template: TemporaryFolder
    private var wanted: [String: Data] = [:]
    private var pictures: [String] = []
    private static let neighbour = "neighbour.mkv"
    private static let frames = 75

    init(_ scene: FaultTrialTests.Scene) async throws {
        self.scene = scene
        bench = try WorkerBench()
        template = try TemporaryFolder()
        root = bench.folder.url.resolvingSymlinksInPath().path
        report = template.path("report")
        let data = template.path("data.bin")
        try Data((0..<6000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }).write(to: URL(fileURLWithPath: data))
        // Sound in the output, data beside it.
        try bench.source(
            "a.mov",
            "-f lavfi -i testsrc2=s=160x90:r=25:d=3 -f lavfi -i sine=d=3 -f data -raw_packet_size 1000 -i \(data) -map 0 -map 1 -map 2"
                + " -c:v libx264 -preset ultrafast -g 5 -bf 2 -c:a aac -c:d copy -tag:d gpmd"
                + " -bsf:d setts=pts=N*50:dts=N*50:duration=50:time_base=1/1000")
        source = FolderSnapshot(root + "/in")
        try Data("mine".utf8).write(to: URL(fileURLWithPath: root + "/out/" + Self.neighbour))
        order = try bench.order("a.mov", target: "a.mkv")
        order.settings.arguments = ["--strength=0", "--crf=0", "--preset=ultrafast"]
        order.checkpointSeconds = 0.01
        try await prepare()
        for name in ["out", "work7"] where FileManager.default.fileExists(atPath: root + "/" + name) {
            try FileManager.default.copyItem(atPath: root + "/" + name, toPath: template.path(name))
        }
        // A copy of the killed life's hidden folder is another folder, which nobody would remove; the journal is not in it.
        for name in try FileManager.default.contentsOfDirectory(atPath: template.path("out")) where name.hasPrefix(".solstice-") {
            try FileManager.default.removeItem(atPath: template.path("out/" + name))
        }
    }

    /// Does what an earlier life or another job has done.
    private func prepare() async throws {
        switch scene {
        case .fresh: break
        case .resumed:
            let child = try WorkerProcessTests.Child(order)
            _ = try child.next { if case .progress(_, let safe, _, _) = $0 { safe > 10 } else { $0.frames != nil } }
            kill(child.process.processIdentifier, SIGKILL)
            child.process.waitUntilExit()
        case .older, .twin:
            var other = order
            other.workFolder = root + "/other"
            other.job = 8
            if scene == .older {
                other.settings.identity = "older"
                other.settings.arguments = ["--strength=0", "--crf=30", "--preset=ultrafast"]
            } else {
                try FileManager.default.createDirectory(atPath: root + "/twin", withIntermediateDirectories: false)
                other.target = Array((root + "/twin/b.mkv").utf8)
                order.twin = other.target
            }
            let child = try WorkerProcessTests.Child(other)
            #expect(try child.next { $0.frames != nil } != nil)
            child.process.waitUntilExit()
        }
    }

    // MARK: - Lives

    private struct Life {
        var last: WorkMessage?
        /// Frames in safety, as last told.
        var safe = 0
        /// Frames with which rendering began.
        var first: Int?
        var status: Int32 = 0
    }

    private func arrange() throws {
        for name in ["out", "work7"] {
            try? FileManager.default.removeItem(atPath: root + "/" + name)
            guard FileManager.default.fileExists(atPath: template.path(name)) else { continue }
            try FileManager.default.copyItem(atPath: template.path(name), toPath: root + "/" + name)
        }
    }

    private func live(_ place: Faults.Place?) throws -> (life: Life, report: FaultReport) {
        let report = try FaultReport(at: report)
        let child = try WorkerProcessTests.Child(order, environment: Faults.environment(below: root, place, report: report))
        var life = Life()
        _ = try child.next { message in
            life.last = message
            if case .progress(let frames, let safe, _, _) = message {
                life.first = life.first ?? frames
                life.safe = max(life.safe, safe)
            }
            return false
        }
        child.process.waitUntilExit()
        life.status = child.process.terminationStatus
        return (life, report)
    }

    /// Works undisturbed, keeps the result, and tells which calls there were.
    func dryRun() throws -> [Faults.Kind: Int] {
        try arrange()
        let (life, report) = try live(nil)
        #expect(life.last?.frames == Self.frames, "\(String(describing: life.last))")
        wanted = FolderSnapshot(root + "/out").files
        pictures = try Probe.substance(root + "/out/a.mkv")
        #expect(wanted.keys.sorted() == ["a.mkv", "a.mkv.streams.json", "a.mkv.streams.mov", Self.neighbour].sorted())
        return report.calls
    }

    /// Works with a fault, and in another life without one where that was not the end; tells what was not right.
    func strike(_ place: Faults.Place) throws -> [String] {
        try arrange()
        let (life, report) = try live(place)
        guard let hit = report.hit else {
            FaultTrial.note(scene.rawValue, place, "not met")
            return life.last?.frames == nil ? ["without a fault: \(String(describing: life.last))"] : try differences(place)
        }
        var problems = life.last?.frames != nil ? try differences(place) : judge(life, place)
        let isDone = life.last?.frames != nil
        if !isDone {
            let next = try live(nil).life
            if next.last?.frames != Self.frames { problems.append("the next life ends with \(String(describing: next.last))") }
            if let first = next.first, first < life.safe { problems.append("of \(life.safe) safe frames it went on at \(first)") }
            problems += try differences(nil).map { "after the next life: " + $0 }
        }
        if FolderSnapshot(root + "/in") != source { problems.append("the source has changed") }
        let right = isDone ? "right result" : "right error"
        FaultTrial.note(scene.rawValue, place, problems.isEmpty ? right : "wrong", "\(hit) \(life.last.map { "\($0)" } ?? "")")
        return problems.map { "\(hit.call) of \(hit.path): \($0)" }
    }

    // MARK: - Judgement

    /// What differs in the target's folder from what the dry run has left there.
    private func differences(_ place: Faults.Place?) throws -> [String] {
        // What could not be removed, the daemon removes with the job's folder.
        if place?.kind == .unlink, let target = FilePath(bytes: order.target) {
            HiddenFolder(target: target, workFolder: order.workFolder, token: order.token, job: order.job).remove()
        }
        let found = FolderSnapshot(root + "/out")
        guard found.names == wanted.keys.sorted() else { return ["the files are \(found.names) instead of \(wanted.keys.sorted())"] }
        let substance = try found.files["a.mkv"] == wanted["a.mkv"] ? pictures : Probe.substance(root + "/out/a.mkv")
        return try found.files.compactMap { name, bytes in
            if bytes == wanted[name] { return nil }
            let isSame = try name.hasSuffix(".json") ? Self.says(bytes, wanted[name]) : name == "a.mkv" && substance == pictures
            return isSame ? nil : "\(name) has another content"
        }
    }

    /// True where two descriptions say the same: one that is copied is written in another form.
    private static func says(_ one: Data, _ other: Data?) throws -> Bool {
        try JSONSerialization.jsonObject(with: one) as? NSDictionary == JSONSerialization.jsonObject(with: other ?? Data()) as? NSDictionary
    }

    /// What is wrong with a life that has not finished its job.
    private func judge(_ life: Life, _ place: Faults.Place) -> [String] {
        guard let failure = life.last?.failure else { return ["it ends with \(String(describing: life.last))"] }
        var problems: [String] = []
        let codes: [String: Int32] = ["unreadable": 14, "unwritable": 22, "diskFull": 23]
        let isFull = failure.code == "diskFull"
        if place.failure.isHarmless || !failure.mayPass || codes[failure.code] != life.status || isFull != (place.failure == .noSpace) {
            problems.append("status \(life.status), \(failure)")
        }
        let isNamed = failure.text.contains(root) || failure.text.contains("packets of the job")
        if !isNamed || failure.text.contains("/proc/") || failure.text.contains("\n") { problems.append("it says: \(failure.text)") }
        // Sidecars come before what they belong to.
        let before = FolderSnapshot(template.path("out")).files
        let found = FolderSnapshot(root + "/out").files.filter { !$0.key.hasPrefix(".") }
        for (name, bytes) in found where bytes != before[name] && bytes != wanted[name] { problems.append("\(name) has another content") }
        return problems
    }
}
