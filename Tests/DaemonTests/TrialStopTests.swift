import Foundation
import Glibc
import TestSupport
import Testing

extension Trial {
    @Suite("stops, starts, clocks and neighbours") struct Stops {
        @Test("SIGTERM and SIGINT amid a job: an end in order, and the next life goes on from there", arguments: [SIGTERM, SIGINT])
        func resumed(signal: Int32) throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            try bench.put(.film, as: "a.mp4")
            let first = try bench.serve()
            #expect(first.hold("a.mp4") { $0.count("frames_done") > 50 }, first.story)
            let outcome = first.stop(signal).outcome
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(first.children.isEmpty)
            let stopped = try #require(try bench.jobList().first)
            #expect(stopped.text("state") == "queued" && stopped.count("frames_done") > 50, "\(stopped)")
            #expect(stopped.row("failure") == nil, "\(stopped)")
            #expect(Tree.files(bench.output).isEmpty, "\(Tree.files(bench.output).keys)")

            let second = try bench.serve()
            var least = Int.max
            #expect(second.wait(upTo: 90) {
                let job = second.job("a.mp4")
                if job.state == "running", let job { least = min(least, job.count("frames_done")) }
                return job.state == "done"
            }, second.story)
            #expect(least >= stopped.count("frames_done"), "\(least) of \(stopped)")
            // Frames in safety are not rendered again.
            let rendered = try #require(Self.metric(second, "solstice_frames_total"))
            #expect(Int(rendered) <= TrialClip.film.frames - stopped.count("frames_done") + 1, "\(rendered) after \(stopped)")
            try TrialClip.film.expectResult(bench.result("a.mp4"))
            #expect(second.stop().outcome.status == 0)
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }

        @Test("an end takes less than 10 s, idle, and with a worker and a relay at work", arguments: [false, true])
        func quick(isBusy: Bool) throws {
            var times: [Double] = []
            // A machine may stall once; a daemon that dawdles does so each time.
            while times.count < 3, times.allSatisfy({ $0 >= 10 }) {
                let bench = try TrialBench()
                defer { bench.close() }
                let (film, port) = (try TrialClip.long.path(), try FreePort.next())
                let road = "relays:\n  - {name: road, source: \(film), realtime-file: yes, loop: yes, listen: 'rtsp://127.0.0.1:\(port)/road', network-size: 256x128, strength: 0}\n"
                try bench.configure(more: isBusy ? road : "")
                let daemon = try bench.serve()
                if isBusy {
                    try bench.put(.endless, as: "a.mkv")
                    #expect(daemon.wait { daemon.status?.rows("relays").first.state == "playing" }, daemon.story)
                    #expect(daemon.hold("a.mkv"), daemon.story)
                }
                let (outcome, seconds) = daemon.stop()
                #expect(outcome.status == 0, "\(outcome.errors)")
                #expect(daemon.children.isEmpty)
                times.append(seconds)
            }
            #expect(times.contains { $0 < 10 }, "\(times)")
        }

        static func metric(_ daemon: DaemonProgram, _ name: String) -> Double? {
            daemon.get("/metrics")?.body.split(separator: "\n").first { $0.hasPrefix(name + " ") }.flatMap { Double($0.split(separator: " ").last ?? "") }
        }

        @Test("a second daemon on the same state folder is refused, and the first one does not mind")
        func alreadyRunning() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure()
            let first = try bench.serve()
            let second = try bench.start(["serve", "--config", bench.folder.path("solstice.yaml")]).running.wait(limit: 20)
            #expect(second.status != 0 && second.errors.contains(bench.state), "\(second.errors)")
            #expect(second.errors.split(separator: "\n").filter { $0.hasPrefix("solstice: ") }.count == 1, "\(second.errors)")
            try bench.put(.plain, as: "a.mp4")
            #expect(first.wait("a.mp4", is: "done"), first.story)
        }

        // MARK: - Clocks

        private static let faketime: String? = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/faketime/libfaketimeMT.so.1" }
            .first { FileManager.default.fileExists(atPath: $0) }

        @Test("the wall clock jumps by years, there and back", .enabled(if: faketime != nil, "libfaketime is not installed"))
        func clockJumps() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let clock = bench.folder.path("clock")
            func set(_ offset: String) throws {
                try Data(offset.utf8).write(to: URL(fileURLWithPath: clock + ".new"))
                #expect(rename(clock + ".new", clock) == 0)
            }
            try set("+0")
            try bench.configure()
            // Behind env(1), as the library, where it is loaded first, moves the environment, by which a Swift program finds its arguments.
            let words = [Program.solstice, "serve", "--config", bench.folder.path("solstice.yaml")]
            let daemon = try bench.start(words, environment: [
                "LD_PRELOAD": Self.faketime ?? "", "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
            ], program: "/usr/bin/env")
            #expect(daemon.waitReady(), daemon.story)
            for (number, offset) in ["+0", "+3y", "-2y", "+40d", "-1h", "+0"].enumerated() {
                try set(offset)
                try bench.put(.plain, as: "\(number).mp4", variant: number)
                try bench.put(.red, as: "r\(number).mp4", variant: number)
                try set(offset == "+0" ? "+2h" : "+0")
                // The library moves the times of files, too, so that some are taken for changed ones and done again.
                #expect(daemon.wait { self.results(bench, ["\(number).mp4", "r\(number).mp4"]) }, daemon.story)
            }
            // A file from the future, and one from long ago.
            for (name, year) in [("future.mp4", 4_000_000_000), ("past.mp4", 86400)] {
                try bench.put(.uneven, as: "ready.part", variant: name.utf8.count)
                var times = [timespec(tv_sec: year, tv_nsec: 0), timespec(tv_sec: year, tv_nsec: 0)]
                #expect(utimensat(AT_FDCWD, bench.source("ready.part"), &times, 0) == 0)
                let ending = name.replacingOccurrences(of: ".mp4", with: ".mkv")
                #expect(rename(bench.source("ready.part"), bench.source(ending)) == 0)
            }
            #expect(daemon.wait { self.results(bench, ["future.mkv", "past.mkv"]) }, daemon.story)
            #expect(daemon.jobs.allSatisfy { $0.count("attempts") == 1 && ($0.number("busy_seconds") ?? -1) >= 0 }, daemon.story)
            #expect(daemon.stop().outcome.status == 0)
        }

        private func results(_ bench: TrialBench, _ names: [String]) -> Bool {
            names.allSatisfy { FileManager.default.fileExists(atPath: bench.result($0)) }
        }

        // MARK: - Two daemons

        @Test("two daemons share a folder, and one of them is killed: everything is done, nothing twice")
        func twoDaemons() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            let states = ["one", "two"].map { bench.folder.path("state-\($0)") }
            for (number, state) in states.enumerated() {
                try bench.configure("\(number).yaml", top: ["state": state, "jobs": "1"], folder: ["shared": "yes"])
            }
            let names = (0..<8).map { "\($0).mp4" }
            for (number, name) in names.enumerated() { try bench.put(number < 2 ? .film : .plain, as: name, variant: number) }
            let daemons = try (0..<2).map { try bench.serve("\($0).yaml", waits: false) }
            #expect(daemons.allSatisfy { $0.waitReady() })
            // Each of them stays where it is until both are at work.
            for daemon in daemons {
                #expect(daemon.wait { daemon.jobs.first { $0.state == "running" }?.text("file").map { daemon.hold($0, upTo: 1) } ?? false }, daemon.story)
            }
            let running = daemons.map { daemon in Set(daemon.jobs.filter { $0.state == "running" }.compactMap { $0.text("file") }) }
            #expect(running[0].isDisjoint(with: running[1]), "\(running)")
            #expect(running.allSatisfy { $0.count == 1 }, "\(running)")
            daemons[0].kill(.daemonAndWorkers)
            daemons[1].letGo()
            #expect(daemons[1].wait(done: names.count, upTo: 180), daemons[1].story)
            for (number, name) in names.enumerated() { try (number < 2 ? TrialClip.film : .plain).expectResult(bench.result(name)) }
            // Its neighbour's next life finds everything done. Hidden files, such as leases, come and go.
            func results() -> [String: Tree.Stamp] { Tree.files(bench.output).filter { !$0.key.split(separator: "/").contains { $0.hasPrefix(".") } } }
            let before = results()
            let third = try bench.serve("0.yaml")
            #expect(third.wait(done: names.count), third.story)
            #expect(results() == before)
            for daemon in [third, daemons[1]] { #expect(daemon.stop().outcome.status == 0) }
            #expect(Tree.files(bench.output).keys.sorted() == names.sorted(), "\(Tree.files(bench.output).keys.sorted())")
            for state in states { #expect(TrialBench.work(of: state).isEmpty) }
        }

        @Test("two daemons on eight files do each once")
        func sharedWork() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            for number in 0..<2 {
                try bench.configure("\(number).yaml", top: ["state": bench.folder.path("state-\(number)"), "jobs": "1"], folder: ["shared": "yes"])
            }
            let daemons = try (0..<2).map { try bench.serve("\($0).yaml", waits: false) }
            #expect(daemons.allSatisfy { $0.waitReady() })
            for number in 0..<8 { try bench.put(.plain, as: "\(number).mp4", variant: number) }
            for daemon in daemons { #expect(daemon.wait(done: 8, upTo: 90), daemon.story) }
            // The figures may be half a second old.
            var rendered: [Double] = []
            let isSum = daemons[0].wait {
                rendered = daemons.compactMap { Self.metric($0, "solstice_frames_total") }
                return rendered.reduce(0, +) >= Double(8 * TrialClip.plain.frames)
            }
            #expect(isSum && rendered.reduce(0, +) == Double(8 * TrialClip.plain.frames), "\(rendered)")
            #expect(rendered.allSatisfy { $0 > 0 }, "\(rendered)")
            for number in 0..<8 { try TrialClip.plain.expectResult(bench.result("\(number).mp4")) }
            for daemon in daemons { #expect(daemon.stop().outcome.status == 0) }
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }
    }
}
