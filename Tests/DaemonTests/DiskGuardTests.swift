import Testing

@testable import Daemon
@testable import Jobs

@Suite struct DiskGuardTests {
    private static let mib: Int64 = 1 << 20

    private func place(_ path: String, free: Int64, device: UInt64) -> DiskGuard.Place {
        DiskGuard.Place(path: path, room: DiskRoom(free: free, total: 1 << 40, device: device))
    }

    @Test func aJobStartsWhereWorkAndResultFitAboveTheFloor() {
        let guardian = DiskGuard(floor: 100 * Self.mib)
        let job = Job.sample(size: 100 * Self.mib)
        // 150 MiB of journal and 150 MiB of result, each on a disk of its own.
        #expect(guardian.refusal(toStart: job, work: place("/work", free: 250 * Self.mib, device: 1), target: place("/out", free: 250 * Self.mib, device: 2)) == nil)
        let refusal = guardian.refusal(
            toStart: job, work: place("/work", free: 250 * Self.mib, device: 1), target: place("/out", free: 250 * Self.mib - 1, device: 2))
        #expect(refusal?.hasPrefix("/out has 250.0 MiB free") == true, "\(refusal ?? "none")")
    }

    @Test func oneDiskHoldsBothJournalAndResult() {
        let guardian = DiskGuard(floor: 100 * Self.mib)
        let job = Job.sample(size: 100 * Self.mib)
        let refusal = guardian.refusal(
            toStart: job, work: place("/work", free: 399 * Self.mib, device: 1), target: place("/out", free: 399 * Self.mib, device: 1))
        #expect(refusal?.hasPrefix("/work has ") == true)
        #expect(guardian.refusal(toStart: job, work: place("/work", free: 400 * Self.mib, device: 1), target: place("/out", free: 400 * Self.mib, device: 1)) == nil)
    }

    @Test func whatIsRenderedNeedsNoMoreRoom() {
        var job = Job.sample(size: 100 * Self.mib)
        job.framesTotal = 200
        job.framesDone = 150
        #expect(DiskGuard.estimate(job) == Int64(37.5 * Double(Self.mib)))
        job.framesDone = 250
        #expect(DiskGuard.estimate(job) == 0)
    }

    @Test func aResultThatIsJoinedOnlyHasToBeChecked() {
        let guardian = DiskGuard(floor: 100 * Self.mib)
        var job = Job.sample(size: 100 * Self.mib)
        (job.framesTotal, job.framesDone) = (200, 200)
        let tight = place("/disk", free: 101 * Self.mib, device: 1)
        #expect(guardian.refusal(toStart: job, work: tight, target: tight) != nil)
        #expect(guardian.refusal(toStart: job, written: 90 * Self.mib, work: tight, target: tight) == nil)
        // Half of it is rendered anew: what is there of the result is an older one's.
        job.framesDone = 100
        #expect(guardian.refusal(toStart: job, written: 90 * Self.mib, work: tight, target: tight) != nil)
    }

    @Test func aRunningJobPausesBelowTheFloorOnly() {
        let guardian = DiskGuard(floor: 100 * Self.mib)
        #expect(guardian.refusal(toContinue: [place("/out", free: 100 * Self.mib, device: 1)]) == nil)
        #expect(guardian.refusal(toContinue: [place("/a", free: 200 * Self.mib, device: 1), place("/out", free: 99 * Self.mib, device: 2)])
            == "/out has 99.0 MiB free and 100.0 MiB are kept")
    }

    @Test func roomIsThatOfTheNearestFolderThatExists() throws {
        let room = try #require(DiskRoom.of("/tmp"))
        #expect(room.total > 0 && room.free <= room.total)
        #expect(DiskRoom.of("/tmp/not/there/yet")?.device == room.device)
    }
}

extension Job {
    /// A queued job of a file of `size` bytes.
    static func sample(id: Int64 = 1, size: Int64 = 1000, source: String = "/in/a.mp4", target: String = "/out/a.mp4") -> Job {
        Job(
            id: id, folder: "cars", relativePath: "a.mp4", source: .init(source), target: .init(target),
            identity: SourceIdentity(size: size, modified: 1), settings: JobSettings(arguments: [], identity: "id"),
            created: .init(timeIntervalSince1970: 0))
    }
}
