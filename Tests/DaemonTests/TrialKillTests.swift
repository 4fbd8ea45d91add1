import Foundation
import Glibc
import TestSupport
import Testing

extension Trial {
    /// Twenty files are worked on while daemon and workers are killed, again and again, at every moment that matters.
    ///
    /// SOLSTICE_TRIAL_SEED chooses the moments, SOLSTICE_TRIAL_KILLS how many there are at least (default: 50).
    @Suite("kill -9") struct Kills {
        static let seed = number("SOLSTICE_TRIAL_SEED", 6)
        static let kills = number("SOLSTICE_TRIAL_KILLS", 50)

        private static func number(_ name: String, _ usual: Int) -> Int {
            ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? usual
        }

        @Test("at every state of a job: every file has its one result in the end, and nothing else is left")
        func everywhere() throws {
            let bench = try TrialBench()
            defer { bench.close() }
            try bench.configure(folder: ["settle": "100ms"])
            var random = SeededRandom(seed: UInt64(Self.seed))
            var files = KillFiles(seed: Self.seed)
            for file in files.all.prefix(14) { try bench.put(file.clip, as: file.name, variant: file.variant) }
            var late = files.all.dropFirst(14)
            var run = KillRun(bench: bench)
            for number in 0..<Self.kills {
                if number % 5 == 3, let file = late.popFirst() { try bench.put(file.clip, as: file.name, variant: file.variant) }
                try run.strike(at: KillMoment.allCases.randomElement(using: &random) ?? .anytime, random: &random)
            }
            for file in late { try bench.put(file.clip, as: file.name, variant: file.variant) }
            // The moments shall be what they are meant to be. Which ones were hit depends on the machine.
            let meant: Set = ["queued", "probing", "running", "verifying", "done"]
            for _ in Self.kills..<max(Self.kills, 150) where !run.seen.isSuperset(of: meant) {
                let file = files.more()
                try bench.put(file.clip, as: file.name, variant: file.variant)
                try run.strike(at: KillMoment.allCases.randomElement(using: &random) ?? .anytime, random: &random)
            }
            #expect(run.seen.isSuperset(of: meant), "\(run.seen)")
            let before = Tree.files(bench.input)

            let daemon = try run.daemon ?? bench.serve()
            #expect(daemon.wait(done: files.all.count, upTo: 180), daemon.story)
            let jobs = daemon.jobs
            let outcome = daemon.stop().outcome
            #expect(outcome.status == 0, "\(outcome.errors)")

            #expect(Tree.files(bench.input) == before)
            #expect(before.keys.sorted() == files.all.map(\.name).sorted())
            #expect(Tree.files(bench.output).keys.sorted() == files.all.map(\.name).sorted())
            for file in files.all { try file.clip.expectResult(bench.result(file.name)) }
            #expect(jobs.count == files.all.count && jobs.allSatisfy { $0.row("failure") == nil })
            #expect(bench.leftovers.isEmpty, "\(bench.leftovers)")
        }
    }
}

/// The files of a run: short and long ones, two of them with the same content.
struct KillFiles {
    struct File {
        let name: String
        let clip: TrialClip
        let variant: Int
    }

    private(set) var all: [File]

    /// One more, not among the first ones.
    mutating func more() -> File {
        let file = File(name: "more-\(all.count).mp4", clip: .plain, variant: 100 + all.count)
        all.append(file)
        return file
    }

    init(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed) &+ 1)
        let clips: [TrialClip] = (0..<20).map { $0 % 4 == 0 ? .long : TrialClip.short[$0 % 4] }
        var files = clips.enumerated().map { number, clip in
            File(name: "\(number % 3 == 0 ? "sub/" : "")\(number).\(clip.ending)", clip: clip, variant: number)
        }
        files[19] = File(name: "twin.\(files[4].clip.ending)", clip: files[4].clip, variant: files[4].variant)
        files.shuffle(using: &random)
        all = files
    }
}

/// When a kill comes.
enum KillMoment: CaseIterable {
    /// While the daemon starts.
    case start
    /// A worker has just begun; it renders; it makes the result; the result has just been put in place.
    case begun, rendering, joining, published
    case anytime

    /// Seconds that pass, at most, between what is waited for and the kill.
    var delay: Double {
        switch self {
        case .start: 0.3
        case .begun: 0.15
        case .rendering: 0.9
        case .joining: 0.06
        case .published: 0.03
        case .anytime: 1.2
        }
    }
}

struct KillRun {
    let bench: TrialBench
    private(set) var daemon: DaemonProgram?
    /// States that jobs were in when something was killed.
    private(set) var seen: Set<String> = []

    init(bench: TrialBench) { self.bench = bench }

    mutating func strike(at moment: KillMoment, random: inout SeededRandom) throws {
        let program = try daemon ?? bench.serve(waits: false)
        daemon = program
        if moment == .begun || moment == .rendering || moment == .joining || moment == .published {
            let before = look()
            _ = program.wait(upTo: 4) { look().shows(moment, since: before) }
        }
        usleep(UInt32(Double.random(in: 0...moment.delay, using: &random) * 1e6))
        let victims = DaemonProgram.Victims.allCases.randomElement(using: &random) ?? .daemon
        program.kill(victims)
        guard victims != .workers else { return }
        daemon = nil
        // The database says what was going on. It may not be there yet.
        for job in (try? bench.jobList()) ?? [] { job.text("state").map { _ = seen.insert($0) } }
    }

    private struct Look {
        var work: Set<String>
        var journals: Int
        var hidden: Set<String>
        var results: Int

        func shows(_ moment: KillMoment, since before: Look) -> Bool {
            switch moment {
            case .begun: !work.subtracting(before.work).isEmpty
            case .rendering: journals > 0
            case .joining: !hidden.subtracting(before.hidden).isEmpty
            case .published: results > before.results
            case .start, .anytime: true
            }
        }
    }

    /// What the disk shows of the work, faster than any question to the daemon.
    private func look() -> Look {
        let work = Set(TrialBench.work(of: bench.state))
        let journals = work.reduce(0) { sum, job in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(bench.state)/work/solstice-jobs/\(job)")) ?? []
            return sum + names.filter { $0.contains("journal") }.count
        }
        let names = ["", "/sub"].flatMap { below in
            ((try? FileManager.default.contentsOfDirectory(atPath: bench.output + below)) ?? []).map { below + "/" + $0 }
        }
        let hidden = names.filter { ($0 as NSString).lastPathComponent.hasPrefix(".") }
        return Look(work: work, journals: journals, hidden: Set(hidden), results: names.count - hidden.count)
    }
}
