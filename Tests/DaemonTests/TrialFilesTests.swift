import Foundation
import Glibc
import Jobs
import SystemPackage
import TestSupport
import Testing

extension Trial {
    @Suite("files as people and programs leave them") struct Files {
        @Test("a file that grows is taken when it is whole, and once", arguments: [true, false])
        func grows(staysOpen: Bool) throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(folder: ["settle": "700ms"])
            let daemon = try bench.serve()
            let bytes = try TrialClip.plain.bytes(), path = bench.source("a.mp4")
            let part = bytes.count / 10 + 1
            let held = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
            for start in stride(from: 0, to: bytes.count, by: part) {
                let descriptor = staysOpen ? held : open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
                let slice = [UInt8](bytes[start..<min(start + part, bytes.count)])
                #expect(write(descriptor, slice, slice.count) == slice.count)
                if !staysOpen { Glibc.close(descriptor) }
                usleep(150_000)
                #expect(daemon.jobs.isEmpty, daemon.story)
            }
            // Whole, but not closed yet: the writer may come back.
            if staysOpen { usleep(1_500_000) }
            #expect(!staysOpen || daemon.jobs.isEmpty, daemon.story)
            Glibc.close(held)
            #expect(daemon.wait(done: 1), daemon.story)
            #expect(daemon.jobs.count == 1 && daemon.jobs.first?.count("attempts") == 1, daemon.story)
            try TrialClip.plain.expectResult(bench.result("a.mp4"))
        }

