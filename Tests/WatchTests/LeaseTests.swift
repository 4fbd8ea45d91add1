import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Watch

extension LeaseAttempt {
    var lease: Lease? { if case .acquired(let lease) = self { lease } else { nil } }
    var rival: String? { if case .held(let holder, _) = self { holder } else { nil } }
}

@Suite struct LeaseTests {
    private let folder: TemporaryFolder
    private let target: FilePath

    init() throws {
        folder = try TemporaryFolder()
        target = FilePath(folder.path("a b.mp4"))
    }

    /// A lease's file as another machine would leave it.
    private func foreign(_ generation: UInt64, ttl: Duration = .milliseconds(400), beat: UInt64 = 0, holder: String = "elsewhere") throws {
        var record = LeaseRecord(
            holder: holder, process: HolderProcess(pid: 1, startTime: 1, bootID: "another machine", namespace: "x"), nonce: 1, ttl: ttl)
        record.beat = beat
        try Disk.write(LeaseFolder(target: target).path(generation), String(decoding: record.bytes, as: UTF8.self))
    }

    @Test func oneHolderAtATime() async throws {
        let first = LeaseKeeper(holder: "first"), second = LeaseKeeper(holder: "second")
        let lease = try #require(try first.acquire(for: target).lease)
        #expect(lease.isHeld && lease.confirm())
        #expect(folder.names == [".a b.mp4.solstice-lease.1"])
        let attempt = try second.acquire(for: target)
        #expect(attempt.rival == "first")
        guard case .held(_, let time) = attempt else { return }
        #expect(time > .seconds(60) && time <= .seconds(75))
        #expect(try first.acquire(for: target).rival == "first", "not even the same keeper gets it twice")
        // Other targets are other leases.
        #expect(try second.acquire(for: FilePath(folder.path("c.mp4"))).lease != nil)
        lease.release()
        lease.release()
        #expect(!lease.isHeld && !lease.confirm())
        let next = try #require(try second.acquire(for: target).lease)
        #expect(next.isHeld)
        next.release()
        #expect(folder.names.isEmpty)
    }

    @Test func aLeaseEndsWithItsLastReference() async throws {
        let keeper = LeaseKeeper()
        var lease = try keeper.acquire(for: target).lease
        #expect(lease?.isHeld == true)
        #expect(folder.names.count == 1)
        lease = nil
        #expect(folder.names.isEmpty)
    }

    @Test func closingReleasesAll() async throws {
        let keeper = LeaseKeeper()
        let leases = try (0..<5).compactMap { try keeper.acquire(for: FilePath(folder.path("\($0)"))).lease }
        #expect(leases.count == 5)
        keeper.close()
        #expect(leases.allSatisfy { !$0.isHeld })
        #expect(folder.names.isEmpty)
        #expect(try keeper.acquire(for: target).lease?.isHeld == false)
    }

