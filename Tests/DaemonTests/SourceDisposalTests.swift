import Foundation
import Glibc
import Synchronization
import SystemPackage
import Testing
import Watch

@testable import Daemon
@testable import Jobs

@Suite struct SourceDisposalTests {
    private let root: String
    private let source: String
    private let target: String

    init() throws {
        root = NSTemporaryDirectory() + "disposal-\(UUID().uuidString)"
        source = root + "/in/a.mp4"
        target = root + "/out/a.mp4"
        for folder in ["in", "out"] { try FileManager.default.createDirectory(atPath: root + "/" + folder, withIntermediateDirectories: true) }
        try Data("the source".utf8).write(to: URL(fileURLWithPath: source))
        try Data("the result".utf8).write(to: URL(fileURLWithPath: target))
    }

    private func job(_ after: AfterPolicy) throws -> Job {
        let status = try #require(FileStatus(FilePath(source)))
        var job = Job.sample(size: status.size, source: source, target: target)
        job.identity.modified = status.modified
        // sha256sum of what `init` writes
        job.identity.contentHash = "b608089734879cfb06c974d592537dd3e28086592f7f5556b82c836c8f7edb17"
        job.settings.after = after
        job.settings.moveTo = root + "/done"
        job.outputBytes = 10
        return job
    }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    @Test func keepTouchesNothing() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        #expect(SourceDisposal(job: try job(.keep), token: "t").run() == .kept)
        #expect(exists(source))
    }

    @Test func deleteRemovesTheSourceOnly() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        #expect(SourceDisposal(job: try job(.delete), token: "t").run() == .deleted)
        #expect(!exists(source) && exists(target))
    }

    @Test func moveMirrorsThePathAndReplacesNothing() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        var job = try job(.move)
        job.relativePath = "monday/a.mp4"
        let taken = root + "/done/monday/a.mp4"
        try FileManager.default.createDirectory(atPath: root + "/done/monday", withIntermediateDirectories: true)
        try Data("another".utf8).write(to: URL(fileURLWithPath: taken))
        #expect(SourceDisposal(job: job, token: "t").run() == .moved(FilePath(root + "/done/monday/a-2.mp4")))
        #expect(!exists(source))
        #expect(try String(contentsOfFile: taken, encoding: .utf8) == "another")
        #expect(try String(contentsOfFile: root + "/done/monday/a-2.mp4", encoding: .utf8) == "the source")
    }

    @Test func aMoveThatWasCutOffBehindTheCopyIsFinished() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let job = try job(.move)
        try FileManager.default.createDirectory(atPath: root + "/done", withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: source, toPath: root + "/done/a.mp4")
        #expect(SourceDisposal(job: job, token: "t").run() == .moved(FilePath(root + "/done/a.mp4")))
        #expect(!exists(source) && !exists(root + "/done/a-2.mp4"))
    }

    @Test func moveToAnotherFileSystemCopiesWithTimesAndLeavesNothing() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let other = "/dev/shm/disposal-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: other) }
        var job = try job(.move)
        job.settings.moveTo = other
        #expect(SourceDisposal(job: job, token: "t").run() == .moved(FilePath(other + "/a.mp4")))
        #expect(!exists(source))
        #expect(try String(contentsOfFile: other + "/a.mp4", encoding: .utf8) == "the source")
        #expect(FileStatus(FilePath(other + "/a.mp4"))?.modified == job.identity.modified)
        #expect(try FileManager.default.contentsOfDirectory(atPath: other) == ["a.mp4"])
        // A copy that is not what was translated removes nothing.
        try Data("the source".utf8).write(to: URL(fileURLWithPath: source))
        job.identity.modified = FileStatus(FilePath(source))?.modified ?? 0
        job.identity.contentHash = String(repeating: "0", count: 64)
        guard case .left = SourceDisposal(job: job, token: "t").run() else { Issue.record("a wrong copy was taken for the source"); return }
        #expect(exists(source))
        #expect(try FileManager.default.contentsOfDirectory(atPath: other) == ["a.mp4"])
    }

    @Test func aMoveToWhereTheSourceIsLosesNothing() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        var job = try job(.move)
        job.relativePath = "monday/a.mp4"
        try FileManager.default.createDirectory(atPath: root + "/done", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: root + "/done/monday", withDestinationPath: root + "/in")
        #expect(SourceDisposal(job: job, token: "t").run() == .left(root + "/done/monday is where it is"))
        #expect(try String(contentsOfFile: source, encoding: .utf8) == "the source")
    }

    @Test func whatCannotBeMovedNowIsPostponed() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let job = try job(.move)
        try Data().write(to: URL(fileURLWithPath: root + "/done"))
        guard case .postponed = SourceDisposal(job: job, token: "t").run() else { Issue.record("it was not postponed"); return }
        try FileManager.default.removeItem(atPath: root + "/done")
        #expect(SourceDisposal(job: job, token: "t").run() == .moved(FilePath(root + "/done/a.mp4")))
    }

    @Test(arguments: [AfterPolicy.move, .delete]) func aSourceIsLeftWhereItsResultIsGone(_ after: AfterPolicy) throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let job = try job(after)
        try FileManager.default.removeItem(atPath: target)
        #expect(SourceDisposal(job: job, token: "t").run() == .left("its result is not there any more"))
        #expect(exists(source))
    }

    @Test(arguments: [AfterPolicy.move, .delete]) func aSourceThatHasChangedIsLeft(_ after: AfterPolicy) throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let job = try job(after)
        try Data("a new source".utf8).write(to: URL(fileURLWithPath: source))
        #expect(SourceDisposal(job: job, token: "t").run() == .left("it has changed since"))
        #expect(exists(source))
    }

    // MARK: - Other files, other users, other writers

    private func replace(_ text: String = "another upload") throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: root + "/new"))
        #expect(rename(root + "/new", source) == 0)
    }

    @Test(arguments: [AfterPolicy.move, .delete]) func anUploadThatReplacesTheSourceInThatMomentIsKept(_ after: AfterPolicy) throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        var disposal = SourceDisposal(job: try job(after), token: "t")
        disposal.note = RemovalNote(path: root + "/removing")
        disposal.beforeRemoval = { [self] in try? replace() }
        #expect(disposal.run() == .left("it has changed since"))
        #expect(try String(contentsOfFile: source, encoding: .utf8) == "another upload")
        #expect(try FileManager.default.contentsOfDirectory(atPath: root + "/in") == ["a.mp4"])
        #expect(!exists(root + "/done/a.mp4") && !exists(root + "/removing"))
    }

    @Test(arguments: [AfterPolicy.move, .delete]) func aFolderThatHasBecomeALinkLeadsNowhere(_ after: AfterPolicy) throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        var job = try job(after)
        job.relativePath = "sub/a.mp4"
        job.source = FilePath(root + "/in/sub/a.mp4")
        // A file of somebody else's that looks like the source, where a link leads instead of the folder.
        try FileManager.default.createDirectory(atPath: root + "/victim", withIntermediateDirectories: false)
        #expect(rename(source, root + "/victim/a.mp4") == 0)
        try FileManager.default.createSymbolicLink(atPath: root + "/in/sub", withDestinationPath: root + "/victim")
        #expect(SourceDisposal(job: job, token: "t").run() == .left("it is not there any more"))
        #expect(try String(contentsOfFile: root + "/victim/a.mp4", encoding: .utf8) == "the source")
    }

    @Test(arguments: [AfterPolicy.move, .delete]) func whatAProgramHasOpenForWritingIsPostponed(_ after: AfterPolicy) throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let job = try job(after)
        guard FolderEntry(folder: try Folders.open(FilePath(root + "/in")), name: Array("a.mp4".utf8)).writers == .none else {
            return TrialNotes.skipped("open writers: the file system has no leases")
        }
        let writer = try #require(FileHandle(forWritingAtPath: source))
        #expect(SourceDisposal(job: job, token: "t").run() == .postponed("a program has it open for writing"))
        #expect(exists(source))
        // One that has opened it in the last moment is seen under the hidden name, and keeps its file.
        let looks = Mutex(0)
        var disposal = SourceDisposal(job: job, token: "t")
        disposal.writers = { entry in
            looks.withLock { $0 += 1; return $0 } == 1 ? .none : entry.writers
        }
        #expect(disposal.run() == .postponed("a program has it open for writing") && looks.withLock { $0 } == 2)
        #expect(try FileManager.default.contentsOfDirectory(atPath: root + "/in") == ["a.mp4"])
        try writer.close()
        #expect(SourceDisposal(job: job, token: "t").run() != .postponed("a program has it open for writing"))
        #expect(!exists(source))
    }

    @Test(arguments: [AfterPolicy.move, .delete]) func whereWritersAreNotKnownTheSourceMustHaveBeenQuiet(_ after: AfterPolicy) throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        var disposal = SourceDisposal(job: try job(after), token: "t")
        disposal.writers = { _ in .unknown }
        guard case .watched(let sighting) = disposal.run() else { Issue.record("it was not left alone"); return }
        // A look that comes too early changes nothing; one of another file begins anew.
        disposal.seen = sighting
        #expect(disposal.run() == .watched(sighting))
        var other = sighting
        other.facts.number += 1
        other.since = sighting.since - SourceDisposal.quietTime * 2
        disposal.seen = other
        guard case .watched(let again) = disposal.run(), again.facts == sighting.facts else { Issue.record("another file's quiet time counted"); return }
        #expect(exists(source))
        disposal.seen = .init(facts: sighting.facts, since: sighting.since - SourceDisposal.quietTime)
        #expect(disposal.run() == (after == .delete ? .deleted : .moved(FilePath(root + "/done/a.mp4"))))
        #expect(!exists(source))
    }

    @Test func aLifeThatEndedBeforeTheRemovalGivesTheNameBack() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let job = try job(.delete), note = RemovalNote(path: root + "/removing")
        note.write(job: job.id, hidden: Array(".solstice-removed-t-1-x".utf8))
        #expect(rename(source, root + "/in/.solstice-removed-t-1-x") == 0)
        SourceDisposal.putBackUnfinished(note) { $0 == job.id ? job : nil }
        #expect(try String(contentsOfFile: source, encoding: .utf8) == "the source")
        #expect(!exists(root + "/removing"))
        #expect(SourceDisposal(job: job, token: "t").run() == .deleted)
    }

    // MARK: - Names and special files

    private func elsewhere() throws -> String {
        let other = "/dev/shm/disposal-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
        return other
    }

    @Test func aNameOfManyBytesIsMovedToAnotherFileSystem() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let other = try elsewhere()
        defer { try? FileManager.default.removeItem(atPath: other) }
        let name = String(repeating: "\u{6F22}", count: 82) + ".mp4"
        var job = try job(.move)
        #expect(rename(source, root + "/in/" + name) == 0)
        (job.source, job.relativePath, job.settings.moveTo) = (FilePath(root + "/in/" + name), FilePath(name), other)
        #expect(SourceDisposal(job: job, token: "12345678").run() == .moved(FilePath(other + "/" + name)))
        #expect(try FileManager.default.contentsOfDirectory(atPath: other) == [name])
    }

    @Test func aNameThatIsTooLongIsSoForGood() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let name = String(repeating: "n", count: 251) + ".mp4"
        var job = try job(.move)
        #expect(rename(source, root + "/in/" + name) == 0)
        (job.source, job.relativePath) = (FilePath(root + "/in/" + name), FilePath(name))
        // Its name is taken there, and one with a number has no room.
        try FileManager.default.createDirectory(atPath: root + "/done", withIntermediateDirectories: false)
        try Data("another".utf8).write(to: URL(fileURLWithPath: root + "/done/" + name))
        guard case .left = SourceDisposal(job: job, token: "t").run() else { Issue.record("it is tried again and again"); return }
        #expect(exists(root + "/in/" + name))
    }

    @Test func pipesInThePlaceOfCopiesAreNotWaitedFor() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let other = try elsewhere()
        defer { try? FileManager.default.removeItem(atPath: other) }
        var job = try job(.move)
        job.settings.moveTo = other
        for name in [".a.mp4.partial-t-\(job.id)", "a.mp4"] { #expect(mkfifo(other + "/" + name, 0o600) == 0) }
        let ended = DispatchSemaphore(value: 0), outcome = Mutex<SourceDisposal.Outcome?>(nil)
        Thread { [job] in
            let result = SourceDisposal(job: job, token: "t").run()
            outcome.withLock { $0 = result }
            ended.signal()
        }.start()
        #expect(ended.wait(timeout: .now() + 60) == .success)
        #expect(outcome.withLock { $0 } == .moved(FilePath(other + "/a-2.mp4")))
        #expect(try String(contentsOfFile: other + "/a-2.mp4", encoding: .utf8) == "the source")
    }
}
