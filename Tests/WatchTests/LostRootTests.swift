import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import Watch

@Suite struct LostRootTests {
    @Test func aRootThatIsRenamedAndComesBack() async throws {
        let watched = try Watched { try Disk.write($0.pushing("a.mp4")) }
        #expect(await watched.wait { _ in watched.ready == ["a.mp4"] })
        let away = watched.outside.pushing("away")
        try Disk.rename(watched.root, away)
        #expect(await watched.wait { _ in watched.lost.count == 1 })
        #expect(!watched.own.isRootThere)
        // What happens meanwhile in the folder that was the root is nobody's concern.
        try Disk.write(away.pushing("b.mp4"))
        try Disk.rename(away, watched.root)
        #expect(await watched.wait { _ in watched.isBack && Set(watched.ready.dropFirst()) == ["a.mp4", "b.mp4"] })
        try await watched.pass()
        #expect(watched.vanished.isEmpty)
    }

    @Test func aRootThatIsRemovedWithEverythingInIt() async throws {
        // Longer than the removal may take: what is gone for so long with the root still there would rightly be told.
        let watched = try Watched(settle: .seconds(10)) { root in
            for index in 0..<20 { try Disk.write(root.pushing(FilePath("\(index).mp4"))) }
        }
        #expect(await watched.wait(upTo: 90) { _ in watched.ready.count == 20 })
        try Disk.removeTree(watched.root)
        #expect(await watched.wait { _ in watched.lost.count == 1 })
        try Disk.makeFolder(watched.root)
        try watched.write("new.mp4")
        #expect(await watched.wait(upTo: 90) { _ in watched.isBack && watched.ready.last == "new.mp4" })
        #expect(watched.vanished.isEmpty, "a root that is lost is no reason to think that its files are")
    }

    @Test func anotherFolderInItsPlace() async throws {
        let watched = try Watched { try Disk.write($0.pushing("a.mp4")) }
        #expect(await watched.wait { _ in watched.ready == ["a.mp4"] })
        let new = watched.outside.pushing("new")
        try Disk.makeFolder(new)
        try Disk.write(new.pushing("b.mp4"))
        try Disk.rename(watched.root, watched.outside.pushing("away"))
        try Disk.rename(new, watched.root)
        #expect(await watched.wait { _ in watched.isBack && watched.ready == ["a.mp4", "b.mp4"] })
        #expect(watched.vanished.isEmpty)
    }

    @Test func aRootThatIsNotThereYet() async throws {
        let watched = try Watched { try FileManager.default.removeItem(atPath: $0.string) }
        #expect(await watched.wait { $0.count == 1 && watched.lost.count == 1 })
        try Disk.makeFolder(watched.root)
        try watched.write("a.mp4")
        #expect(await watched.wait { _ in watched.ready == ["a.mp4"] })
        #expect(watched.isBack)
    }

    @Test func aRootThatIsNoFolder() async throws {
        let watched = try Watched {
            try FileManager.default.removeItem(atPath: $0.string)
            try Disk.write($0)
        }
        #expect(await watched.wait { _ in watched.lost == ["it is no folder"] })
    }

    /// Needs the right to mount; the judgement itself is tested without it in `RootKeeperTests`.
    @Test(.enabled(if: Mounts.areAllowed)) func aFileSystemThatIsUnmountedAndMountedAgain() async throws {
        let watched = try Watched { root in
            try Mounts.mount(root)
            try Disk.write(root.pushing("a.mp4"))
            try Disk.makeFolder(root.pushing("x"))
            try Disk.write(root.pushing("x/b.mp4"))
        }
        defer { Mounts.unmount(watched.root) }
        #expect(await watched.wait { _ in Set(watched.ready) == ["a.mp4", "x/b.mp4"] })
        Mounts.unmount(watched.root)
        #expect(await watched.wait { _ in watched.lost.count == 1 })
        // The folder that it was mounted on is there, and empty. It stays out of the game over several looks, whatever is put there.
        try watched.write("below.mp4")
        try await Task.sleep(for: .milliseconds(2500))
        #expect(!watched.own.isRootThere)
        #expect(watched.lost.count == 1)
        try Mounts.mount(watched.root)
        try watched.write("c.mp4")
        #expect(await watched.wait { _ in watched.isBack && watched.ready.last == "c.mp4" })
        #expect(watched.vanished.isEmpty)
        #expect(!watched.ready.contains("below.mp4"))
    }