    @Test func aLeaseIsRenewed() async throws {
        // Renewed every four seconds, and lost where that stalls for twelve more.
        let holder = LeaseKeeper(holder: "holder", ttl: .seconds(16)), rival = LeaseKeeper(ttl: .seconds(16))
        let lease = try #require(try holder.acquire(for: target).lease)
        func content() throws -> Data { try Data(contentsOf: URL(fileURLWithPath: LeaseFolder(target: target).path(1).string)) }
        let begin = ContinuousClock.now
        var seen = [try content()]
        // The rival, who sees it from the start, would have taken it after 20 s without a change.
        while seen.count < 4 || .now - begin < .seconds(21), .now - begin < .seconds(120) {
            #expect(try rival.acquire(for: target).rival == "holder")
            let now = try content()
            if now != seen.last { seen.append(now) }
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(lease.isHeld)
        #expect(seen.count >= 4 && Set(seen).count == seen.count && Set(seen.map(\.count)).count == 1, "\(seen)")
    }

    @Test func anotherMachinesLeaseExpiresOnceNothingHasChangedForLong() async throws {
        let keeper = LeaseKeeper(ttl: .seconds(2))
        // The file's own time is of no interest: it is an hour old.
        func beat(_ count: UInt64) throws {
            try foreign(1, ttl: .seconds(2), beat: count)
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -3600)], ofItemAtPath: LeaseFolder(target: target).path(1).string)
        }
        var seen = ContinuousClock.now
        for count in 0..<5 {
            try beat(UInt64(count))
            seen = .now
            // What was written since the last look is new, however long that is ago.
            #expect(try keeper.acquire(for: target).rival == "elsewhere", "it is new, or was renewed meanwhile")
            try await Task.sleep(for: .milliseconds(700))
        }
        var lease: Lease?
        let isFree = try await eventually {
            lease = try keeper.acquire(for: target).lease
            return lease != nil
        }
        #expect(isFree)
        #expect(ContinuousClock.now - seen >= .milliseconds(2500))
        #expect(folder.names == [".a b.mp4.solstice-lease.2"], "the expired one is cleaned up")
        lease?.release()
    }

    @Test func theHoldersOwnTimeToLiveCounts() async throws {
        let keeper = LeaseKeeper(ttl: .milliseconds(100))
        try foreign(3, ttl: .seconds(600))
        guard case .held(_, let time) = try keeper.acquire(for: target) else { return #expect(Bool(false), "it is believed") }
        #expect(time > .seconds(600))
    }

    @Test func whatIsNoLeaseExpires() async throws {
        let keeper = LeaseKeeper(ttl: .milliseconds(200))
        try Disk.write(LeaseFolder(target: target).path(4), "")
        #expect(try keeper.acquire(for: target).lease == nil)
        // One that takes longer to make than it lives is given up, and made again.
        var lease: Lease?
        let isFree = try await eventually {
            lease = try keeper.acquire(for: target).lease
            return lease != nil
        }
        #expect(isFree)
        #expect(folder.names == [".a b.mp4.solstice-lease.5"])
        lease?.release()
    }

    @Test func aDeadProcessOfThisMachineHoldsNothing() async throws {
        let process = try Program.start("sleep", ["1000"], in: folder.url)
        let here = HolderProcess.current
        let stat = FileContents.text("/proc/\(process.process.processIdentifier)/stat")
        let start = try #require(stat.split(separator: ")").last?.split(separator: " ").dropFirst(19).first.flatMap { UInt64($0) })
        let holder = HolderProcess(
            pid: process.process.processIdentifier, startTime: start, bootID: here.bootID, namespace: here.namespace)
        #expect(!holder.isKnownDead)
        // Another process that was given the same number.
        #expect(HolderProcess(pid: holder.pid, startTime: start + 1, bootID: here.bootID, namespace: here.namespace).isKnownDead)
        #expect(!HolderProcess(pid: holder.pid, startTime: start + 1, bootID: "x", namespace: here.namespace).isKnownDead)
        #expect(!HolderProcess(pid: holder.pid, startTime: start + 1, bootID: here.bootID, namespace: "x").isKnownDead)
        let record = LeaseRecord(holder: "sleeper", process: holder, nonce: 1, ttl: .seconds(600))
        try Disk.write(LeaseFolder(target: target).path(1), String(decoding: record.bytes, as: UTF8.self))
        let keeper = LeaseKeeper()
        #expect(try keeper.acquire(for: target).rival == "sleeper")
        process.discard()
        #expect(holder.isKnownDead)
        #expect(try keeper.acquire(for: target).lease?.isHeld == true)
    }

    @Test func aHolderThatFindsAHigherGenerationHasLost() async throws {
        let keeper = LeaseKeeper(ttl: .seconds(2))
        let lease = try #require(try keeper.acquire(for: target).lease)
        try foreign(2)
        #expect(!lease.confirm())
        #expect(!lease.isHeld)
        // The renewals find it by themselves, too.
        let other = FilePath(folder.path("other"))
        let second = try #require(try keeper.acquire(for: other).lease)
        try Disk.write(LeaseFolder(target: other).path(2), "")
        #expect(await eventually { !second.isHeld })
        second.release()
        #expect(folder.names.contains(".other.solstice-lease.2"), "somebody else's is left alone")
    }

    @Test func aHolderWhoseFileWasRemovedOrReplacedHasLost() async throws {
        let keeper = LeaseKeeper()
        let lease = try #require(try keeper.acquire(for: target).lease)
        Disk.remove(LeaseFolder(target: target).path(1))
        #expect(!lease.confirm())
        try foreign(1)
        lease.release()
        #expect(folder.names == [".a b.mp4.solstice-lease.1"], "the new one is not its own")
    }

    @Test func leftoversOfTheDead() throws {
        let process = try Program.start("sleep", ["0"], in: FileManager.default.temporaryDirectory)
        let dead = HolderProcess(
            pid: process.process.processIdentifier, startTime: 1, bootID: HolderProcess.current.bootID,
            namespace: HolderProcess.current.namespace)
        process.discard()
        let record = LeaseRecord(holder: "dead", process: dead, nonce: 1, ttl: .seconds(60))
        let long = FilePath(folder.path(String(repeating: "n", count: 250)))
        for target in [FilePath(folder.path("x")), FilePath(folder.path("y")), long] {
            try Disk.write(LeaseFolder(target: target).path(3), String(decoding: record.bytes, as: UTF8.self))
        }
        try foreign(1, ttl: .seconds(60))
        let keeper = LeaseKeeper()
        let own = try #require(try keeper.acquire(for: FilePath(folder.path("own"))).lease)
        #expect(try keeper.removeLeftovers(in: FilePath(folder.url.path)) == 3)
        #expect(folder.names == [".a b.mp4.solstice-lease.1", ".own.solstice-lease.1"])
        #expect(own.confirm())
        #expect(try keeper.removeLeftovers(in: FilePath(folder.url.path)) == 0)
    }

    @Test func errorsAreTyped() async throws {
        let keeper = LeaseKeeper()
        #expect { try keeper.acquire(for: FilePath(folder.path("no/such/x.mp4"))) } throws: { ($0 as? WatchError)?.code == .noSuchFolder }
        #expect { try keeper.acquire(for: "/proc/x.mp4") } throws: {
            [.unwritable, .noSuchFolder].contains(($0 as? WatchError)?.code) && !"\($0)".contains("\n")
        }
    }

    @Test func longAndOddNames() async throws {
        let keeper = LeaseKeeper()
        let long = String(repeating: "n", count: 250)
        let names = try [path(Array((long + "1").utf8)), path(Array((long + "2").utf8)), path([0xFF, 0x0A]), path(Array("x.solstice-lease.7".utf8))]
        let leases = try names.compactMap { try keeper.acquire(for: FilePath(folder.url.path).pushing($0)).lease }
        #expect(leases.count == names.count)
        // A target whose name looks like another's lease.
        #expect(try keeper.acquire(for: FilePath(folder.path("x"))).lease != nil)
        #expect(leases.allSatisfy { $0.confirm() })
    }

    @Test func aRecordSurvivesItsOwnWords() async throws {
        var record = LeaseRecord(holder: "a\nb pid 7", process: .current, nonce: .max, ttl: .seconds(60))
        record.beat = 12
        let read = try #require(LeaseRecord(bytes: record.bytes))
        #expect(read.holder == "ab pid 7")
        #expect(read.process == .current && read.nonce == .max && read.beat == 12 && read.ttl == .seconds(60))
        var random = SeededRandom(seed: 5)
        for _ in 0..<2000 {
            var bytes = record.bytes
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            let damaged = LeaseRecord(bytes: Array(bytes.prefix(.random(in: 0...bytes.count, using: &random))))
            #expect(damaged.map { $0.ttl > .zero && $0.ttl <= LeaseRecord.longestTTL } ?? true)
        }
    }
}

@Suite struct LeaseObserverTests {
    @Test func onlyWhatWasSeenCounts() {
        var observer = LeaseObserver()
        let target: FilePath = "/x", ttl: Duration = .seconds(60)
        #expect(observer.patience(target, 1, [1], ttl: ttl, at: .seconds(1000)) == .seconds(75))
        #expect(observer.patience(target, 1, [1], ttl: ttl, at: .seconds(1074)) == .seconds(1))
        #expect(observer.patience(target, 1, [2], ttl: ttl, at: .seconds(1074)) == .seconds(75))
        #expect(observer.patience(target, 2, [2], ttl: ttl, at: .seconds(1100)) == .seconds(75))
        #expect(observer.patience(target, 2, [2], ttl: ttl, at: .seconds(1175)) == .zero)
        #expect(observer.patience(target, 2, [2], ttl: ttl, at: .seconds(9999)) == .zero)
        observer.forget(target)
        #expect(observer.patience(target, 2, [2], ttl: ttl, at: .seconds(9999)) == .seconds(75))
    }
}
