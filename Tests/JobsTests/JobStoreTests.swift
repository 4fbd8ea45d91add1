import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import Jobs

@Suite("The job store") struct JobStoreTests {
    let folder: TemporaryFolder
    let store: JobStore
    let now = Sample.now

    init() throws {
        folder = try TemporaryFolder()
        store = try JobStore(path: folder.path("jobs.sqlite"))
    }

    private func offer(_ candidate: JobCandidate) throws -> Offer { try store.offer([candidate], now: now)[0] }

    // MARK: what is kept

    @Test func everythingIsKeptAsItWas() throws {
        let odd = try #require(FilePath(bytes: Array("sub dir/l\nine ".utf8) + [0xFF, 0xC3, 0x28] + Array(" \"'; DROP.mp4".utf8)))
        let settings = JobSettings(arguments: ["--style", "a b", "", "ü"], after: .move, moveTo: "/done", identity: "i")
        let made = try offer(Sample.candidate(odd, settings: settings)).job
        #expect(made.relativePath == odd && made.settings == settings && made.id > 0)
        var job = try #require(try store.claim(owner: .current, now: now))
        job = try store.apply(.notice("two\nlines"), to: job.id, now: now)
        job = try store.apply(.hashed("abc"), to: job.id, now: now)
        job = try store.apply(.probed(frames: 30), to: job.id, now: now)
        job = try store.apply(.progress(frames: 9, safe: 4, total: 31, framesPerSecond: 2.5), to: job.id, now: now)
        #expect(try store.job(job.id) == job)
        #expect(try JobStore(path: store.path, access: .read).job(job.id) == job)
        #expect(job.source.bytes == FilePath("/in/cam").appending(odd.components).bytes && job.owner == .current)
        job = try store.apply(.failed(Sample.failure), to: job.id, now: now)
        #expect(try store.job(job.id) == job && job.notBefore == now.addingTimeInterval(10))
        job = try store.apply(.request(.cancel), to: job.id, now: now)
        #expect(try store.job(job.id) == job)
        #expect(try store.job(job.id + 1) == nil)
    }

    @Test func errorsHaveTheirCodes() throws {
        #expect { try store.apply(.verifying, to: 99) } throws: { ($0 as? JobError)?.code == .noSuchJob }
        let id = try offer(Sample.candidate("a.mp4")).job.id
        #expect { try store.apply(.verifying, to: id) } throws: { ($0 as? JobError)?.code == .notPossible }
        _ = try store.claim(owner: .current, now: now)
        // Another process's late word does not reach the job.
        #expect { try store.apply(.probed(frames: 1), to: id, owner: Sample.deadOwner) } throws: { ($0 as? JobError)?.code == .notPossible }
        #expect(try store.apply(.probed(frames: 1), to: id, owner: .current).state == .running)
    }

    // MARK: offers