    @Test(.enabled(if: Mounts.areAllowed)) func aFileSystemBelowTheRootThatIsUnmounted() async throws {
        let watched = try Watched { root in
            try Disk.makeFolder(root.pushing("disk"))
            try Mounts.mount(root.pushing("disk"))
            try Disk.write(root.pushing("disk/a.mp4"))
            try Disk.write(root.pushing("b.mp4"))
        }
        defer { Mounts.unmount(watched.root.pushing("disk")) }
        #expect(await watched.wait { _ in Set(watched.ready) == ["disk/a.mp4", "b.mp4"] })
        Mounts.unmount(watched.root.pushing("disk"))
        watched.own.rescan()
        #expect(await watched.wait { _ in watched.scans == 2 })
        try await watched.pass()
        try await watched.pass()
        #expect(!watched.vanished.contains("disk/a.mp4"))
        #expect(watched.lost.isEmpty)
        try Mounts.mount(watched.root.pushing("disk"))
        try Disk.write(watched.root.pushing("disk/c.mp4"))
        watched.own.rescan()
        #expect(await watched.wait { _ in watched.ready.contains("disk/c.mp4") })
    }

    /// Two hundred folders and more events at once than the kernel's queue holds by default.
    @Test func theKernelsQueueRunsOver() async throws {
        let most = Int(FileContents.text("/proc/sys/fs/inotify/max_queued_events")) ?? 16384
        guard most <= 20_000 else { return }
        let gate = DispatchSemaphore(value: 0)
        let folder = try TemporaryFolder()
        let root = FilePath(folder.url.path)
        let ready = Counter()
        try Disk.write(root.pushing("first.mp4"))
        let watcher = FolderWatcher(rules: try WatchRules(root: root, settle: .milliseconds(100), scanInterval: .seconds(3600))) { event in
            guard case .ready(let file) = event else { return }
            ready.add(file.relativePath)
            // The watcher waits in here and reads nothing, while the queue fills.
            gate.wait()
            gate.signal()
        }
        watcher.start()
        defer { watcher.stop() }
        let isWaiting = await eventually { ready.count == 1 }
        if isWaiting {
            // A name that is not taken makes events, too.
            for index in 0..<(most / 2 + 100) {
                let name = root.pushing(FilePath("\(index).txt"))
                try Disk.write(name)
                Disk.remove(name)
            }
            try Disk.write(root.pushing("late.mp4"))
        }
        gate.signal()
        #expect(isWaiting)
        #expect(await eventually { ready.count == 2 }, "the notice of this file was lost")
    }
}

/// Paths that were told, from any thread.
final class Counter: @unchecked Sendable {
    // Safe to share: the lock guards the only state.
    private let lock = NSLock()
    private var paths: Set<FilePath> = []

    func add(_ path: FilePath) { lock.withLock { _ = paths.insert(path) } }

    var count: Int { lock.withLock { paths.count } }
}

/// File systems in memory, where this process may mount them.
enum Mounts {
    static let areAllowed: Bool = {
        guard geteuid() == 0, let folder = try? TemporaryFolder() else { return false }
        let path = FilePath(folder.url.path)
        guard (try? mount(path)) != nil else { return false }
        unmount(path)
        return true
    }()

    static func mount(_ path: FilePath) throws {
        try Program.output("mount", ["-t", "tmpfs", "-o", "size=4m", "solstice-test", path.string])
    }

    static func unmount(_ path: FilePath) { _ = try? Program.run("umount", ["--lazy", path.string]) }
}
