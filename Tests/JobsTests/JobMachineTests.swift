import Foundation
import Jobs
import TestSupport
import Testing

@Suite("What becomes of a job") struct JobMachineTests {
    static let now = Sample.now
    static let later = now.addingTimeInterval(60)

    /// Jobs in every state, held and asked in every way that makes a difference.
    static let situations: [(name: String, job: Job)] = {
        func made(_ change: (inout Job) -> Void) -> Job {
            var job = Sample.job()
            change(&job)
            return job
        }
        func active(_ state: JobState, _ request: JobRequest? = nil, replacedBy: Int64? = nil) -> Job {
            made {
                ($0.state, $0.owner, $0.started, $0.attempts) = (state, .current, now, 1)
                ($0.request, $0.replacedBy) = (request, replacedBy)
            }
        }
        return [
            ("queued", Sample.job()),
            ("paused", made { ($0.hold, $0.note) = (.user, "paused") }),
            ("to retry", made { ($0.hold, $0.notBefore, $0.failure, $0.failedAttempts) = (.retry, later.addingTimeInterval(30), Sample.failure, 1) }),
            ("no room", made { ($0.hold, $0.note) = (.disk, "no room") }),
            ("probing", active(.probing)), ("running", active(.running)), ("verifying", active(.verifying)),
            ("cancel asked", active(.running, .cancel)), ("pause asked", active(.running, .pause)),
            ("replaced", active(.running, .cancel, replacedBy: 9)),
            ("done", made { ($0.state, $0.finished) = (.done, now) }),
            ("failed", made { ($0.state, $0.finished, $0.failure) = (.failed, now, Sample.failure) }),
            ("cancelled", made { ($0.state, $0.finished) = (.cancelled, now) }),
            ("gone", made { try? JobMachine.apply(.sourceVanished, to: &$0, now: now) }),
        ]
    }()

    static let events: [String: (event: JobEvent, deaths: Int)] = [
        "claimed": (.claimed(.current), 0), "hashed": (.hashed("abc"), 0), "quarantined": (.quarantined, 2), "probed": (.probed(frames: 300), 0),
        "progress": (.progress(frames: 20, safe: 10, total: nil, framesPerSecond: 5), 0), "verifying": (.verifying, 0),
        "notice": (.notice("a line"), 0), "finished": (.finished(frames: 300, bytes: 1, copyOf: nil), 0),
        "may pass": (.failed(Sample.failure), 0), "no video": (.failed(JobFailure(code: "noVideo", text: "no", mayPass: false)), 0),
        "1st fault": (.died(.signal(SIGSEGV)), 1), "2nd fault": (.died(.outOfMemory), 2), "killed": (.died(.signal(SIGKILL)), 2),
        "interrupted": (.interrupted(safe: 12), 0), "cancel": (.request(.cancel), 0), "pause": (.request(.pause), 0),
        "resume": (.request(.resume), 0), "retry": (.request(.retry), 0), "held": (.held(.disk, "no room", until: nil), 0),
        "released": (.released, 0), "replace": (.replaced(by: 9), 0), "vanished": (.sourceVanished, 0), "back": (.sourceBack, 0),
    ]

    /// A row an event, a column a situation, in their order. Lower case is a state: queued, probing, running, verifying, done, failed, x for
    /// cancelled. Behind it a hold (u of the user, t to retry, k disk) or a pending request (C cancel, P pause). - is refused.
    static let table = """
        claimed     : p  -  -  -   -  -  -  -  -  -   -  -  -  -
        hashed      : -  -  -  -   p  -  -  -  -  -   -  -  -  -
        quarantined : f  f  f  f   f  f  f  x  f  x   -  -  -  -
        probed      : -  -  -  -   r  -  -  -  -  -   -  -  -  -
        progress    : -  -  -  -   -  r  -  rC rP rC  -  -  -  -
        verifying   : -  -  -  -   v  v  -  vC vP vC  -  -  -  -
        notice      : -  -  -  -   p  r  v  rC rP rC  -  -  -  -
        finished    : -  -  -  -   d  d  d  d  d  d   -  -  -  -
        may pass    : -  -  -  -   qt qt qt x  qu x   -  -  -  -
        no video    : -  -  -  -   f  f  f  x  f  x   -  -  -  -
        1st fault   : -  -  -  -   qt qt qt x  qu x   -  -  -  -
        2nd fault   : -  -  -  -   f  f  f  x  f  x   -  -  -  -
        killed      : -  -  -  -   qt qt qt x  qu x   -  -  -  -
        interrupted : -  -  -  -   q  q  q  x  qu x   -  -  -  -
        cancel      : x  x  x  x   pC rC vC rC rC rC  -  -  -  -
        pause       : qu -  qu qu  pP rP vP -  -  -   -  -  -  -
        resume      : -  q  -  -   -  -  -  -  r  -   -  -  -  -
        retry       : -  -  q  -   -  -  -  -  -  -   q  q  q  q
        held        : qk qu qk qk  qk qk qk x  qu x   -  -  -  -
        released    : q  qu qt q   -  -  -  -  -  -   -  -  -  -
        replace     : x  x  x  x   pC rC vC rC rC rC  d  x  x  x
        vanished    : x  x  x  x   p  r  v  rC rP rC  d  f  x  x
        back        : -  -  -  -   -  -  -  -  -  -   -  -  -  q
        """

