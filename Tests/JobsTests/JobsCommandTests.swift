import Foundation
import Jobs
import SystemPackage
import TestSupport
import Testing

@Suite("solstice jobs") struct JobsCommandTests {
    let folder: TemporaryFolder
    let store: JobStore

    init() throws {
        folder = try TemporaryFolder()
        store = try JobStore(path: StateFolder.database(in: folder.url.path))
    }

    private func jobs(_ arguments: [String], environment: [String: String] = [:]) throws -> Program.Outcome {
        let place = environment.isEmpty ? ["--state-folder", folder.url.path] : []
        return try Program.run(Program.solstice, ["jobs"] + arguments + place, environment: environment)
    }

    private func objects(_ outcome: Program.Outcome) throws -> [[String: Any]] {
        try outcome.output.split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }

    @Test func anEmptyListAndNoDatabase() throws {
        let empty = try jobs(["list"])
        #expect(empty.status == 0 && empty.output.isEmpty && empty.errors == "no jobs\n")
        let none = try Program.run(Program.solstice, ["jobs", "list", "--state-folder", folder.path("nowhere")])
        #expect(none.status == 10 && none.errors.contains(folder.path("nowhere/jobs.sqlite")) && none.errors.filter(\.isNewline).count == 1)
        #expect(!FileManager.default.fileExists(atPath: folder.path("nowhere")))
    }

    @Test func aTableForPeople() throws {
        let running = try store.started("a b\n\u{1B}[2J.mp4")
        try store.apply(.probed(frames: 200), to: running.id)
        try store.apply(.progress(frames: 50, safe: 40, total: nil, framesPerSecond: 12.34), to: running.id)
        let failed = try store.started("b.mp4")
        try store.apply(.failed(JobFailure(code: "notMedia", text: "'b.mp4' is not a video", mayPass: false)), to: failed.id)
        let outcome = try jobs(["list"])
        let lines = outcome.output.split(separator: "\n").map(String.init)
        #expect(outcome.status == 0 && lines.count == 3 && lines[0].contains("STATE"), "\(outcome.output)")
        #expect(lines[1].contains("failed") && lines[1].contains("cam/b.mp4") && lines[1].hasSuffix("'b.mp4' is not a video"))
        #expect(lines[2].contains("running") && lines[2].contains("25%") && lines[2].contains("12.3") && !lines[2].contains("\u{1B}"))
        #expect(outcome.errors == "1 running, 1 failed\n")
        let limited = try jobs(["list", "--limit", "1", "--state", "running", "--state", "failed"])
        #expect(limited.output.split(separator: "\n").count == 2 && limited.errors.contains("--limit"))
        #expect(try jobs(["list", "--folder", "other"]).output.isEmpty)
        let shown = try jobs(["show", "\(failed.id)"])
        #expect(shown.output.contains("'b.mp4' is not a video (notMedia)") && shown.output.contains("/in/cam/b.mp4"))
    }

    @Test func linesForPrograms() throws {
        let name = try #require(FilePath(bytes: [0x66, 0xFF, 0x2E, 0x6D, 0x70, 0x34]))
        let odd = try store.started(name), plain = try store.started("plain.mp4")
        try store.finish(plain.id, hash: "abc")
        let outcome = try jobs(["list", "--json"])
        let lines = try objects(outcome)
        try #require(lines.count == 2 && outcome.errors.isEmpty)
        #expect(lines[0]["id"] as? Int64 == plain.id && lines[0]["state"] as? String == "done" && lines[0]["content_hash"] as? String == "abc")
        #expect(lines[0]["frames_done"] as? Int == 30 && lines[0]["output_bytes"] as? Int == 1000 && lines[0]["source_base64"] == nil)
        #expect(lines[0]["settings"] as? [String] == ["--to", "night"] && (lines[0]["finished"] as? String)?.hasSuffix("Z") == true)
        #expect(lines[1]["file"] as? String == "f\\xFF.mp4" && lines[1]["attempts"] as? Int == 1)
        let bytes = (lines[1]["source_base64"] as? String).flatMap { Data(base64Encoded: $0) }
        #expect(bytes.map(Array.init) == odd.source.bytes)
        #expect(try objects(try jobs(["show", "--json", "\(plain.id)"])).first?["target"] as? String == "/out/cam/plain.mp4")
    }

