import Foundation
import TestSupport
import Testing

extension Trial {
    @Suite("a clip's way") struct Way {
        @Test("the result is what convert makes, under the same name, and the source is as it was")
        func whole() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            let daemon = try bench.serve()
            for clip in TrialClip.short { try bench.put(clip, as: "\(clip.name).\(clip.ending)") }
            let before = Tree.files(bench.input)
            #expect(daemon.wait(done: TrialClip.short.count), daemon.story)
            for clip in TrialClip.short { try clip.expectResult(bench.result("\(clip.name).\(clip.ending)")) }
            #expect(Tree.files(bench.input) == before)
            #expect(Tree.files(bench.output).keys.sorted() == TrialClip.short.map { "\($0.name).\($0.ending)" }.sorted())
            for job in daemon.jobs {
                #expect(job.count("attempts") == 1 && job.number("output_bytes") ?? 0 > 0, "\(job)")
                #expect(job.count("frames_done") == job.count("frames_total") && job.text("content_hash")?.count == 64, "\(job)")
            }
            let outcome = daemon.stop().outcome
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output.isEmpty && !outcome.errors.contains(" error: "), "\(outcome.errors)")
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }

        @Test("the daemon's next life does nothing again")
        func again() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            try bench.put(.plain, as: "a.mp4")
            let first = try bench.serve()
            #expect(first.wait(done: 1), first.story)
            #expect(first.stop().outcome.status == 0)
            let before = Tree.files(bench.output)
            let second = try bench.serve()
            try bench.put(.red, as: "b.mp4")
            #expect(second.wait(done: 2), second.story)
            #expect(second.job("a.mp4")?.count("attempts") == 1, second.story)
            #expect(Tree.files(bench.output)["a.mp4"] == before["a.mp4"])
        }

        @Test("without its database it recognises its results")
        func forgetful() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            for clip in TrialClip.short { try bench.put(clip, as: "\(clip.name).\(clip.ending)") }
            let first = try bench.serve()
            #expect(first.wait(done: TrialClip.short.count), first.story)
            #expect(first.stop().outcome.status == 0)
            let before = Tree.files(bench.output)
            try FileManager.default.removeItem(atPath: bench.state)
            let second = try bench.serve()
            #expect(second.wait(done: TrialClip.short.count), second.story)
            #expect(Tree.files(bench.output) == before)
            #expect(second.stop().outcome.status == 0)
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }

        @Test("a damaged database is put aside, and results are recognised")
        func damagedDatabase() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            try bench.put(.plain, as: "a.mp4")
            let first = try bench.serve()
            #expect(first.wait(done: 1), first.story)
            #expect(first.stop().outcome.status == 0)
            let before = Tree.files(bench.output)
            let database = try #require(Tree.files(bench.state).keys.first { $0.hasSuffix(".sqlite") })
            for ending in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: bench.state + "/" + database + ending) }
            try Data((0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }).write(to: URL(fileURLWithPath: bench.state + "/" + database))
            let second = try bench.serve()
            #expect(second.wait(done: 1), second.story)
            #expect(second.log.contains("warning"), second.story)
            #expect(Tree.files(bench.output) == before)
        }

        @Test("subfolders are mirrored, the output may lie in the watched folder, and results are not taken again")
        func mirrored() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let inner = bench.source("night")
            try bench.configure(folder: ["out": inner])
            try bench.put(.plain, as: "2026/11 Nov/a.mp4")
            let daemon = try bench.serve()
            try bench.put(.red, as: "2026/new/deep/b.mp4")
            #expect(daemon.wait(done: 2), daemon.story)
            try TrialClip.plain.expectResult(inner + "/2026/11 Nov/a.mp4")
            try TrialClip.red.expectResult(inner + "/2026/new/deep/b.mp4")
            // A result that a person puts among the sources.
            try FileManager.default.copyItem(atPath: inner + "/2026/11 Nov/a.mp4", toPath: bench.source("back.mp4"))
            try bench.put(.camera, as: "last.mov")
            #expect(daemon.wait("last.mov", is: "done"), daemon.story)
            #expect(daemon.wait { daemon.job("back.mp4").map { ["failed", "cancelled"].contains($0.state) } ?? true }, daemon.story)
            #expect(!bench.exists(inner + "/back.mp4"))
            #expect(daemon.job("back.mp4").failureCode == "ownOutput", daemon.story)
            #expect(!daemon.jobs.contains { $0.text("file")?.hasPrefix("night/") ?? false }, daemon.story)
            #expect(Set(daemon.jobs.compactMap { $0.text("file") }) == ["2026/11 Nov/a.mp4", "2026/new/deep/b.mp4", "back.mp4", "last.mov"])
        }

        @Test("hidden and temporary names are left alone, also when they get their real name")
        func hiddenNames() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(folder: ["exclude": "['private/**', '*_raw.mp4']"])
            let daemon = try bench.serve()
            let ignored = [
                ".hidden.mp4", "a.mp4.part", "b.mp4.tmp", "c.mp4~", "d.mp4.crdownload", ".dir/e.mp4", "private/f.mp4", "g_raw.mp4", "notes.txt", "h.filepart",
            ]
            for name in ignored { try bench.put(.plain, as: name) }
            try bench.put(.red, as: "real.mp4")
            #expect(daemon.wait(done: 1), daemon.story)
            #expect(rename(bench.source("a.mp4.part"), bench.source("a.mp4")) == 0)
            #expect(daemon.wait(done: 2), daemon.story)
            #expect(Set(daemon.jobs.compactMap { $0.text("file") }) == ["real.mp4", "a.mp4"], daemon.story)
            try TrialClip.plain.expectResult(bench.result("a.mp4"))
        }

        @Test("what the user has put there is not overwritten")
        func occupied() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(folder: ["after": "delete"])
            let mine = Data("my own notes".utf8)
            try mine.write(to: URL(fileURLWithPath: bench.result("a.mp4")))
            try bench.put(.plain, as: "a.mp4")
            let daemon = try bench.serve()
            #expect(daemon.wait("a.mp4", is: "failed"), daemon.story)
            #expect(daemon.job("a.mp4").failureCode == "outputExists", daemon.story)
            #expect(daemon.job("a.mp4")?.count("attempts") == 1)
            #expect(try Data(contentsOf: URL(fileURLWithPath: bench.result("a.mp4"))) == mine)
            #expect(bench.exists(bench.source("a.mp4")))
            // With that out of the way, it is done when the user asks for it.
            try FileManager.default.removeItem(atPath: bench.result("a.mp4"))
            #expect(try bench.jobs("retry", "\(daemon.job("a.mp4")?.count("id") ?? 0)").status == 0)
            #expect(daemon.wait("a.mp4", is: "done"), daemon.story)
            try TrialClip.plain.expectResult(bench.result("a.mp4"))
            #expect(daemon.wait { !bench.exists(bench.source("a.mp4")) }, daemon.story)
        }
    }
}
