import Foundation
import Glibc
import TestSupport
import Testing

extension Trial {
    @Suite("when the surroundings fail") struct Faults {
        private static let needsMount: Comment = "mounting a small file system needs root"

        @Test("no room to begin with: the job waits by name, and goes on by itself", .enabled(if: TrialBench.mayMount, needsMount))
        func fullAtStart() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            #expect(bench.mount(bench.output, size: "8m"))
            let ballast = bench.result("ballast.bin")
            try Data(count: 7 << 20).write(to: URL(fileURLWithPath: ballast))
            try bench.configure(top: ["disk-floor": "512KiB"])
            try bench.put(.long, as: "a.mp4")
            let daemon = try bench.serve()
            #expect(daemon.wait { daemon.job("a.mp4").hold == "disk" }, daemon.story)
            let job = daemon.job("a.mp4")
            #expect(job.state == "queued" && job.words("note").contains(bench.output), "\(job?.description ?? "")")
            #expect(job?.count("attempts") == 0 && job?.row("failure") == nil, "\(job?.description ?? "")")
            let shown = try bench.jobs("list")
            #expect(shown.output.contains(bench.output), "\(shown.output)")
            try FileManager.default.removeItem(atPath: ballast)
            #expect(daemon.wait("a.mp4", is: "done"), daemon.story)
            try TrialClip.long.expectResult(bench.result("a.mp4"))
        }