    @Test func requestsChangeTheDatabase() throws {
        let ids = try (0..<3).map { try store.offer([Sample.candidate(FilePath("\($0).mp4"))])[0].job.id }
        let paused = try jobs(["pause", "\(ids[0])", "\(ids[1])"])
        #expect(paused.status == 0 && paused.output == "job \(ids[0]) (cam/0.mp4): paused\njob \(ids[1]) (cam/1.mp4): paused\n")
        #expect(try store.job(ids[0])?.hold == .user)
        // One that is not in a state for it does not keep the others from it.
        let again = try jobs(["pause", "\(ids[0])", "\(ids[2])"])
        #expect(again.status == 1 && again.errors.contains("paused already"))
        #expect(try store.job(ids[2])?.hold == .user)
        #expect(try jobs(["resume", "--all"]).output.split(separator: "\n").count == 3)
        #expect(try objects(try jobs(["cancel", "--json", "\(ids[0])"])).first?["state"] as? String == "cancelled")
        #expect(try jobs(["cancel", "\(ids[0])"]).status == 1)
        #expect(try jobs(["retry", "\(ids[0])"]).status == 0)
        #expect(try store.job(ids[0])?.state == .queued)
        let missing = try jobs(["retry", "4711"])
        #expect(missing.status == 10 && missing.errors.contains("no job 4711"))
        let none = try jobs(["retry", "--all", "--folder", "nowhere"])
        #expect(none.status == 0 && none.output.isEmpty && none.errors.contains("no job"))
    }

    @Test func aJobThatALivingDaemonIsAtIsLeftToIt() throws {
        let job = try store.started("a.mp4")
        let asked = try jobs(["cancel", "\(job.id)"])
        #expect(asked.status == 0 && asked.output.contains("asked to cancel"))
        #expect(try store.job(job.id)?.request == .cancel && store.job(job.id)?.state == .probing)
        _ = try store.offer([Sample.candidate("b.mp4")])
        let orphan = try #require(try store.claim(owner: Sample.deadOwner))
        #expect(try jobs(["cancel", "\(orphan.id)"]).output.hasSuffix("cancelled\n"))
    }

    @Test func wrongCommandLines() throws {
        for arguments in [["retry"], ["retry", "1", "--all"], ["retry", "1", "--folder", "x"], ["retry", "one"], ["list", "--limit", "0"], ["list", "--state", "lost"], ["show"]] {
            #expect(try jobs(arguments).status == 64, "\(arguments)")
        }
    }

    @Test func aDamagedDatabaseIsLeftToTheDaemon() throws {
        let place = try TemporaryFolder()
        try Data(repeating: 0x41, count: 9000).write(to: URL(fileURLWithPath: StateFolder.database(in: place.url.path)))
        for command in [["list"], ["retry", "1"]] {
            let outcome = try Program.run(Program.solstice, ["jobs"] + command + ["--state-folder", place.url.path])
            #expect(outcome.status == 14 && outcome.errors.contains("damaged") && outcome.errors.filter(\.isNewline).count == 1, "\(outcome)")
        }
        #expect(!place.names.contains { $0.contains(".damaged") })
    }

    @Test func whereTheDatabaseIs() throws {
        _ = try store.offer([Sample.candidate("a.mp4")])
        #expect(try jobs(["list"], environment: ["STATE_DIRECTORY": folder.url.path]).output.contains("cam/a.mp4"))
        #expect(StateFolder.standard(environment: ["STATE_DIRECTORY": "/a:/b", "XDG_STATE_HOME": "/x"]) == "/a")
        #expect(StateFolder.standard(environment: ["XDG_STATE_HOME": "/x", "HOME": "/h"]) == "/x/solstice")
        #expect(StateFolder.standard(environment: ["XDG_STATE_HOME": "x", "HOME": "/h"]) == "/h/.local/state/solstice")
        #expect(StateFolder.found(environment: ["HOME": "/nowhere"], ofService: folder.url.path) == folder.url.path)
        #expect(StateFolder.found(environment: ["HOME": "/nowhere"], ofService: "/none") == "/nowhere/.local/state/solstice")
    }
}
