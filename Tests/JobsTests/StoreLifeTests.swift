import Foundation
import GRDB
import SystemPackage
import TestSupport
import Testing

@testable import Jobs

@Suite("The job store's file") struct StoreLifeTests {
    let folder: TemporaryFolder
    let path: String
    let now = Sample.now

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path("jobs.sqlite")
    }

    private func offer(_ store: JobStore, _ names: [String]) throws {
        _ = try store.offer(names.map { Sample.candidate(FilePath($0)) }, now: now)
    }

    private func expectCode(_ code: JobError.Code, _ access: JobStore.Access, location: SourceLocation = #_sourceLocation) {
        #expect(sourceLocation: location) { _ = try JobStore(path: path, access: access) } throws: { ($0 as? JobError)?.code == code }
    }

    // MARK: several at once

    @Test func anotherStoreSeesWhatWasDone() throws {
        let one = try JobStore(path: path), two = try JobStore(path: path, access: .change)
        let (before, beforeTwo) = (try one.dataVersion(), try two.dataVersion())
        try offer(one, ["a.mp4"])
        #expect(try one.dataVersion().own > before.own && one.dataVersion().others == before.others)
        #expect(try two.dataVersion().others != beforeTwo.others && two.dataVersion().own == beforeTwo.own)
        let job = try #require(try two.claim(owner: .current, now: now))
        #expect(try one.claim(owner: .current, now: now) == nil)
        try two.request(.cancel, job: job.id, now: now)
        #expect(try one.job(job.id)?.request == .cancel && one.dataVersion().others != before.others)
    }

    @Test func noJobIsGivenOutTwice() throws {
        try offer(try JobStore(path: path), (0..<120).map { "\($0).mp4" })
        let stores = try (0..<4).map { _ in try JobStore(path: path, access: .change) }
        let claimed = Guarded<[Int64]>([]), failures = Guarded<[String]>([])
        let group = DispatchGroup()
        for store in stores {
            // Threads of their own: a store waits, and Swift's pool has few threads.
            let thread = Thread {
                do {
                    while let job = try store.claim(owner: .current, now: Sample.now) {
                        claimed.change { $0.append(job.id) }
                        try store.finish(job.id, hash: "\(job.id)")
                    }
                } catch {
                    failures.change { $0.append("\(error)") }
                }
                group.leave()
            }
            group.enter()
            thread.start()
        }
        #expect(group.wait(timeout: .now() + 600) == .success)
        #expect(failures.value.isEmpty && claimed.value.count == 120 && Set(claimed.value).count == 120)
        #expect(try stores[0].counts()[.done] == 120)
    }

    // MARK: sudden ends

    /// A copy of the files of an open database is what a kill -9 or, with the log cut, a power failure leaves behind.
    @Test func aLogThatIsCutAnywhereLosesWholeTransactionsOnly() throws {
        // Each transaction makes two jobs; the first is in the database file, the others are in the log.
        try offer(try JobStore(path: path), ["0 a.mp4", "0 b.mp4"])
        let store = try JobStore(path: path)
        for number in 1..<12 { try offer(store, ["\(number) a.mp4", "\(number) b.mp4"]) }
        let database = try Data(contentsOf: URL(fileURLWithPath: path)), log = try Data(contentsOf: URL(fileURLWithPath: path + "-wal"))
        try #require(log.count > 20_000)
        var random = SeededRandom(seed: 3), seen: Set<Int> = []
        for length in [0, 1, log.count] + (0..<25).map({ _ in Int.random(in: 0...log.count, using: &random) }) {
            let copy = folder.path("copy-\(length).sqlite")
            try database.write(to: URL(fileURLWithPath: copy))
            try log.prefix(length).write(to: URL(fileURLWithPath: copy + "-wal"))
            let reopened = try JobStore(path: copy)
            let count = try reopened.jobs().count
            #expect(reopened.notices.isEmpty && count.isMultiple(of: 2) && (2...24).contains(count))
            seen.insert(count)
            if length == log.count { #expect(count == 24) }
        }
        #expect(seen.count > 5)
    }

    @Test func aKilledProcessLeavesWhatItHadCommitted() throws {
        let store = try JobStore(path: path)
        try offer(store, (0..<2000).map { "\($0).mp4" })
        var random = SeededRandom(seed: 8), cancelled = 0
        for round in 0..<4 {
            let ids = (1...400).map { "\(round * 400 + $0)" }
            let running = try Program.start(Program.solstice, ["jobs", "cancel", "--state-folder", folder.url.path] + ids, in: folder.url)
            let target = cancelled + Int.random(in: 1...60, using: &random)
            let end = Date().addingTimeInterval(60)
            while Date() < end {
                if try store.counts()[.cancelled] ?? 0 >= target || !running.process.isRunning { break }
                usleep(1000)
            }
            running.send(signal: SIGKILL)
            let said = running.wait(limit: 30).output.split(separator: "\n").count
            let reopened = try JobStore(path: path)
            let now = try reopened.counts()[.cancelled] ?? 0
            // What it said it did is done; the transaction that it was at may be done or not.
            #expect(now - cancelled == said || now - cancelled == said + 1, "\(now) \(cancelled) \(said)")
            #expect(reopened.notices.isEmpty && now > cancelled)
            cancelled = now
        }
    }

    // MARK: damage

    @Test(arguments: ["text", "header", "middle", "cut", "foreign"]) func aDamagedDatabaseIsMovedAside(kind: String) throws {
        do {
            let store = try JobStore(path: path)
            try offer(store, (0..<500).map { "\($0).mp4" })
        }
        let file = URL(fileURLWithPath: path)
        var data = try Data(contentsOf: file)
        switch kind {
        case "text": data = Data("this is not a database, though it is long enough to be looked at. ".utf8) + data.dropFirst(70)
        case "header": data.replaceSubrange(0..<100, with: Data(repeating: 0xA5, count: 100))
        case "middle": for page in 1..<data.count / 4096 { data.replaceSubrange(page * 4096..<page * 4096 + 64, with: Data(repeating: 0x5A, count: 64)) }
        case "cut": data = data.prefix(data.count / 2)
        default: data = Data()
        }
        if kind == "foreign" {
            try FileManager.default.removeItem(at: file)
            try DatabaseQueue(path: path).write { try $0.execute(sql: "CREATE TABLE job (id INTEGER PRIMARY KEY, words TEXT)") }
            data = try Data(contentsOf: file)
        } else {
            try data.write(to: file)
        }
        expectCode(.databaseDamaged, .change)
        let store = try JobStore(path: path)
        #expect(store.notices.count == 1 && store.notices[0].contains("jobs.sqlite.damaged-1"))
        #expect(try store.jobs().isEmpty)
        try offer(store, ["new.mp4"])
        #expect(try Data(contentsOf: URL(fileURLWithPath: path + ".damaged-1")).count >= data.count)
        #expect(try JobStore(path: path).notices.isEmpty)
    }

    @Test func aDatabaseInUseIsNotMovedAway() throws {
        let store = try JobStore(path: path)
        try offer(store, (0..<500).map { "\($0).mp4" })
        try DatabaseQueue(path: path).writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        for page in 1..<20 {
            try handle.seek(toOffset: UInt64(page * 4096))
            try handle.write(contentsOf: Data(repeating: 0x5A, count: 64))
        }
        expectCode(.databaseDamaged, .create)
        #expect(!folder.names.contains { $0.contains("damaged") })
    }

    @Test func aRemovedDatabaseIsNoticed() throws {
        let store = try JobStore(path: path)
        try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
        #expect { try store.dataVersion() } throws: { ($0 as? JobError)?.code == .databaseUnavailable }
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        #expect { try store.dataVersion() } throws: { ($0 as? JobError)?.code == .databaseUnavailable }
    }

    @Test func aNewerDatabaseIsLeftAlone() throws {
        try JobStore(path: path).write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('99: of a time to come')") }
        for access in [JobStore.Access.create, .change, .read] { expectCode(.newerVersion, access) }
        #expect(!folder.names.contains { $0.contains("damaged") })
    }

    @Test func placesThatCannotHoldADatabase() throws {
        expectCode(.noDatabase, .change)
        expectCode(.noDatabase, .read)
        #expect { _ = try JobStore(path: folder.path("nowhere/jobs.sqlite")) } throws: { ($0 as? JobError)?.code == .databaseUnavailable }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        expectCode(.databaseUnavailable, .create)
    }

    @Test func aFullDiskIsSaidToBeOne() throws {
        let store = try JobStore(path: path)
        try store.write { db in try db.execute(sql: "PRAGMA max_page_count = 40") }
        #expect { try offer(store, (0..<5000).map { "\($0).mp4" }) } throws: { ($0 as? JobError)?.code == .diskFull }
        // Nothing of it is there, and it goes on once there is room.
        #expect(try store.jobs().isEmpty)
        try store.write { db in try db.execute(sql: "PRAGMA max_page_count = 100000") }
        try offer(store, (0..<5000).map { "\($0).mp4" })
        #expect(try store.counts()[.queued] == 5000)
    }

    @Test func changesReachTheDiskBeforeTheyAreConfirmed() throws {
        let store = try JobStore(path: path)
        #expect(try store.write { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
        #expect(try store.write { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
    }

    // MARK: many

    @Test func twentyThousandJobs() throws {
        let store = try JobStore(path: path)
        let candidates = (0..<20_000).map { Sample.candidate(FilePath("day \($0 / 100)/clip \($0).mp4"), folder: "cam \($0 % 4)") }
        var clock = Stopwatch()
        _ = try store.offer(candidates, now: now)
        clock.lap("made")
        let again = try store.offer(candidates, now: now)
        #expect(again.allSatisfy { $0 == .known($0.job) })
        clock.lap("offered again")
        for _ in 0..<100 {
            let job = try #require(try store.claim(owner: .current, now: now) { $0.folder == "cam 3" })
            try store.finish(job.id, hash: "\(job.id)")
        }
        clock.lap("100 done")
        for _ in 0..<100 {
            #expect(try store.jobs(state: [.done], limit: 50).count == 50)
            #expect(try store.counts()[.queued] == 19_900 && store.jobs(limit: 50).count == 50)
        }
        clock.lap("100 lists")
        for _ in 0..<3 { #expect(try store.claim(owner: .current, now: now) { _ in false } == nil) }
        clock.lap("3 vain claims")
        #expect(try store.requestAll(.cancel, now: now).count == 19_900)
        clock.lap("cancelled")
        print("20,000 jobs: \(clock.laps)")
        for (name, time) in clock.laps { #expect(time < .seconds(30), "\(name)") }
    }
}

/// Takes the processor's time for one step after the other, of the thread that it is used on: neither other tests nor a slow disk
/// are in it.
struct Stopwatch {
    private(set) var laps: [(String, Duration)] = []
    private var start = Self.now

    private static var now: Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    mutating func lap(_ name: String) {
        laps.append((name, Self.now - start))
        start = Self.now
    }
}

/// A value that threads share.
final class Guarded<Value>: @unchecked Sendable {
    // Safe to share: every access holds the lock.
    private let lock = NSLock()
    private var content: Value

    init(_ value: Value) { content = value }

    var value: Value { lock.withLock { content } }
    func change(_ body: (inout Value) -> Void) { lock.withLock { body(&content) } }
}