    static func code(of job: Job) -> String {
        let state = job.state == .cancelled ? "x" : String(job.state.rawValue.prefix(1))
        let hold: String = switch job.hold { case nil: "" case .user?: "u" case .retry?: "t" case .disk?: "k" default: "?" }
        let request: String = switch job.request { case nil: "" case .cancel?: "C" case .pause?: "P" default: "?" }
        return state + hold + request
    }

    @Test(arguments: table.split(separator: "\n").map(String.init)) func everyStateAndEvent(row: String) throws {
        let parts = row.split(separator: ":"), name = parts[0].trimmingCharacters(in: .whitespaces)
        let (event, deaths) = try #require(Self.events[name])
        let expected = parts[1].split(separator: " ")
        try #require(expected.count == Self.situations.count)
        for (situation, expected) in zip(Self.situations, expected) {
            var job = situation.job
            do {
                try JobMachine.apply(event, to: &job, now: Self.later, deathsOfContent: deaths)
                #expect(Self.code(of: job) == expected, "\(name) where \(situation.name)")
                Self.checkInvariants(job, "\(name) where \(situation.name)")
            } catch {
                #expect(error.code == .notPossible)
                #expect(expected == "-", "\(name) where \(situation.name): \(error)")
                #expect(job == situation.job, "\(name) where \(situation.name) is refused and leaves nothing behind")
            }
        }
    }