        @Test("the disk of the work runs full meanwhile: a pause at a checkpoint, and on from there", .enabled(if: TrialBench.mayMount, needsMount))
        func fullMeanwhile() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let work = bench.folder.path("work")
            #expect(bench.mount(work, size: "40m"))
            try bench.configure(top: ["work": work, "disk-floor": "10MiB", "jobs": "1"])
            try bench.put(.film, as: "a.mp4")
            let daemon = try bench.serve()
            #expect(daemon.hold("a.mp4") { $0.count("frames_done") > 0 }, daemon.story)
            // Somebody else fills it.
            var status = statvfs()
            #expect(statvfs(work, &status) == 0)
            let free = Int(status.f_bavail) * Int(status.f_frsize)
            try Data(count: max(0, free - (9 << 20))).write(to: URL(fileURLWithPath: work + "/ballast"))
            #expect(daemon.wait { daemon.log.contains("job pauses") }, daemon.story)
            daemon.letGo()
            #expect(daemon.wait { daemon.job("a.mp4").hold == "disk" }, daemon.story)
            let paused = try #require(daemon.job("a.mp4"))
            #expect(paused.count("frames_done") > 0 && paused.words("note").contains(work), "\(paused)")
            #expect(paused.row("failure") == nil, "\(paused)")
            try FileManager.default.removeItem(atPath: work + "/ballast")
            #expect(bench.resize(work, size: "300m"))
            #expect(daemon.hold("a.mp4"), daemon.story)
            #expect((daemon.job("a.mp4")?.count("frames_done") ?? 0) >= paused.count("frames_done"), daemon.story)
            daemon.letGo()
            #expect(daemon.wait("a.mp4", is: "done", upTo: 90), daemon.story)
            try TrialClip.film.expectResult(bench.result("a.mp4"))
            #expect(daemon.stop().outcome.status == 0)
            #expect(Tree.files(work).keys.filter { $0 != "solstice-jobs/lock" } == [], "\(Tree.files(work).keys)")
        }

        @Test("no room for the result, which nobody could foresee", .enabled(if: TrialBench.mayMount, needsMount))
        func fullAtEnd() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            // The lossless result is far larger than its source; nothing is kept free.
            #expect(bench.mount(bench.output, size: "1m"))
            try bench.configure(top: ["disk-floor": "0B"], folder: ["after": "delete"])
            try bench.put(.long, as: "a.mp4")
            let daemon = try bench.serve()
            #expect(daemon.wait { daemon.job("a.mp4").hold != "" && daemon.job("a.mp4").state == "queued" }, daemon.story)
            let waiting = try #require(daemon.job("a.mp4"))
            #expect(waiting.text("hold") == "disk" || waiting.failureCode == "diskFull", "\(waiting)")
            #expect(!bench.exists(bench.result("a.mp4")) && bench.exists(bench.source("a.mp4")))
            #expect(bench.resize(bench.output, size: "200m"))
            #expect(daemon.wait("a.mp4", is: "done", upTo: 60), daemon.story)
            try TrialClip.long.expectResult(bench.result("a.mp4"))
            #expect(daemon.wait { !bench.exists(bench.source("a.mp4")) }, daemon.story)
        }

        @Test("an output that is read-only: said, waited for, and done when it is writable", .enabled(if: TrialBench.mayMount, needsMount))
        func readOnly() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            #expect(bench.mount(bench.output, size: "50m") && bench.makeReadOnly(bench.output, true))
            try bench.configure(folder: ["after": "delete"])
            try bench.put(.plain, as: "sub/a.mp4")
            let daemon = try bench.serve()
            #expect(daemon.wait { daemon.job("sub/a.mp4").hold == "retry" }, daemon.story)
            let job = try #require(daemon.job("sub/a.mp4"))
            #expect(job.failureCode == "unwritable" && job.words("note").contains(bench.output), "\(job)")
            #expect(bench.exists(bench.source("sub/a.mp4")))
            #expect(bench.makeReadOnly(bench.output, false))
            // The next attempt would come by itself, within 10 s.
            #expect(try bench.jobs("retry", "--all").status == 0)
            #expect(daemon.wait("sub/a.mp4", is: "done"), daemon.story)
            try TrialClip.plain.expectResult(bench.result("sub/a.mp4"))
        }

        @Test("the watched folder vanishes while it is worked on, and comes back")
        func vanishes() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: ["jobs": "1"], folder: ["scan": "1s", "after": "delete"])
            let daemon = try bench.serve()
            try bench.put(.long, as: "a.mp4")
            #expect(daemon.wait("a.mp4", is: "running"), daemon.story)
            for number in 0..<3 { try bench.put(.plain, as: "\(number).mp4", variant: number) }
            #expect(daemon.wait { daemon.jobs.count == 4 }, daemon.story)
            #expect(rename(bench.input, bench.folder.path("away")) == 0)
            #expect(daemon.wait { daemon.folder.state == "paused" }, daemon.story)
            #expect(daemon.folder.words("reason").contains(bench.input), daemon.story)
            sleep(2)
            // Nothing is taken for deleted.
            #expect(daemon.jobs.allSatisfy { !["cancelled", "failed"].contains($0.state) }, daemon.story)
            #expect(rename(bench.folder.path("away"), bench.input) == 0)
            #expect(daemon.wait { daemon.folder.state == "watching" }, daemon.story)
            // Whatever was tried in between waits for some seconds.
            _ = try bench.jobs("retry", "--all")
            #expect(daemon.wait(done: 4, upTo: 90), daemon.story)
            #expect(daemon.wait { Tree.files(bench.input).isEmpty }, daemon.story)
            try TrialClip.long.expectResult(bench.result("a.mp4"))
        }

        @Test("a file system that is unmounted leaves an empty folder: nothing is taken for deleted", .enabled(if: TrialBench.mayMount, needsMount))
        func unmounted() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: ["jobs": "1"], folder: ["scan": "1s"])
            #expect(bench.mount(bench.input, size: "50m"))
            try TrialClip.endless.bytes().write(to: URL(fileURLWithPath: bench.source("a.mkv")))
            try TrialClip.plain.bytes().write(to: URL(fileURLWithPath: bench.source("b.mp4")))
            let daemon = try bench.serve()
            #expect(daemon.wait { daemon.jobs.count == 2 }, daemon.story)
            #expect(bench.unmount(bench.input))
            #expect(daemon.wait { daemon.folder.state == "paused" }, daemon.story)
            sleep(2)
            #expect(daemon.jobs.count == 2 && daemon.jobs.allSatisfy { !["cancelled", "failed"].contains($0.state) }, daemon.story)
        }

        @Test("the folder is not there when the daemon starts")
        func notYetThere() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(folder: ["scan": "1s"])
            try FileManager.default.removeItem(atPath: bench.input)
            let daemon = try bench.serve()
            #expect(daemon.wait { daemon.folder.state == "paused" }, daemon.story)
            try FileManager.default.createDirectory(atPath: bench.input, withIntermediateDirectories: true)
            try bench.put(.plain, as: "a.mp4")
            #expect(daemon.wait("a.mp4", is: "done"), daemon.story)
        }

        // MARK: - Workers that die

        @Test("two crashes put a content in quarantine, under every name; the others go on")
        func quarantine() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: ["jobs": "1"])
            let daemon = try bench.serve()
            try bench.put(.endless, as: "bad.mkv")
            for round in 1...2 {
                #expect(daemon.wait("bad.mkv", is: "running"), daemon.story)
                let worker = try #require(daemon.workers.first)
                kill(worker.pid, round == 1 ? SIGSEGV : SIGABRT)
                #expect(daemon.wait { !["running", "probing"].contains(daemon.job("bad.mkv").state) }, daemon.story)
                guard round == 1 else { break }
                let job = try #require(daemon.job("bad.mkv"))
                #expect(job.text("hold") == "retry" && job.failureCode == "crashed", "\(job)")
                #expect(job.failureText.contains("SIGSEGV"), "\(job)")
                // While that waits, another file has its turn.
                try bench.put(.plain, as: "good.mp4")
                #expect(daemon.wait("good.mp4", is: "done"), daemon.story)
                // And then it has another one, by itself: a user who asks for it would let it out of what is to come.
                #expect(daemon.wait("bad.mkv", is: "running"), daemon.story)
            }
            #expect(daemon.wait("bad.mkv", is: "failed"), daemon.story)
            #expect(daemon.job("bad.mkv").failureCode == "quarantined", daemon.story)
            try bench.put(.endless, as: "bad again.mkv")
            #expect(daemon.wait("bad again.mkv", is: "failed"), daemon.story)
            #expect(daemon.job("bad again.mkv").failureCode == "quarantined", daemon.story)
            // Until the user says otherwise.
            let id = daemon.job("bad.mkv")?.count("id") ?? 0
            #expect(try bench.jobs("retry", "\(id)").status == 0)
            #expect(daemon.wait("bad.mkv", is: "running"), daemon.story)
            #expect(daemon.get("/healthz")?.status == 200)
            #expect(try bench.jobs("cancel", "\(id)").status == 0)
            #expect(daemon.wait("bad.mkv", is: "cancelled"), daemon.story)
            #expect(daemon.stop().outcome.status == 0)
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }

        @Test("a worker that is killed from outside counts for nothing")
        func killedWorker() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            let daemon = try bench.serve()
            try bench.put(.film, as: "a.mp4")
            for _ in 0..<4 {
                #expect(daemon.hold("a.mp4") { $0.count("frames_rendered") > 0 }, daemon.story)
                daemon.kill(.workers)
            }
            // After so many there is a pause of 30 s.
            #expect(daemon.wait("a.mp4", is: "done", upTo: 120), daemon.story)
            #expect(daemon.job("a.mp4")?.row("failure") == nil, daemon.story)
            try TrialClip.film.expectResult(bench.result("a.mp4"))
        }
    }
}
