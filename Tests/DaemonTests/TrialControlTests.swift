import Foundation
import Glibc
import TestSupport
import Testing

extension Trial {
    @Suite("what people tell it") struct Control {
        // MARK: - Configuration

        @Test("SIGHUP: a new folder, a new limit, and a job that goes on")
        func reload() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: ["jobs": "1"])
            let daemon = try bench.serve()
            try bench.put(.film, as: "a.mp4")
            #expect(daemon.hold("a.mp4"), daemon.story)
            let worker = daemon.workers.first?.pid
            let (more, there) = (bench.folder.path("in2"), bench.folder.path("out2"))
            for path in [more, there] { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
            try TrialClip.red.bytes().write(to: URL(fileURLWithPath: more + "/b.mp4"))
            let conversion = TrialBench.conversion.map { "    \($0.key): \($0.value)\n" }.joined()
            try bench.configure(top: ["jobs": "2"], more: "  - name: second\n    in: \(more)\n    out: \(there)\n    settle: 200ms\n" + conversion)
            daemon.running.send(signal: SIGHUP)
            #expect(daemon.wait("b.mp4", is: "done"), daemon.story)
            try TrialClip.red.expectResult(there + "/b.mp4")
            #expect(daemon.status?.rows("folders").compactMap { $0.text("name") } == ["drop", "second"])
            // The same worker is still at it.
            #expect(daemon.workers.map(\.pid).contains { $0 == worker } && daemon.job("a.mp4")?.count("attempts") == 1, daemon.story)
            // A mistake changes nothing.
            try Data("jobs: 1\nfoldes: []\n".utf8).write(to: URL(fileURLWithPath: bench.folder.path("solstice.yaml")))
            daemon.running.send(signal: SIGHUP)
            #expect(daemon.wait { daemon.log.contains("solstice.yaml:2") }, daemon.story)
            try TrialClip.plain.bytes().write(to: URL(fileURLWithPath: more + "/c.mp4"))
            #expect(daemon.wait("c.mp4", is: "done"), daemon.story)
            daemon.letGo()
            #expect(daemon.wait("a.mp4", is: "done", upTo: 90), daemon.story)
            #expect(daemon.job("a.mp4")?.count("attempts") == 1, daemon.story)
            try TrialClip.film.expectResult(bench.result("a.mp4"))
        }

