import Foundation
import Glibc
import TestSupport
import Testing

extension Trial {
    @Suite("sources afterwards") struct Disposal {
        /// Another file system than that of the temporary folder, where there is one.
        private static let elsewhere: String? = {
            var here = stat(), there = stat()
            guard stat(FileManager.default.temporaryDirectory.path, &here) == 0, stat("/dev/shm", &there) == 0, here.st_dev != there.st_dev,
                access("/dev/shm", W_OK) == 0
            else { return nil }
            return "/dev/shm"
        }()

        @Test("delete, once the result is there")
        func delete() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(folder: ["after": "delete"])
            let daemon = try bench.serve()
            try bench.put(.plain, as: "sub/a.mp4")
            try bench.put(.uneven, as: "b.mkv")
            try Data("no video".utf8).write(to: URL(fileURLWithPath: bench.source("broken.mp4")))
            #expect(daemon.wait("broken.mp4", is: "failed"), daemon.story)
            #expect(daemon.wait { Tree.files(bench.input).keys.sorted() == ["broken.mp4"] }, daemon.story)
            try TrialClip.plain.expectResult(bench.result("sub/a.mp4"))
            try TrialClip.uneven.expectResult(bench.result("b.mkv"))
            // That a source is gone now is no news.
            sleep(3)
            #expect(daemon.jobs.filter { $0.state == "done" }.count == 2 && daemon.jobs.count == 3, daemon.story)
        }

        @Test("move, keeping folders and names, and without replacing what is there", arguments: [false, true])
        func move(toOtherFileSystem: Bool) throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let root = toOtherFileSystem ? Self.elsewhere : bench.folder.url.path
            guard let root else { return TrialNotes.skipped("moving to another file system: /dev/shm is none") }
            let archive = root + "/archive-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: archive) }
            try bench.configure(folder: ["after": "move", "move-to": archive])
            try FileManager.default.createDirectory(atPath: archive, withIntermediateDirectories: true)
            try Data("older".utf8).write(to: URL(fileURLWithPath: archive + "/a.mp4"))
            let daemon = try bench.serve()
            try bench.put(.plain, as: "a.mp4")
            try bench.put(.camera, as: "sub/b.mov")
            #expect(daemon.wait(done: 2), daemon.story)
            #expect(daemon.wait { Tree.files(bench.input).isEmpty }, daemon.story)
            let kept = Tree.files(archive)
            #expect(kept["a.mp4"]?.bytes == Array("older".utf8))
            let sources = (try TrialClip.plain.bytes(), try TrialClip.camera.bytes())
            #expect(kept["a-2.mp4"].map { Data($0.bytes) } == sources.0)
            #expect(kept["sub/b.mov"].map { Data($0.bytes) } == sources.1)
            #expect(kept.count == 3, "\(kept.keys)")
            try TrialClip.plain.expectResult(bench.result("a.mp4"))
        }

        @Test("a daemon that is killed between the result and the source goes on with it", arguments: ["delete", "move"])
        func killedBetween(after: String) throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let archive = bench.folder.path("archive")
            let options = after == "move" ? ["after": after, "move-to": archive] : ["after": after]
            try bench.configure(folder: options)
            var random = SeededRandom(seed: 11)
            for round in 0..<4 {
                let name = "\(round).mp4"
                try bench.put(.plain, as: name, variant: round)
                let first = try bench.serve()
                #expect(first.wait { bench.exists(bench.result(name)) }, first.story)
                usleep(UInt32.random(in: 0...30_000, using: &random))
                first.kill(.daemonAndWorkers)
                let second = try bench.serve()
                #expect(second.wait { !bench.exists(bench.source(name)) && second.job(name).state == "done" }, second.story)
                second.kill(.daemonAndWorkers)
                try TrialClip.plain.expectResult(bench.result(name))
                let source = try TrialClip.plain.bytes(variant: round)
                #expect(after == "delete" || FileManager.default.contents(atPath: archive + "/" + name) == source)
            }
            #expect(Tree.files(bench.input).isEmpty)
        }
    }
}

/// What a run could not test, for those who read its output.
enum TrialNotes {
    static func skipped(_ what: String) { print("left out: \(what)") }
}
