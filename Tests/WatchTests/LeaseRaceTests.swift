import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Watch

/// What a racer does over and over: it takes the lease, checks that nobody else is inside, and gives it back.
struct LeaseRacer: Sendable {
    var folder: FilePath
    var turns: Int
    /// Long enough for no racer that waits for the processor to lose it.
    var ttl: Duration = .seconds(20)

    struct Score: Sendable {
        var turns = 0
        /// Two were inside at the same time.
        var collisions = 0
    }

    /// - Parameters:
    ///   - limit: seconds after which it gives up.
    ///   - isWanted: where that is no longer so, it ends.
    func run(limit: Double, while isWanted: () -> Bool = { true }) throws -> Score {
        var score = Score()
        let keeper = LeaseKeeper(ttl: ttl)
        defer { keeper.close() }
        let target = folder.pushing("target.mp4")
        let end = Date().addingTimeInterval(limit)
        while score.turns < turns, Date() < end, isWanted() {
            guard case .acquired(let lease) = try keeper.acquire(for: target) else {
                usleep(UInt32.random(in: 100...2000))
                continue
            }
            // An advisory lock as the witness: it goes with its process.
            let witness = folder.pushing("witness").withPlatformString { open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o644) }
            defer { close(witness) }
            if lease.isHeld, flock(witness, LOCK_EX | LOCK_NB) != 0, lease.isHeld {
                score.collisions += 1
                try Disk.write(folder.pushing("collision"))
            }
            usleep(UInt32.random(in: 0...1500))
            flock(witness, LOCK_UN)
            score.turns += 1
            lease.release()
        }
        return score
    }
}

extension LeaseRacer {
    /// As `run`, on a thread of its own; nil where that failed.
    func runAside(limit: Double) async -> Score? {
        await withCheckedContinuation { continuation in
            Thread { continuation.resume(returning: try? run(limit: limit)) }.start()
        }
    }
}

@Suite struct LeaseRaceTests {
    static let variable = "SOLSTICE_TEST_LEASE_RACER"

    @Test func threadsThatRaceForOneTarget() async throws {
        let folder = try TemporaryFolder()
        let scores = Mutex<[LeaseRacer.Score]>([])
        let racers = 12
        for _ in 0..<racers {
            let thread = Thread {
                let score = try? LeaseRacer(folder: FilePath(folder.url.path), turns: 25).run(limit: 300)
                scores.withLock { $0.append(score ?? LeaseRacer.Score()) }
            }
            thread.start()
        }
        #expect(await eventually(upTo: 330) { scores.withLock { $0.count } == racers })
        let all = scores.withLock { $0 }
        #expect(all.map(\.turns) == Array(repeating: 25, count: racers))
        #expect(all.map(\.collisions).reduce(0, +) == 0)
        #expect(folder.names == ["witness"])
    }

    /// A part of the tests below, in a process of its own: not a test by itself.
    @Test(.enabled(if: ProcessInfo.processInfo.environment[variable] != nil)) func racer() async throws {
        let folder = try #require(ProcessInfo.processInfo.environment[Self.variable])
        let ttl = ProcessInfo.processInfo.environment[Self.variable + "_TTL"].flatMap { Int($0) } ?? 20_000
        // As long as the test that has started it, which may last.
        let parent = getppid()
        let score = try LeaseRacer(folder: FilePath(folder), turns: .max, ttl: .milliseconds(ttl)).run(limit: 3600) { getppid() == parent }
        #expect(score.collisions == 0)
    }

    private func startRacer(_ folder: TemporaryFolder, ttl: Int = 20_000) throws -> Running {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return try Program.start(
            own, ["--testing-library", "swift-testing", "--filter", "LeaseRaceTests/racer"],
            environment: [Self.variable: folder.url.path, Self.variable + "_TTL": "\(ttl)"],
            in: FileManager.default.temporaryDirectory)
    }

    /// Processes that are killed anywhere in their work, while others go on.
    @Test func processesThatAreKilled() async throws {
        let folder = try TemporaryFolder()
        var random = SeededRandom(seed: 11)
        var racers = try (0..<3).map { _ in try startRacer(folder) }
        defer { for racer in racers { racer.discard() } }
        let witness = LeaseRacer(folder: FilePath(folder.url.path), turns: 5)
        for _ in 0..<8 {
            let victim = Int.random(in: 0..<racers.count, using: &random)
            // This process gets its turns, whoever died holding the lease.
            let score = try #require(await witness.runAside(limit: 300))
            #expect(score.turns == 5 && score.collisions == 0)
            racers[victim].discard()
            racers[victim] = try startRacer(folder)
        }
        #expect(racers.filter { !$0.isRunning }.isEmpty)
        #expect(!folder.names.contains("collision"))
    }

    /// A holder that is stopped for longer than its lease lives, and goes on as if nothing had happened.
    @Test func aLateHolder() async throws {
        let folder = try TemporaryFolder()
        let target = FilePath(folder.path("target.mp4"))
        let racer = try startRacer(folder, ttl: 500)
        defer { racer.discard() }
        let keeper = LeaseKeeper()
        // Stopped at a moment when it holds the lease.
        var isHolding = false
        // Swift's pool may be busy with other tests.
        let end = ContinuousClock.now + .seconds(400)
        while !isHolding, .now < end {
            try await Task.sleep(for: .milliseconds(1))
            guard !(try LeaseFolder(target: target).generations().isEmpty) else { continue }
            racer.send(signal: SIGSTOP)
            try await Task.sleep(for: .milliseconds(20))
            // Not in the middle of making it, either: a lease that says nothing is believed for as long as one's own.
            let content = try LeaseFolder(target: target).generations().last.flatMap { try LeaseFolder(target: target).content($0) }
            isHolding = content.flatMap { LeaseRecord(bytes: $0) } != nil
            if !isHolding { racer.send(signal: SIGCONT) }
        }
        #expect(isHolding)
        #expect(try keeper.acquire(for: target).lease == nil)
        var taken: Lease?
        while taken == nil, .now < end {
            taken = try keeper.acquire(for: target).lease
            try await Task.sleep(for: .milliseconds(10))
        }
        let lease = try #require(taken)
        racer.send(signal: SIGCONT)
        for _ in 0..<100 {
            #expect(lease.confirm())
            try await Task.sleep(for: .milliseconds(10))
        }
        lease.release()
    }
}