    @Test func aFileIsOfferedOnce() throws {
        let candidate = Sample.candidate("a.mp4")
        let first = try offer(candidate)
        #expect(first == .new(first.job))
        let version = try store.dataVersion()
        #expect(try offer(candidate) == .known(first.job))
        #expect(try store.dataVersion() == version)
        // The same name elsewhere is another file.
        #expect(try offer(Sample.candidate("a.mp4", folder: "other")).job.id != first.job.id)
        #expect(try offer(Sample.candidate("b/a.mp4")).job.id != first.job.id)
        try store.finish(try store.started("a.mp4").id, hash: "h")
        guard case .known(let done) = try offer(candidate) else { return #expect(Bool(false), "it is done") }
        #expect(done.state == .done && done.id == first.job.id)
    }

    @Test func aChangedFileIsANewJob() throws {
        let id = try store.started("a.mp4").id
        try store.finish(id, hash: "h")
        guard case .changed(let second, replaced: id) = try offer(Sample.candidate("a.mp4", size: 200)) else { return #expect(Bool(false)) }
        #expect(second.state == .queued && second.identity.size == 200 && second.id != id)
        #expect(try store.job(id)?.state == .done && store.job(id)?.replacedBy == second.id)
        #expect(try offer(Sample.candidate("a.mp4", size: 200)) == .known(second))
        // Nobody has looked at it: it only takes over what the file is now.
        #expect(try offer(Sample.candidate("a.mp4", size: 300)).job.id == second.id)
        #expect(try store.job(second.id)?.identity.size == 300)
    }

    @Test func aFileThatChangesMidJobWaitsForTheOldWorker() throws {
        let old = try store.started("a.mp4")
        let new = try offer(Sample.candidate("a.mp4", size: 200)).job
        #expect(try store.job(old.id)?.request == .cancel && store.job(old.id)?.state == .probing)
        #expect(try store.claim(owner: .current, now: now) == nil)
        #expect(try store.apply(.failed(Sample.failure), to: old.id, now: now).state == .cancelled)
        #expect(try store.claim(owner: .current, now: now)?.id == new.id)
    }

    @Test func settingsThatChangeConcernWhatIsNotDone() throws {
        let other = JobSettings(arguments: ["--to", "winter"], identity: "winter 1")
        let done = try store.started("done.mp4")
        try store.finish(done.id, hash: "1")
        let failed = try store.started("failed.mp4")
        try store.apply(.failed(JobFailure(code: "notMedia", text: "no", mayPass: false)), to: failed.id, now: now)
        let waiting = try offer(Sample.candidate("waiting.mp4")).job
        #expect(try offer(Sample.candidate("done.mp4", settings: other)).job == store.job(done.id))
        guard case .known(let revised) = try offer(Sample.candidate("waiting.mp4", settings: other, out: "/elsewhere")) else {
            return #expect(Bool(false))
        }
        #expect(revised.id == waiting.id && revised.settings == other && revised.target == "/elsewhere/cam/waiting.mp4")
        guard case .changed(let again, replaced: failed.id) = try offer(Sample.candidate("failed.mp4", settings: other)) else {
            return #expect(Bool(false))
        }
        #expect(again.state == .queued && again.settings == other)
        #expect(try store.job(failed.id)?.state == .cancelled)
        guard case .changed(_, replaced: done.id) = try offer(Sample.candidate("done.mp4", out: "/elsewhere")) else { return #expect(Bool(false)) }
    }

    @Test func aFileThatComesBackIsTakenUpAgain() throws {
        let job = try offer(Sample.candidate("a.mp4")).job
        #expect(try store.apply(.sourceVanished, to: job.id, now: now).state == .cancelled)
        #expect(try offer(Sample.candidate("a.mp4")) == .new(try #require(try store.job(job.id))))
        #expect(try store.job(job.id)?.state == .queued)
        // One that the user has cancelled stays so.
        try store.request(.cancel, job: job.id, now: now)
        #expect(try offer(Sample.candidate("a.mp4")).job.state == .cancelled)
    }

    // MARK: another configuration

    @Test func whatWaitsIsPlannedAnew() throws {
        let active = try store.started("active.mp4"), done = try store.started("done.mp4")
        try store.finish(done.id, hash: "1")
        let waits = try offer(Sample.candidate("waits.mp4")).job, out = try offer(Sample.candidate("out.mp4")).job
        let elsewhere = try offer(Sample.candidate("waits.mp4", folder: "two")).job
        try store.request(.pause, job: waits.id, now: now)
        let next = JobPlan(target: "/new/x.mp4", settings: JobSettings(arguments: [], after: .delete, identity: "n"))
        let changed = try store.replan(folder: "cam", now: now) { $0.id == out.id ? nil : next }
        #expect(Set(changed.map(\.target)) == [waits.target, out.target])
        let job = try #require(try store.job(waits.id))
        #expect(job.target == next.target && job.settings == next.settings && job.hold == .user && job.state == .queued)
        #expect(try store.job(out.id)?.state == .cancelled)
        for other in [active, done, elsewhere] { #expect(try store.job(other.id)?.settings == Sample.settings) }
        #expect(try store.replan(folder: "cam", now: now) { _ in next }.isEmpty)
        #expect(try offer(Sample.candidate("out.mp4")) == .new(try #require(try store.job(out.id))))
    }

    @Test func theSmallestOfThoseThatWaitForRoomComeFirst() throws {
        for (name, size) in [("a.mp4", 300), ("b.mp4", 100), ("c.mp4", 200)] {
            let job = try offer(Sample.candidate(FilePath(name), size: Int64(size))).job
            try store.apply(.held(.disk, "no room", until: nil), to: job.id, now: now)
        }
        #expect(try store.held(.disk, limit: 2).map(\.relativePath) == ["b.mp4", "c.mp4"])
    }

    // MARK: the queue

    @Test func theOldestComesFirstAndRetriesLast() throws {
        for (index, name) in ["a.mp4", "b.mp4", "c.mp4"].enumerated() {
            _ = try store.offer([Sample.candidate(FilePath(name))], now: now.addingTimeInterval(Double(index)))
        }
        let first = try #require(try store.claim(owner: .current, now: now))
        #expect(first.relativePath == "a.mp4")
        try store.apply(.failed(Sample.failure), to: first.id, now: now)
        let late = now.addingTimeInterval(1000)
        #expect(try store.claim(owner: .current, now: late)?.relativePath == "b.mp4")
        #expect(try store.claim(owner: .current, now: late) { $0.relativePath != "c.mp4" }?.id == first.id)
        #expect(try store.claim(owner: .current, now: late)?.relativePath == "c.mp4")
        #expect(try store.claim(owner: .current, now: late) == nil)
    }

    @Test func whatIsHeldIsNotGivenOut() throws {
        let id = try offer(Sample.candidate("a.mp4")).job.id
        try store.request(.pause, job: id, now: now)
        #expect(try store.claim(owner: .current, now: now) == nil)
        try store.request(.resume, job: id, now: now)
        try store.apply(.held(.lease, "another daemon is at it", until: now.addingTimeInterval(15)), to: id, now: now)
        #expect(try store.claim(owner: .current, now: now) == nil)
        #expect(try store.claim(owner: .current, now: now.addingTimeInterval(16))?.id == id)
        try store.apply(.held(.disk, "no room", until: nil), to: id, now: now)
        #expect(try store.claim(owner: .current, now: now.addingTimeInterval(9999)) == nil)
        #expect(try store.releaseAll(.disk, now: now.addingTimeInterval(20)).map(\.id) == [id])
        #expect(try store.claim(owner: .current, now: now.addingTimeInterval(20))?.id == id)
    }

    @Test func holdsOfAFolder() throws {
        for name in ["a.mp4", "b.mp4"] { for folder in ["one", "two"] { _ = try offer(Sample.candidate(FilePath(name), folder: folder)) } }
        #expect(try store.holdAll(.root, note: "it is not there", folder: "one", now: now).count == 2)
        #expect(try store.holdAll(.root, note: "it is not there", folder: "one", now: now).isEmpty)
        #expect(try store.held(.root).map(\.id) == store.jobs(folder: "one").map(\.id).sorted() && store.held(.root, limit: 1).count == 1)
        #expect(try store.held(.disk).isEmpty)
        #expect(try store.claim(owner: .current, now: now)?.folder == "two")
        #expect(try store.releaseAll(.root, folder: "two", now: now).isEmpty)
        #expect(try store.releaseAll(.root, now: now).count == 2)
    }

    @Test func twoJobsNeverWorkOnOneTarget() throws {
        var other = Sample.candidate("b.mp4")
        other.target = Sample.candidate("a.mp4").target
        _ = try store.started("a.mp4")
        _ = try offer(other)
        #expect(try store.claim(owner: .current, now: now) == nil)
    }

    @Test func jobsOfTheDeadAreTakenOverAtOnce() throws {
        _ = try offer(Sample.candidate("a.mp4"))
        let orphan = try #require(try store.claim(owner: Sample.deadOwner, now: now))
        let own = try store.started("b.mp4")
        let taken = try store.takeOver(owner: .current, now: now)
        #expect(taken.map(\.id) == [orphan.id] && taken[0].state == .queued && taken[0].failedAttempts == 0)
        #expect(try store.job(own.id)?.state == .probing)
        #expect(try store.takeOver(owner: .current, now: now).isEmpty)
        #expect(try store.claim(owner: .current, now: now)?.id == orphan.id)
    }

    // MARK: the same content

    @Test func theSameContentWaitsForTheFirstAndIsCopied() throws {
        let first = try store.started("a.mp4"), second = try store.started("b.mp4")
        try store.apply(.hashed("same"), to: first.id, now: now)
        let held = try store.apply(.hashed("same"), to: second.id, now: now)
        #expect(held.state == .queued && held.hold == .twin && held.note?.contains("job \(first.id)") == true && held.owner == nil)
        #expect(try store.claim(owner: .current, now: now) == nil)
        #expect(try store.twin(of: held) == nil)
        try store.apply(.probed(frames: 30), to: first.id, now: now)
        try store.apply(.finished(frames: 30, bytes: 1000, copyOf: nil), to: first.id, now: now)
        let again = try #require(try store.claim(owner: .current, now: now))
        #expect(again.id == second.id)
        #expect(try store.twin(of: again)?.id == first.id)
        // It knows by now: it is not sent back again.
        #expect(try store.apply(.hashed("same"), to: second.id, now: now).state == .probing)
        let late = try store.started("c.mp4")
        #expect(try store.apply(.hashed("same"), to: late.id, now: now).hold == .twin)
    }

    @Test func otherSettingsAreOtherWork() throws {
        try store.finish(try store.started("a.mp4").id, hash: "same")
        _ = try offer(Sample.candidate("b.mp4", settings: JobSettings(arguments: [], identity: "other")))
        let job = try #require(try store.claim(owner: .current, now: now))
        #expect(try store.apply(.hashed("same"), to: job.id, now: now).state == .probing)
        #expect(try store.twin(of: try #require(try store.job(job.id))) == nil)
    }

    @Test func aFileThatWasOnlyTouchedIsNoTwinOfItself() throws {
        try store.finish(try store.started("a.mp4").id, hash: "same")
        let job = try offer(Sample.candidate("a.mp4", size: 101)).job
        _ = try store.claim(owner: .current, now: now)
        #expect(try store.apply(.hashed("same"), to: job.id, now: now).state == .probing)
    }

    // MARK: quarantine

    @Test func theSecondDeathOfAContentIsTheLast() throws {
        let job = try store.started("a.mp4")
        try store.apply(.hashed("deadly"), to: job.id, now: now)
        #expect(try store.apply(.died(.signal(SIGSEGV)), to: job.id, now: now).hold == .retry)
        let later = now.addingTimeInterval(60)
        _ = try store.claim(owner: .current, now: later)
        let failed = try store.apply(.died(.signal(SIGABRT)), to: job.id, now: later)
        #expect(failed.state == .failed && failed.failure?.code == "quarantined" && failed.failure?.text.contains("SIGABRT") == true)
        // Every file of this content, known or not, shares its fate.
        let copy = try store.started("copy.mp4", folder: "other")
        #expect(try store.apply(.hashed("deadly"), to: copy.id, now: later).failure?.code == "quarantined")
        try store.request(.retry, job: job.id, now: later)
        #expect(try store.job(copy.id)?.state == .failed)
        #expect(try store.claim(owner: .current, now: later)?.id == job.id)
    }

    @Test func knownDeadlyContentIsNotEvenClaimed() throws {
        let (one, two) = (try store.started("a.mp4"), try store.started("b.mp4", folder: "other"))
        for job in [one, two] { try store.apply(.hashed("deadly"), to: job.id, now: now) }
        // The second waits for the first, which dies twice; a death of another content counts nothing here.
        try store.apply(.died(.outOfMemory), to: one.id, now: now)
        let later = now.addingTimeInterval(5)
        #expect(try store.claim(owner: .current, now: later)?.id == two.id)
        #expect(try store.apply(.died(.signal(SIGBUS)), to: two.id, now: later).failure?.code == "quarantined")
        #expect(try store.claim(owner: .current, now: now.addingTimeInterval(60)) == nil)
        #expect(try store.job(one.id)?.failure?.code == "quarantined")
        #expect(try store.job(one.id)?.attempts == 1)
    }

    @Test func deathsFromOutsideDoNotCount() throws {
        var (now, job) = (now, try store.started("a.mp4"))
        try store.apply(.hashed("good"), to: job.id, now: now)
        for _ in 0..<5 {
            job = try store.apply(.died(.signal(SIGKILL)), to: job.id, now: now)
            now = try #require(job.notBefore)
            job = try #require(try store.claim(owner: .current, now: now))
        }
        #expect(job.state == .probing)
    }

    // MARK: requests

    @Test func requestsReachTheOwnerOrHappenAtOnce() throws {
        let active = try store.started("a.mp4")
        #expect(try store.request(.cancel, job: active.id, now: now).request == .cancel)
        #expect(try store.request(.cancel, job: active.id, now: now).state == .probing)
        for (request, expected) in [(JobRequest.cancel, JobState.cancelled), (.pause, .queued)] {
            _ = try offer(Sample.candidate(FilePath("\(request.rawValue).mp4")))
            let orphan = try #require(try store.claim(owner: Sample.deadOwner, now: now))
            #expect(try store.request(request, job: orphan.id, now: now).state == expected)
        }
        // Asked for, and the owner died before it obeyed.
        _ = try offer(Sample.candidate("late.mp4"))
        let orphan = try #require(try store.claim(owner: Sample.deadOwner, now: now))
        try store.apply(.request(.cancel), to: orphan.id, now: now)
        #expect(try store.request(.cancel, job: orphan.id, now: now).state == .cancelled)
    }

    @Test func requestsToAll() throws {
        let done = try store.started("done.mp4"), failed = try store.started("failed.mp4"), waits = try store.started("waits.mp4")
        try store.finish(done.id, hash: "1")
        try store.apply(.failed(JobFailure(code: "notMedia", text: "no", mayPass: false)), to: failed.id, now: now)
        try store.apply(.failed(Sample.failure), to: waits.id, now: now)
        let active = try store.started("active.mp4"), queued = try offer(Sample.candidate("queued.mp4", folder: "other")).job
        #expect(try store.requestAll(.retry, folder: "other", now: now).isEmpty)
        #expect(try Set(store.requestAll(.retry, now: now).map(\.id)) == [failed.id, waits.id])
        #expect(try Set(store.requestAll(.pause, now: now).map(\.id)) == [failed.id, waits.id, active.id, queued.id])
        #expect(try store.requestAll(.pause, now: now).isEmpty)
        #expect(try store.requestAll(.resume, folder: "other", now: now).map(\.id) == [queued.id])
        #expect(try store.requestAll(.resume, now: now).count == 3)
        #expect(try store.requestAll(.cancel, now: now).count == 4)
        #expect(try store.requestAll(.cancel, now: now).isEmpty)
        #expect(try store.job(done.id)?.state == .done)
    }

    // MARK: lists

    @Test func listsAndCounts() throws {
        for index in 0..<10 { _ = try offer(Sample.candidate(FilePath("\(index).mp4"), folder: index < 4 ? "one" : "two")) }
        let first = try #require(try store.claim(owner: .current, now: now))
        #expect(try store.jobs().map(\.id) == store.jobs().map(\.id).sorted(by: >) && store.jobs().count == 10)
        #expect(try store.jobs(state: [.probing]).map(\.id) == [first.id])
        #expect(try store.jobs(state: []).isEmpty && store.jobs(state: [.done]).isEmpty)
        #expect(try store.jobs(state: [.queued, .probing], folder: "one").count == 4)
        let page = try store.jobs(limit: 4)
        #expect(try store.jobs(before: page.last?.id, limit: 100).count == 6)
        #expect(try store.counts()[.queued] == 9 && store.counts(folder: "one")[.probing] == 1 && store.counts()[.failed] == 0)
        #expect(try store.jobs(folder: "' OR 1 --").isEmpty)
    }
}