        struct Mistake: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let text: String
            /// Where the message must say it is.
            let place: String
            let words: [String]
        }

        static let mistakes = [
            Mistake(testDescription: "unknown key", text: "jobs: 1\nfoldes: []\n", place: ":2", words: ["foldes", "folders"]),
            Mistake(testDescription: "unknown key of a folder", text: "folders:\n  - name: a\n    in: /tmp/a\n    ot: /tmp/b\n", place: ":4", words: ["ot"]),
            Mistake(testDescription: "wrong type", text: "jobs: many\nfolders: []\n", place: ":1", words: ["jobs", "many"]),
            Mistake(testDescription: "impossible value", text: "folders:\n  - {name: a, in: /tmp/a, out: /tmp/b}\njobs: 0\n", place: ":3", words: ["jobs"]),
            Mistake(testDescription: "no YAML", text: "folders: [\n", place: ":", words: []),
            Mistake(testDescription: "twice", text: "jobs: 1\njobs: 2\nfolders: []\n", place: ":1", words: ["jobs"]),
            Mistake(testDescription: "same output", text: "folders:\n  - {name: a, in: /tmp/a, out: /tmp/c}\n  - {name: b, in: /tmp/b, out: /tmp/c}\n", place: ":3", words: ["output"]),
            Mistake(testDescription: "move without a place", text: "folders:\n  - name: a\n    in: /tmp/a\n    out: /tmp/b\n    after: move\n", place: ":5", words: ["move-to"]),
            Mistake(testDescription: "an option that convert refuses", text: "folders:\n  - name: a\n    in: /tmp/a\n    out: /tmp/b\n    strength: 3\n", place: ":5", words: ["strength"]),
            Mistake(testDescription: "open to everybody", text: "web: {listen: 0.0.0.0:8080}\nfolders:\n  - {name: a, in: /tmp/a, out: /tmp/b}\n", place: ":1", words: ["token"]),
        ]

        @Test("--check names file and line", arguments: mistakes)
        func mistaken(_ mistake: Mistake) throws {
            let folder = try TemporaryFolder(), path = folder.path("solstice.yaml")
            try Data(mistake.text.utf8).write(to: URL(fileURLWithPath: path))
            let outcome = try Program.run(Program.solstice, ["serve", "--config", path, "--check"])
            #expect(outcome.status != 0 && outcome.status < 128 && outcome.output.isEmpty)
            #expect(outcome.errors.contains(path + mistake.place), "\(outcome.errors)")
            #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
            for word in mistake.words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
        }

        @Test("--check of what is right, and of what is not there")
        func checked() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let path = try bench.configure()
            let outcome = try Program.run(Program.solstice, ["serve", "--config", path, "--check"])
            #expect(outcome.status == 0 && outcome.output.isEmpty, "\(outcome.errors)")
            #expect(!bench.exists(bench.state))
            let missing = try Program.run(Program.solstice, ["serve", "--config", bench.folder.path("none.yaml")])
            #expect(missing.status != 0 && missing.errors.contains("none.yaml") && missing.errors.split(separator: "\n").count == 1, "\(missing.errors)")
        }

        @Test("a port that is taken ends it with one line")
        func portTaken() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            let first = try bench.serve()
            let port = try #require(first.port)
            try bench.configure("other.yaml", top: ["state": bench.folder.path("state2"), "web": "{listen: 127.0.0.1:\(port)}"])
            let outcome = try bench.start(["serve", "--config", bench.folder.path("other.yaml")]).running.wait(limit: 20)
            #expect(outcome.status == 52 && outcome.errors.contains("\(port)"), "\(outcome.status) \(outcome.errors)")
        }

        // MARK: - solstice jobs

        @Test("pause, resume, cancel and retry of a running daemon's job")
        func requests() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: ["jobs": "1"])
            let daemon = try bench.serve()
            try bench.put(.film, as: "a.mp4")
            #expect(daemon.hold("a.mp4") { $0.count("frames_done") > 0 }, daemon.story)
            try bench.put(.plain, as: "b.mp4")
            #expect(daemon.wait { daemon.job("b.mp4") != nil }, daemon.story)
            let id = "\(daemon.job("a.mp4")?.count("id") ?? 0)"
            #expect(try bench.jobs("pause", id).status == 0)
            daemon.letGo()
            #expect(daemon.wait { daemon.job("a.mp4").hold == "user" }, daemon.story)
            let paused = try #require(daemon.job("a.mp4"))
            #expect(paused.text("state") == "queued" && paused.count("frames_done") > 0, "\(paused)")
            #expect(daemon.wait("b.mp4", is: "done"), daemon.story)
            #expect(daemon.job("a.mp4").hold == "user", daemon.story)
            #expect(try bench.jobs("resume", id).status == 0)
            #expect(daemon.hold("a.mp4"), daemon.story)
            #expect((daemon.job("a.mp4")?.count("frames_done") ?? 0) >= paused.count("frames_done"), daemon.story)
            let table = try bench.jobs("list")
            #expect(table.status == 0 && table.output.contains("a.mp4") && table.output.contains("running"), "\(table.output)")
            let shown = try bench.jobs("show", id, "--json")
            #expect(shown.rows.first.state == "running" && shown.rows.first?.text("source") == bench.source("a.mp4"), "\(shown.output)")
            #expect(try bench.jobs("show", id).output.contains(bench.source("a.mp4")))
            #expect(try bench.jobs("cancel", id).status == 0)
            #expect(daemon.wait("a.mp4", is: "cancelled"), daemon.story)
            #expect(daemon.wait { bench.leftovers.isEmpty }, "\(bench.leftovers)")
            let refused = try bench.jobs("pause", id)
            #expect(refused.status == 1 && refused.errors.split(separator: "\n").count == 1, "\(refused.errors)")
            #expect(try bench.jobs("show", "999").status != 0)
            #expect(try bench.jobs("retry", id).status == 0)
            #expect(daemon.wait("a.mp4", is: "done", upTo: 90), daemon.story)
            try TrialClip.film.expectResult(bench.result("a.mp4"))
            #expect(try bench.jobs("list", "--state", "done", "--json").rows.count == 2)
        }

        enum CalledOff: String, CaseIterable { case cancelled, deleted, replaced }

        @Test("a job that waits with work done leaves nothing of it when it is called off", arguments: CalledOff.allCases)
        func calledOff(_ how: CalledOff) throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: ["jobs": "1", "checkpoint": "1s"])
            let daemon = try bench.serve()
            try bench.put(.film, as: "a.mp4")
            #expect(daemon.hold("a.mp4") { $0.count("frames_done") > 0 }, daemon.story)
            let id = "\(daemon.job("a.mp4")?.count("id") ?? 0)"
            #expect(try bench.jobs("pause", id).status == 0)
            daemon.letGo()
            #expect(daemon.wait { daemon.job("a.mp4").hold == "user" && daemon.workers.isEmpty }, daemon.story)
            #expect(bench.leftovers.contains("work/" + id), "\(bench.leftovers)")
            switch how {
            case .cancelled: #expect(try bench.jobs("cancel", id).status == 0)
            case .deleted: try FileManager.default.removeItem(atPath: bench.source("a.mp4"))
            case .replaced: try bench.put(.plain, as: "a.mp4")
            }
            #expect(daemon.wait { daemon.jobs.contains { $0.count("id") == Int(id) && $0.state == "cancelled" } }, daemon.story)
            // The new file's job must not be stopped amid its work, of which it would rightly keep what there is.
            if how == .replaced { #expect(daemon.wait("a.mp4", is: "done"), daemon.story) }
            #expect(daemon.wait { bench.leftovers.isEmpty }, "\(bench.leftovers) \(daemon.story)")
            #expect(daemon.stop().outcome.status == 0)
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }

        @Test("the same through the API, and without a daemon")
        func requestsElsewhere() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(top: ["jobs": "1"])
            #expect(try bench.jobs("list").status == 10)
            let daemon = try bench.serve()
            try bench.put(.film, as: "a.mp4")
            #expect(daemon.hold("a.mp4"), daemon.story)
            let (port, id) = (try #require(daemon.port), daemon.job("a.mp4")?.count("id") ?? 0)
            #expect(try WebClient.ask(port, "POST", "/api/v1/jobs/\(id)/pause").status == 200)
            daemon.letGo()
            #expect(daemon.wait { daemon.job("a.mp4").hold == "user" }, daemon.story)
            #expect(try WebClient.ask(port, "POST", "/api/v1/jobs/\(id)/pause").status == 409)
            daemon.kill(.daemonAndWorkers)
            #expect(try bench.jobList().first.hold == "user")
            #expect(try bench.jobs("resume", "--all").status == 0)
            #expect(try bench.jobs("cancel", "\(id)").status == 0)
            #expect(try bench.jobList().first.state == "cancelled")
            let next = try bench.serve()
            try bench.put(.plain, as: "b.mp4")
            #expect(next.wait("b.mp4", is: "done"), next.story)
            #expect(next.job("a.mp4").state == "cancelled", next.story)
            #expect(next.stop().outcome.status == 0)
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }

        // MARK: - solstice watch

        @Test("watch: one folder without a configuration; its state under XDG_STATE_HOME")
        func watch() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let environment = ["XDG_STATE_HOME": bench.folder.path("xdg")]
            try FileManager.default.removeItem(atPath: bench.output)
            try bench.put(.plain, as: "a.mp4")
            let arguments = ["watch", bench.input, bench.output, "--web", "127.0.0.1:0"] + TrialBench.conversionArguments
            let first = try bench.start(arguments, environment: environment)
            #expect(first.wait(done: 1), first.story)
            try TrialClip.plain.expectResult(bench.result("a.mp4"))
            #expect(first.stop(SIGINT).outcome.status == 0)
            #expect(Tree.files(bench.folder.path("xdg")).keys.contains { $0.hasPrefix("solstice/") && $0.hasSuffix(".sqlite") })
            let second = try bench.start(arguments, environment: environment)
            try bench.put(.red, as: "b.mp4")
            #expect(second.wait(done: 2), second.story)
            #expect(second.job("a.mp4")?.count("attempts") == 1)
            #expect(second.stop().outcome.status == 0)
            let missing = try Program.run(Program.solstice, ["watch", bench.folder.path("none"), bench.output], environment: environment)
            #expect(missing.status != 0 && missing.errors.contains("none"), "\(missing.errors)")
            let same = try Program.run(Program.solstice, ["watch", bench.input, bench.input], environment: environment)
            #expect(same.status != 0 && same.errors.split(separator: "\n").count == 1, "\(same.errors)")
        }
    }
}
