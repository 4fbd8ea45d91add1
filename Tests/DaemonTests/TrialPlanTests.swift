import Foundation
import Glibc
import TestSupport
import Testing

extension Trial {
    @Suite("when the configuration, or a folder, is another one") struct Plan {
        private static let needsMount: Comment = "mounting a small file system needs root"
        /// No disk has so much: every job waits.
        private static let noRoom = ["jobs": "1", "disk-floor": "900TiB"]

        enum Change: String, CaseIterable { case reload, restart }

        /// Makes the daemon take the configuration that was written.
        private func take(_ change: Change, _ bench: TrialBench, _ daemon: DaemonProgram) throws -> DaemonProgram {
            switch change {
            case .restart:
                #expect(daemon.stop().outcome.status == 0)
                return try bench.serve()
            case .reload:
                daemon.running.send(signal: SIGHUP)
                #expect(daemon.wait { daemon.log.contains("configuration reloaded") }, daemon.story)
                return daemon
            }
        }

        @Test("jobs that wait take it: no source is deleted that is to be kept by now", arguments: Change.allCases)
        func settings(_ change: Change) throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: Self.noRoom, folder: ["after": "delete"])
            var daemon = try bench.serve()
            try bench.put(.plain, as: "a.mp4")
            #expect(daemon.wait { daemon.job("a.mp4").hold == "disk" }, daemon.story)
            let other = bench.folder.path("out2")
            try bench.configure(folder: ["after": "keep", "out": other])
            daemon = try take(change, bench, daemon)
            #expect(daemon.wait("a.mp4", is: "done"), daemon.story)
            try TrialClip.plain.expectResult(other + "/a.mp4")
            #expect(Tree.files(bench.output).isEmpty)
            // A source is deleted within a second of its result.
            sleep(3)
            #expect(bench.exists(bench.source("a.mp4")) && daemon.job("a.mp4").words("after") == "keep", daemon.story)
            #expect(daemon.job("a.mp4")?.count("id") == 1)
        }

        @Test("a schedule that changes under the daemon makes other results, not copies of the old ones")
        func otherSchedule() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let schedule = bench.folder.path("night.txt")
            try Data("0:00=0\n".utf8).write(to: URL(fileURLWithPath: schedule))
            try bench.configure(folder: ["strength-at": "\"@\(schedule)\""])
            let daemon = try bench.serve()
            try bench.put(.plain, as: "a.mp4")
            #expect(daemon.wait("a.mp4", is: "done"), daemon.story)
            try bench.put(.plain, as: "copy.mp4")
            #expect(daemon.wait("copy.mp4", is: "done"), daemon.story)
            #expect(daemon.job("copy.mp4")?.number("copy_of") != nil, daemon.story)
            try Data("0:00=1\n".utf8).write(to: URL(fileURLWithPath: schedule))
            try bench.put(.plain, as: "b.mp4")
            #expect(daemon.wait("b.mp4", is: "done"), daemon.story)
            #expect(daemon.job("b.mp4")?.number("copy_of") == nil)
            #expect(daemon.lines("models, styles or schedules have changed").count == 1, daemon.story)
            func pictures(_ name: String) throws -> String {
                try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-i", bench.result(name), "-map", "0:v", "-f", "md5", "-"])
            }
            #expect(try pictures("b.mp4") != pictures("a.mp4") && pictures("copy.mp4") == pictures("a.mp4"), daemon.story)
            // From here on they are planned so, and copied.
            try bench.put(.plain, as: "c.mp4")
            #expect(daemon.wait("c.mp4", is: "done"), daemon.story)
            #expect(daemon.job("c.mp4")?.number("copy_of") != nil && daemon.lines("models, styles or schedules have changed").count == 1, daemon.story)
            #expect(try pictures("c.mp4") == pictures("b.mp4"))
        }

        @Test("files that are excluded by now are left alone, until they are not")
        func excluded() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: Self.noRoom)
            let daemon = try bench.serve()
            for name in ["a.mp4", "b.mp4"] { try bench.put(.plain, as: name) }
            #expect(daemon.wait { daemon.job("a.mp4").hold == "disk" && daemon.job("b.mp4").hold == "disk" }, daemon.story)
            try bench.configure(folder: ["exclude": "[\"b*\"]"])
            daemon.running.send(signal: SIGHUP)
            #expect(daemon.wait("a.mp4", is: "done"), daemon.story)
            #expect(daemon.wait("b.mp4", is: "cancelled"), daemon.story)
            try bench.configure()
            daemon.running.send(signal: SIGHUP)
            #expect(daemon.wait("b.mp4", is: "done"), daemon.story)
            try TrialClip.plain.expectResult(bench.result("b.mp4"))
        }

        @Test("a file that went while no daemon ran is not waited for")
        func goneMeanwhile() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: Self.noRoom)
            let first = try bench.serve()
            for name in ["a.mp4", "b.mp4"] { try bench.put(.plain, as: name) }
            #expect(first.wait { first.job("a.mp4").hold == "disk" && first.job("b.mp4").hold == "disk" }, first.story)
            #expect(first.stop().outcome.status == 0)
            try FileManager.default.removeItem(atPath: bench.source("b.mp4"))
            try bench.configure()
            let next = try bench.serve()
            #expect(next.wait("a.mp4", is: "done"), next.story)
            #expect(next.wait("b.mp4", is: "cancelled"), next.story)
            // It is back from where it was.
            try bench.put(.plain, as: "b.mp4")
            #expect(next.wait("b.mp4", is: "done"), next.story)
        }

        @Test("'watch' of another folder of the same last name does nothing for the first")
        func namesakes() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let (one, two) = (bench.folder.path("one/in"), bench.folder.path("two/in"))
            for path in [one, two] { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
            let environment = ["XDG_STATE_HOME": bench.folder.path("xdg")]
            let options = ["--web", "127.0.0.1:0"] + TrialBench.conversionArguments
            try TrialClip.endless.bytes().write(to: URL(fileURLWithPath: one + "/a.mkv"))
            let first = try bench.start(["watch", one, bench.folder.path("out1"), "--after", "delete"] + options, environment: environment)
            #expect(first.wait("a.mkv", is: "running"), first.story)
            try TrialClip.red.bytes().write(to: URL(fileURLWithPath: one + "/b.mp4"))
            #expect(first.wait("b.mp4", is: "queued"), first.story)
            #expect(first.stop(SIGINT).outcome.status == 0)
            try TrialClip.plain.bytes().write(to: URL(fileURLWithPath: two + "/b.mp4"))
            let second = try bench.start(["watch", two, bench.folder.path("out2")] + options, environment: environment)
            #expect(second.wait { second.jobs.contains { $0.text("source") == two + "/b.mp4" && $0.state == "done" } }, second.story)
            try TrialClip.plain.expectResult(bench.folder.path("out2/b.mp4"))
            #expect(Tree.files(one).keys.sorted() == ["a.mkv", "b.mp4"])
            #expect(second.jobs.filter { $0.words("source").hasPrefix(one) }.allSatisfy { $0.state == "queued" && $0.hold == "root" }, second.story)
            #expect(second.stop().outcome.status == 0)
            #expect(Tree.files(bench.folder.path("out1")).keys.allSatisfy { $0.contains("/.") || $0.hasPrefix(".") })
        }

        @Test("an output that is unmounted is a pause, and its mount point stays empty", .enabled(if: TrialBench.mayMount, needsMount))
        func outputUnmounted() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            #expect(bench.mount(bench.output, size: "20m"))
            try bench.configure(folder: ["after": "delete"])
            let daemon = try bench.serve()
            try bench.put(.plain, as: "a.mp4")
            #expect(daemon.wait("a.mp4", is: "done"), daemon.story)
            #expect(bench.unmount(bench.output))
            #expect(daemon.wait { daemon.status?.rows("folders").first?.text("state") == "paused" }, daemon.story)
            try bench.put(.red, as: "b.mp4")
            #expect(daemon.wait { daemon.job("b.mp4").hold == "root" }, daemon.story)
            #expect(daemon.job("b.mp4").words("note").contains("not mounted"), daemon.story)
            #expect(Tree.files(bench.output).isEmpty && bench.exists(bench.source("b.mp4")))
            #expect(bench.mount(bench.output, size: "20m"))
            #expect(daemon.wait("b.mp4", is: "done"), daemon.story)
            try TrialClip.red.expectResult(bench.result("b.mp4"))
        }

        @Test("what could not be removed from a read-only output goes when it can be written again", .enabled(if: TrialBench.mayMount, needsMount))
        func leftoversOnReadOnlyOutput() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            #expect(bench.mount(bench.output, size: "60m"))
            try bench.configure(top: ["jobs": "1"])
            let daemon = try bench.serve()
            try bench.put(.endless, as: "a.mkv")
            #expect(daemon.wait { (daemon.job("a.mkv")?.count("frames_done") ?? 0) > 0 }, daemon.story)
            let id = "\(daemon.job("a.mkv")?.count("id") ?? 0)"
            #expect(try bench.jobs("pause", id).status == 0)
            #expect(daemon.wait { daemon.job("a.mkv").hold == "user" && daemon.workers.isEmpty }, daemon.story)
            // As if it had been killed while it joined the pieces.
            let token = try String(contentsOfFile: bench.state + "/lock", encoding: .utf8)
            let name = ".solstice-\(token)-\(id)-word", hidden = bench.output + "/" + name
            try FileManager.default.createDirectory(atPath: hidden, withIntermediateDirectories: true)
            let number = try #require(try FileManager.default.attributesOfItem(atPath: hidden)[.systemFileNumber] as? Int)
            try Data("\(name)\n\(number)\n".utf8).write(to: URL(fileURLWithPath: bench.state + "/work/solstice-jobs/\(id)/hidden"))
            try Data("half".utf8).write(to: URL(fileURLWithPath: hidden + "/a.mkv"))
            #expect(bench.makeReadOnly(bench.output, true))
            #expect(try bench.jobs("cancel", id).status == 0)
            #expect(daemon.wait { Tree.files(bench.state + "/work/solstice-jobs/\(id)").keys.sorted() == ["hidden", "lock"] }, daemon.story)
            #expect(bench.exists(hidden + "/a.mkv"))
            #expect(bench.makeReadOnly(bench.output, false))
            #expect(daemon.wait { bench.leftovers.isEmpty }, "\(bench.leftovers) \(daemon.story)")
        }
    }
}