        @Test("a file that is replaced while it is worked on: the result is the new one's")
        func replaced() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            let daemon = try bench.serve()
            try bench.put(.endless, as: "a.mkv")
            #expect(daemon.wait("a.mkv", is: "running"), daemon.story)
            try bench.put(.uneven, as: "a.mkv")
            #expect(daemon.wait { daemon.jobs.count == 2 && daemon.job("a.mkv").state == "done" }, daemon.story)
            try TrialClip.uneven.expectResult(bench.result("a.mkv"))
            #expect(daemon.jobs.last.state == "cancelled", daemon.story)
            // And once more, after the end.
            try bench.put(.uneven, as: "a.mkv", variant: 3)
            #expect(daemon.wait { daemon.jobs.count == 3 && daemon.job("a.mkv").state == "done" }, daemon.story)
            try TrialClip.uneven.expectResult(bench.result("a.mkv"))
            #expect(daemon.stop().outcome.status == 0)
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }

        @Test("a file that is overwritten in place while it is worked on")
        func overwritten() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            let daemon = try bench.serve()
            try bench.put(.endless, as: "a.mkv")
            #expect(daemon.wait("a.mkv", is: "running"), daemon.story)
            try TrialClip.uneven.bytes().write(to: URL(fileURLWithPath: bench.source("a.mkv")), options: [])
            #expect(daemon.wait(upTo: 90) { Self.shows(bench, "a.mkv", .uneven) }, daemon.story)
            #expect(daemon.wait { !daemon.jobs.contains { ["queued", "probing", "running", "verifying"].contains($0.state) } }, daemon.story)
            try TrialClip.uneven.expectResult(bench.result("a.mkv"))
            #expect(daemon.stop().outcome.status == 0)
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }

        private static func shows(_ bench: TrialBench, _ name: String, _ clip: TrialClip) -> Bool {
            bench.exists(bench.result(name)) && (try? Probe.framePts(bench.result(name)))?.count == clip.frames
        }

        @Test("a file that is renamed while it is worked on: the result has the new name")
        func renamed() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            let daemon = try bench.serve()
            try bench.put(.long, as: "old name.mp4")
            #expect(daemon.hold("old name.mp4"), daemon.story)
            #expect(rename(bench.source("old name.mp4"), bench.source("new name.mp4")) == 0)
            #expect(daemon.wait("old name.mp4", is: "cancelled"), daemon.story)
            #expect(daemon.wait("new name.mp4", is: "done"), daemon.story)
            try TrialClip.long.expectResult(bench.result("new name.mp4"))
            #expect(Tree.files(bench.output).keys.sorted() == ["new name.mp4"])
            #expect(daemon.stop().outcome.status == 0)
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }

        @Test("a file that is deleted while it is worked on, and one that waits")
        func deleted() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: ["jobs": "1"])
            let daemon = try bench.serve()
            try bench.put(.endless, as: "a.mkv")
            // Held, so that it does not come to its end by itself.
            #expect(daemon.hold("a.mkv"), daemon.story)
            try bench.put(.plain, as: "b.mp4")
            #expect(daemon.wait("b.mp4", is: "queued"), daemon.story)
            for name in ["a.mkv", "b.mp4"] { try FileManager.default.removeItem(atPath: bench.source(name)) }
            for name in ["a.mkv", "b.mp4"] { #expect(daemon.wait(name, is: "cancelled"), daemon.story) }
            // The place is free for others, and a file of the same name is another job.
            try bench.put(.red, as: "b.mp4")
            #expect(daemon.wait("b.mp4", is: "done"), daemon.story)
            try TrialClip.red.expectResult(bench.result("b.mp4"))
            #expect(Tree.files(bench.output).keys.sorted() == ["b.mp4"])
            #expect(daemon.stop().outcome.status == 0)
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }

        @Test("two names of one file, and copies of it, are converted once")
        func hardLinked() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            try bench.put(.long, as: "a.mp4")
            #expect(link(bench.source("a.mp4"), bench.source("b.mp4")) == 0)
            try bench.put(.long, as: "sub/c.mp4")
            let daemon = try bench.serve()
            #expect(daemon.wait(done: 3), daemon.story)
            #expect(daemon.jobs.filter { $0.number("copy_of") != nil }.count == 2, daemon.story)
            for name in ["a.mp4", "b.mp4", "sub/c.mp4"] { try TrialClip.long.expectResult(bench.result(name)) }
        }

        static let names: [[UInt8]] =
            ["with space.mp4", " leading and trailing .mp4", "new\nline.mp4", "it's \"quoted\".mp4", "-rf.mp4", "50%25 & $HOME;`id`.mp4", "a:b=c,d.mp4", "Sägewerk 夜.mp4", "back\\slash.mp4", "*?[x].mp4", "tab\there.mp4"]
            .map { Array($0.utf8) } + [[0x63, 0x61, 0x66, 0xE9, 0x2E, 0x6D, 0x70, 0x34], [0xFF, 0xFE, 0x80, 0x2E, 0x6D, 0x70, 0x34]]

        @Test("names of any bytes")
        func oddNames() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            for (number, name) in Self.names.enumerated() {
                try bench.put(.plain, as: "ready.part", variant: number)
                let target = try #require(FilePath(bytes: Array(bench.input.utf8) + [47] + name))
                #expect(bench.source("ready.part").withCString { from in target.withPlatformString { rename(from, $0) } } == 0)
            }
            let before = Tree.files(bench.input)
            let daemon = try bench.serve()
            #expect(daemon.wait(done: Self.names.count, upTo: 120), daemon.story)
            #expect(Tree.files(bench.output).keys.sorted() == Self.names.map(Tree.name).sorted())
            #expect(Tree.files(bench.input) == before)
            for (number, name) in Self.names.enumerated() {
                let shown = Tree.name(name)
                let bytes = try #require(Tree.files(bench.output)[shown]).bytes, copy = bench.folder.path("check-\(number).mp4")
                try Data(bytes).write(to: URL(fileURLWithPath: copy))
                try TrialClip.plain.expectResult(copy)
            }
            // Neither the log nor the table breaks its lines for them.
            #expect(daemon.log.split(separator: "\n").allSatisfy { $0.contains(": ") }, daemon.story)
            let table = try bench.jobs("list")
            #expect(table.status == 0 && table.output.contains("caf\\xE9.mp4"), "\(table.output)")
            // A program that reads the lines can open each of them.
            let paths = try bench.jobs("list", "--json").rows.compactMap { $0.text("source_base64").flatMap { Data(base64Encoded: $0) } ?? $0.text("source").map { Data($0.utf8) } }
            #expect(Set(paths) == Set(Self.names.map { Data(bench.input.utf8) + [47] + $0 }))
            #expect(daemon.stop().outcome.status == 0)
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }

        @Test("a thousand files at once become a thousand jobs")
        func thousand() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: ["jobs": "1"])
            let daemon = try bench.serve()
            let bytes = try TrialClip.plain.bytes()
            for number in 0..<1000 {
                let name = number % 2 == 0 ? "\(number).mp4" : "sub\(number % 10)/\(number).mp4"
                try? FileManager.default.createDirectory(atPath: (bench.source(name) as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
                // So that none is a copy.
                try (bytes + ClipShop.emptyBox(number)).write(to: URL(fileURLWithPath: bench.source(name)), options: [])
            }
            let all = { (daemon.status?.row("jobs")).map { counts in ["queued", "probing", "running", "verifying", "done", "failed", "cancelled"].map { counts.count($0) }.reduce(0, +) } ?? 0 }
            #expect(daemon.wait(upTo: 300) { all() >= 1000 }, daemon.story)
            // A scan has had time to find something twice.
            sleep(3)
            #expect(all() == 1000)
            #expect(daemon.stop().outcome.status == 0)
            let jobs = try bench.jobList()
            #expect(jobs.count == 1000 && Set(jobs.compactMap { $0.text("file") }).count == 1000)
            #expect(jobs.allSatisfy { $0.row("failure") == nil && ["queued", "done"].contains($0.state) }, "\(jobs.first { $0.row("failure") != nil }?.description ?? "")")
        }

        @Test("what is no video fails once, and says why")
        func noVideo() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(folder: ["after": "delete"])
            let whole = try TrialClip.plain.bytes()
            try Data("this is no video\n".utf8).write(to: URL(fileURLWithPath: bench.source("text.mp4")))
            try Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 &>> 3) }).write(to: URL(fileURLWithPath: bench.source("noise.mp4")))
            // Its index, at the end, is missing.
            try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: bench.source("half.mp4")))
            try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", bench.source("sound.mp4")])
            // A pipe is not even opened: that would wait for a writer.
            #expect(mkfifo(bench.source("pipe.mp4"), 0o644) == 0)
            let before = Tree.files(bench.input)
            let daemon = try bench.serve()
            let codes = ["text.mp4": "notMedia", "noise.mp4": "notMedia", "half.mp4": "damaged", "sound.mp4": "noVideo"]
            for (name, code) in codes {
                #expect(daemon.wait(name, is: "failed"), daemon.story)
                let job = daemon.job(name)
                #expect(job?.count("attempts") == 1 && job.failureCode == code, "\(name) \(code): \(job?.description ?? "")")
                #expect(job.failureText.contains(name), "\(job?.description ?? "")")
            }
            #expect(daemon.jobs.count == codes.count, daemon.story)
            // Another scan, and another life, do not try again.
            sleep(3)
            #expect(daemon.stop().outcome.status == 0)
            let next = try bench.serve()
            try bench.put(.plain, as: "good.mp4")
            #expect(next.wait("good.mp4", is: "done"), next.story)
            #expect(next.jobs.allSatisfy { $0.count("attempts") == 1 }, next.story)
            #expect(Tree.files(bench.input).filter { $0.key != "good.mp4" } == before)
            #expect(Tree.files(bench.output).keys.sorted() == ["good.mp4"])
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }
    }
}
