import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Daemon

/// A file system that answers while it is told to.
private final class Server: Sendable {
    private let isGone = Mutex(false)
    private let looks = Mutex(0)

    func set(gone: Bool) { isGone.withLock { $0 = gone } }
    var count: Int { looks.withLock { $0 } }

    /// Blocks as a system call does.
    func look(_ anchor: inout Anchor) -> PlaceWatch.Sight {
        while isGone.withLock({ $0 }) { usleep(10_000) }
        looks.withLock { $0 += 1 }
        return anchor.look()
    }
}

@Suite struct PlaceWatchTests {
    private func eventually(_ condition: () -> Bool) async throws -> Bool {
        for _ in 0..<1200 where !condition() { try await Task.sleep(for: .milliseconds(50)) }
        return condition()
    }

    @Test func aPlaceThatHangsIsNotWaitedFor() async throws {
        let folder = try TemporaryFolder()
        let server = Server()
        let watch = PlaceWatch(folder.url.path, patience: .seconds(3), look: server.look)
        defer { watch.stop() }
        #expect(try await eventually { watch.sight.refusal == nil && (watch.sight.room?.total ?? 0) > 0 })
        server.set(gone: true)
        #expect(try await eventually { watch.sight.refusal == "\(folder.url.path) does not answer" && watch.sight.room == nil })
        server.set(gone: false)
        #expect(try await eventually { watch.sight.refusal == nil && watch.sight.room != nil })
    }

    @Test func oneThatHangsFromTheStartIsNotTakenForGood() async throws {
        let folder = try TemporaryFolder()
        let server = Server()
        server.set(gone: true)
        let watch = PlaceWatch(folder.url.path, look: server.look)
        defer { watch.stop() }
        #expect(watch.sight.refusal == "\(folder.url.path) does not answer")
        server.set(gone: false)
        #expect(try await eventually { watch.sight.refusal == nil })
    }

    @Test func itLooksNoMoreOnceItIsStopped() async throws {
        let folder = try TemporaryFolder()
        let server = Server()
        let watch = PlaceWatch(folder.url.path, look: server.look)
        watch.stop()
        try await Task.sleep(for: .seconds(2))
        let count = server.count
        try await Task.sleep(for: .seconds(2))
        #expect(server.count == count)
    }

    @Test func aFolderIsMadeOnceAndMissedAfterwards() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a/b")
        var anchor = Anchor(path)
        #expect(anchor.refusal() == nil && FileManager.default.fileExists(atPath: path))
        try FileManager.default.removeItem(atPath: path)
        #expect(anchor.refusal() == "\(path) is not there any more")
        #expect(!FileManager.default.fileExists(atPath: path))
        try Data().write(to: URL(fileURLWithPath: path))
        #expect(anchor.refusal() == "\(path) is not there any more")
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(anchor.refusal() == nil)
    }
}