    @Test func theTableHasEveryEvent() { #expect(Self.table.split(separator: "\n").count == Self.events.count) }

    /// What is true of every job.
    static func checkInvariants(_ job: Job, _ words: String) {
        #expect((job.owner != nil) == job.state.isActive, "\(words)")
        #expect(job.hold == nil || job.state == .queued, "\(words)")
        #expect((job.finished != nil) == job.state.isFinal, "\(words)")
        #expect(job.request == nil || job.state.isActive, "\(words)")
        #expect(job.failure != nil || job.state != .failed, "\(words)")
        #expect(job.state != .done || job.failure == nil, "\(words)")
        #expect(job.framesRendered >= job.framesDone, "\(words)")
        #expect(job.busySeconds >= 0, "\(words)")
    }

    @Test func anyOrderOfEventsKeepsAJobSound() {
        var random = SeededRandom(seed: 6)
        let names = Self.events.keys.sorted()
        for _ in 0..<300 {
            var job = Sample.job(), now = Self.now, story: [String] = []
            for _ in 0..<40 {
                let name = names[Int.random(in: 0..<names.count, using: &random)]
                // The wall clock may jump either way.
                now = now.addingTimeInterval(Double.random(in: -100...2000, using: &random))
                let before = job
                do {
                    try JobMachine.apply(Self.events[name]!.event, to: &job, now: now, deathsOfContent: Self.events[name]!.deaths)
                    story.append(name)
                } catch {
                    #expect(job == before)
                }
                Self.checkInvariants(job, story.joined(separator: ", "))
            }
        }
    }

    // MARK: what the table does not show

    private func applied(_ events: [JobEvent], to job: Job = Sample.job(), now: Date = now) throws -> Job {
        var job = job
        for event in events { try JobMachine.apply(event, to: &job, now: now) }
        return job
    }

    @Test func aJobsWay() throws {
        var job = try applied([.claimed(.current), .hashed("abc"), .probed(frames: 300)])
        #expect(job.owner == .current && job.attempts == 1 && job.identity.contentHash == "abc" && job.framesTotal == 300)
        job = try applied([.progress(frames: 40, safe: 25, total: 310, framesPerSecond: 12.5)], to: job)
        #expect(job.framesDone == 25 && job.framesRendered == 40 && job.framesTotal == 310 && job.framesPerSecond == 12.5)
        job = try applied([.verifying, .notice("one frame is damaged"), .notice("one frame is damaged")], to: job)
        job = try applied([.finished(frames: 305, bytes: 9, copyOf: 3)], to: job, now: Self.later)
        #expect(job.state == .done && job.framesDone == 305 && job.framesTotal == 305 && job.outputBytes == 9 && job.copyOf == 3)
        #expect(job.busySeconds == 60 && job.notices == ["one frame is damaged"] && job.finished == Self.later)
    }

    @Test func interruptionsCountNothing() throws {
        var job = Sample.job()
        for _ in 0..<100 { job = try applied([.claimed(.current), .interrupted(safe: 8)], to: job) }
        #expect(job.failedAttempts == 0 && job.notBefore == nil && job.framesDone == 8 && job.hold == nil)
    }

    @Test func failuresWaitLongerAndLongerAndEnd() throws {
        var job = Sample.job(), now = Self.now, pauses: [Double] = []
        while job.state == .queued {
            job = try applied([.claimed(.current), .failed(Sample.failure)], to: job, now: now)
            guard let notBefore = job.notBefore else { break }
            pauses.append(notBefore.timeIntervalSince(now))
            #expect(!job.isRunnable(now: now) && job.note == Sample.failure.text)
            now = notBefore
        }
        #expect(pauses == [10, 30, 120, 600, 1800, 1800, 1800] && job.state == .failed && job.attempts == 8)
    }

    @Test func aFullDiskIsWaitedForForEver() throws {
        var job = Sample.job(), now = Self.now
        for _ in 0..<200 {
            job = try applied([.claimed(.current), .failed(JobFailure(code: "diskFull", text: "full", mayPass: true))], to: job, now: now)
            now = try #require(job.notBefore)
        }
        #expect(job.state == .queued && now.timeIntervalSince(Self.now) > 190 * 1800)
    }

    @Test func aClockThatWasSetBackDoesNotHoldAJobUp() throws {
        let job = try applied([.claimed(.current), .failed(Sample.failure)])
        #expect(!job.isRunnable(now: Self.now.addingTimeInterval(-1000)))
        #expect(job.isRunnable(now: Self.now.addingTimeInterval(-100_000)))
        let finished = try applied([.claimed(.current), .probed(frames: nil), .finished(frames: 1, bytes: 1, copyOf: nil)], to: Sample.job())
        #expect(finished.busySeconds == 0)
        let back = try applied([.interrupted(safe: nil)], to: try applied([.claimed(.current)]), now: Self.now.addingTimeInterval(-500))
        #expect(back.busySeconds == 0)
    }

    @Test func aHoldOfItsOwnDoesNotForgetThePause() throws {
        var job = try applied([.claimed(.current), .failed(Sample.failure), .held(.disk, "no room", until: nil)])
        #expect(job.hold == .disk && job.note == "no room")
        job = try applied([.released], to: job)
        #expect(job.hold == .retry && job.note == Sample.failure.text)
        job = try applied([.request(.pause), .released, .request(.resume)], to: job)
        #expect(job.hold == .retry)
        job = try applied([.released], to: job, now: Self.later)
        #expect(job.hold == nil && job.notBefore == nil && job.isRunnable(now: Self.later))
    }

    @Test func retryBeginsAnew() throws {
        let failed = try applied([.claimed(.current), .failed(JobFailure(code: "notMedia", text: "no video", mayPass: false))])
        let job = try applied([.request(.retry)], to: failed)
        #expect(job.state == .queued && job.failure == nil && job.failedAttempts == 0 && job.finished == nil && job.attempts == 1)
        let replaced = try applied([.replaced(by: 12)], to: failed)
        #expect(throws: JobError.self) { try applied([.request(.retry)], to: replaced) }
        #expect(replaced.note?.contains("job 12") == true)
    }

    @Test func noticesAreBounded() throws {
        let job = try applied([.claimed(.current)] + (0..<1000).map { .notice("line \($0)") })
        #expect(job.notices.count == 50 && job.notices.first == "line 0")
    }

    @Test func deathsByThemselves() {
        for signal in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT] { #expect(WorkerDeath.signal(signal).isOfContent) }
        for death in [WorkerDeath.signal(SIGKILL), .signal(SIGTERM), .signal(SIGHUP), .exit(1)] { #expect(!death.isOfContent) }
        #expect(WorkerDeath.outOfMemory.isOfContent && WorkerDeath.signal(SIGSEGV).failure.text.contains("SIGSEGV"))
    }
}
