import Foundation
import SystemPackage
import Testing

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
}
