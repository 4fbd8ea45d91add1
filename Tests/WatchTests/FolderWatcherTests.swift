import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Watch

/// A folder with a watcher on it, and what that tells.
final class Watched: Sendable {
    private let scratch: TemporaryFolder
    let root: FilePath
    private let log = Mutex<[WatchEvent]>([])
    private let watcher = Mutex<FolderWatcher?>(nil)

    /// - Parameter scan: an hour means that only the kernel's notices can be what is tested, after the first scan.
    init(
        settle: Duration = .milliseconds(200), scan: Duration = .seconds(3600), include: [String] = ["*"], exclude: [String] = [],
        ignored: [String] = [], prepare: (FilePath) throws -> Void = { _ in }
    ) throws {
        scratch = try TemporaryFolder()
        root = FilePath(scratch.path("in"))
        try FileManager.default.createDirectory(atPath: root.string, withIntermediateDirectories: true)
        try prepare(root)
        let rules = try WatchRules(
            root: root, include: include, exclude: exclude, settle: settle, scanInterval: scan, ignored: ignored.map { root.pushing(FilePath($0)) })
        let watcher = FolderWatcher(rules: rules) { [weak self] event in self?.log.withLock { $0.append(event) } }
        self.watcher.withLock { $0 = watcher }
        watcher.start()
    }

    deinit { own.stop() }

    /// Waits for the end of the first scan.
    func scanned() async throws -> Watched {
        try #require(await wait { $0.contains { if case .scanned = $0 { true } else { false } } })
        return self
    }

    var own: FolderWatcher { watcher.withLock { $0! } }
    var outside: FilePath { FilePath(scratch.url.path) }
    var events: [WatchEvent] { log.withLock { $0 } }
    var ready: [FilePath] { events.compactMap { if case .ready(let file) = $0 { file.relativePath } else { nil } } }
    var vanished: [FilePath] { events.compactMap { if case .vanished(let path) = $0 { path } else { nil } } }
    var lost: [String] { events.compactMap { if case .rootLost(let reason) = $0 { reason } else { nil } } }
    var notices: [String] { events.compactMap { if case .notice(let text) = $0 { text } else { nil } } }
    var isBack: Bool { events.contains(WatchEvent.rootBack) }
    var scans: Int { events.count { if case .scanned = $0 { true } else { false } } }

    func wait(upTo limit: Double = 30, _ condition: ([WatchEvent]) -> Bool) async -> Bool {
        await eventually(upTo: limit) { condition(events) }
    }

    /// Waits until everything that has happened so far must have been told: a file that is made now is ready.
    func pass() async throws {
        let name = "mark-\(UUID().uuidString)"
        try write(FilePath(name))
        try #require(await wait { _ in ready.contains(FilePath(name)) })
        Disk.remove(root.pushing(FilePath(name)))
    }

    func write(_ path: FilePath, _ text: String = "x") throws { try Disk.write(root.pushing(path), text) }
}

/// Waits until `condition` holds, without keeping a thread; false where it does not within `limit` seconds.
func eventually(upTo limit: Double = 30, _ condition: () throws -> Bool) async rethrows -> Bool {
    let end = Date().addingTimeInterval(limit)
    while true {
        if try condition() { return true }
        guard Date() < end else { return false }
        try? await Task.sleep(for: .milliseconds(10))
    }
}

/// Files by any bytes of name.
enum Disk {
    struct Failure: Error { var code: Int32 }

    static func write(_ path: FilePath, _ text: String = "x") throws {
        let file = path.withPlatformString { open($0, O_WRONLY | O_CREAT | O_TRUNC, 0o644) }
        guard file >= 0, Foundation.write(file, text, text.utf8.count) == text.utf8.count, close(file) == 0 else { throw Failure(code: errno) }
    }

    static func rename(_ from: FilePath, _ to: FilePath) throws {
        let result = from.withPlatformString { from in to.withPlatformString { Foundation.rename(from, $0) } }
        guard result == 0 else { throw Failure(code: errno) }
    }

    static func link(_ from: FilePath, _ to: FilePath) throws {
        let result = from.withPlatformString { from in to.withPlatformString { Foundation.link(from, $0) } }
        guard result == 0 else { throw Failure(code: errno) }
    }

    static func symlink(_ target: FilePath, _ path: FilePath) throws {
        let result = target.withPlatformString { target in path.withPlatformString { Foundation.symlink(target, $0) } }
        guard result == 0 else { throw Failure(code: errno) }
    }

    static func makeFolder(_ path: FilePath) throws {
        guard path.withPlatformString({ mkdir($0, 0o755) }) == 0 else { throw Failure(code: errno) }
    }

    static func remove(_ path: FilePath) { _ = path.withPlatformString { unlink($0) } }
    static func removeTree(_ path: FilePath) throws { try Program.output("rm", ["-rf", path.string]) }
}

@Suite struct FolderWatcherTests {
    @Test func filesThatAreThereAtTheStart() async throws {
        let watched = try await Watched { root in
            try Disk.makeFolder(root.pushing("x"))
            try Disk.makeFolder(root.pushing("x/y"))
            try Disk.write(root.pushing("a.mp4"), "abc")
            try Disk.write(root.pushing("x/y/b.mp4"))
        }.scanned()
        #expect(await watched.wait { _ in Set(watched.ready) == ["a.mp4", "x/y/b.mp4"] })
        #expect(watched.events.contains(.scanned(files: 2)))
        let found = watched.events.compactMap { if case .ready(let file) = $0 { file } else { nil } }
        let file = try #require(found.first { $0.relativePath == "a.mp4" })
        #expect(file.size == 3)
        #expect(abs(Double(file.modified) / 1e9 - Date().timeIntervalSince1970) < 600)
        #expect(watched.own.settlingCount == 0)
        #expect(watched.own.isRootThere)
    }

    @Test func aFileIsToldOnceItIsClosed() async throws {
        let watched = try await Watched(settle: .milliseconds(100)).scanned()
        let path = watched.root.pushing("a.mp4")
        let file = path.withPlatformString { open($0, O_WRONLY | O_CREAT, 0o644) }
        // Longer than the time to settle, without a change: it is open.
        for _ in 0..<3 {
            #expect(Foundation.write(file, "abc", 3) == 3)
            try await Task.sleep(for: .milliseconds(400))
            #expect(watched.ready.isEmpty)
        }
        #expect(watched.own.settlingCount == 1)
        close(file)
        #expect(await watched.wait { _ in watched.ready == ["a.mp4"] })
        try await watched.pass()
        #expect(watched.ready.count { $0 == "a.mp4" } == 1)
    }

    @Test func aFileThatGrowsInPieces() async throws {
        let watched = try await Watched(settle: .seconds(3)).scanned()
        let path = watched.root.pushing("a.mp4")
        var wasQuick = true
        for piece in 1...8 {
            let begin = Date()
            try Disk.write(path, String(repeating: "x", count: piece * 100))
            try await Task.sleep(for: .milliseconds(500))
            // On a machine that stood still for longer than the time to settle, the file did, too.
            wasQuick = wasQuick && Date().timeIntervalSince(begin) < 2
            #expect(watched.ready.isEmpty || !wasQuick)
        }
        #expect(await watched.wait { $0.contains { if case .ready(let file) = $0 { file.size == 800 } else { false } } })
    }

    @Test(.enabled(if: FileLookTests.kernelTellsOfWriters)) func aFileThatIsWrittenThroughAMapping() async throws {
        let watched = try await Watched(settle: .milliseconds(100)).scanned()
        let path = watched.root.pushing("a.mp4")
        let file = path.withPlatformString { open($0, O_RDWR | O_CREAT, 0o644) }
        #expect(ftruncate(file, 4096) == 0)
        let memory = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        close(file)
        try await Task.sleep(for: .milliseconds(500))
        #expect(watched.ready.isEmpty, "the mapping can still write")
        munmap(memory, 4096)
        #expect(await watched.wait { _ in watched.ready == ["a.mp4"] })
    }

    @Test func replacedRenamedAndDeleted() async throws {
        let watched = try await Watched().scanned()
        try watched.write("a.mp4", "one")
        #expect(await watched.wait { _ in watched.ready == ["a.mp4"] })
        // Replaced by a rename from a hidden name, as careful programs do.
        try watched.write(".new", "longer")
        try Disk.rename(watched.root.pushing(".new"), watched.root.pushing("a.mp4"))
        #expect(await watched.wait { _ in watched.ready == ["a.mp4", "a.mp4"] })
        try Disk.rename(watched.root.pushing("a.mp4"), watched.root.pushing("b.mp4"))
        #expect(await watched.wait { _ in watched.ready == ["a.mp4", "a.mp4", "b.mp4"] && watched.vanished == ["a.mp4"] })
        Disk.remove(watched.root.pushing("b.mp4"))
        #expect(await watched.wait { _ in watched.vanished == ["a.mp4", "b.mp4"] })
        #expect(watched.lost.isEmpty)
    }

    @Test func aFileThatIsMovedAwayBeforeItSettles() async throws {
        let watched = try await Watched(settle: .seconds(1)).scanned()
        try watched.write("a.mp4")
        // Open for writing until it is away, so that it cannot have settled before, however long that takes.
        let writer = watched.root.pushing("a.mp4").withPlatformString { open($0, O_WRONLY | O_APPEND | O_CLOEXEC) }
        try #require(writer >= 0 && write(writer, "y", 1) == 1)
        try Disk.rename(watched.root.pushing("a.mp4"), watched.outside.pushing("a.mp4"))
        close(writer)
        try await watched.pass()
        try await watched.pass()
        #expect(!watched.ready.contains("a.mp4"))
        #expect(!watched.vanished.contains("a.mp4"))
    }

    @Test func hardLinksAndSymbolicLinks() async throws {
        let watched = try await Watched().scanned()
        let elsewhere = watched.outside.pushing("elsewhere")
        try Disk.write(elsewhere)
        try Disk.link(elsewhere, watched.root.pushing("hard.mp4"))
        try Disk.symlink(elsewhere, watched.root.pushing("soft.mp4"))
        try Disk.symlink("nowhere", watched.root.pushing("broken.mp4"))
        try Disk.symlink(".", watched.root.pushing("circle"))
        #expect(await watched.wait { _ in Set(watched.ready) == ["hard.mp4", "soft.mp4"] })
        watched.own.rescan()
        #expect(await watched.wait { _ in watched.scans == 2 })
        try await watched.pass()
        #expect(watched.ready.count == 3)
        // Nobody closes the hard link's name: what is written under the other one is found by a scan.
        try Disk.write(elsewhere, "more than before")
        watched.own.rescan()
        #expect(await watched.wait { _ in watched.ready.count { $0 == "hard.mp4" } == 2 && watched.ready.count { $0 == "soft.mp4" } == 2 })
    }

    /// Anybody may make a link to a file that only the watcher's user can read.
    @Test(.enabled(if: geteuid() == 0, "only root can give links away")) func linksOfOthersAreNotFollowed() async throws {
        let secret: uid_t = 54_322, other: uid_t = 54_321
        let watched = try await Watched(scan: .seconds(1)).scanned()
        let target = watched.outside.pushing("secret.mp4")
        try Disk.write(target)
        #expect(chown(target.string, secret, secret) == 0)
        func link(_ name: String, _ owner: uid_t) throws {
            let aside = watched.outside.pushing(FilePath(name))
            try Disk.symlink(target, aside)
            #expect(lchown(aside.string, owner, owner) == 0)
            try Disk.rename(aside, watched.root.pushing(FilePath(name)))
        }
        try watched.write("turned.mp4")
        #expect(await watched.wait { _ in watched.ready == ["turned.mp4"] })
        try link("theirs.mp4", other)
        try link("turned.mp4", other)
        try link("own.mp4", secret)
        #expect(await watched.wait { _ in watched.ready.contains("own.mp4") && watched.vanished == ["turned.mp4"] })
        let scans = watched.scans
        #expect(await watched.wait { _ in watched.scans > scans + 1 })
        #expect(!watched.ready.contains("theirs.mp4") && watched.ready.count { $0 == "turned.mp4" } == 1)
        #expect(watched.notices.count { $0.contains("theirs.mp4 is a link of user 54321 to a file of user 54322") } == 1, "\(watched.notices)")
        // As the notice says.
        #expect(lchown(watched.root.pushing("theirs.mp4").string, secret, secret) == 0)
        #expect(await watched.wait { _ in watched.ready.contains("theirs.mp4") })
    }

    @Test func namesOfAnyBytes() async throws {
        let watched = try await Watched().scanned()
        let names = try [
            path(Array("with space.mp4".utf8)), path(Array("with\nnewline.mp4".utf8)), path([0xFF, 0xFE, 0x2E, 0x6D]), path(Array("'\"$(x)\\.mp4".utf8)),
            path(Array(String(repeating: "n", count: 255).utf8)), path(Array("\u{1F3AC}.mp4".utf8)), path(Array("-rf".utf8)),
        ]
        let folder = try path([0x64, 0xE4])
        try Disk.makeFolder(watched.root.pushing(folder))
        for name in names {
            try watched.write(name)
            try watched.write(folder.pushing(name))
        }
        let expected = Set(names + names.map { folder.pushing($0) })
        #expect(await watched.wait { _ in Set(watched.ready) == expected })
        for name in names { Disk.remove(watched.root.pushing(name)) }
        #expect(await watched.wait { _ in Set(watched.vanished) == Set(names) })
    }

    @Test func whatIsNoFileIsNeverOpened() async throws {
        let watched = try await Watched().scanned()
        let fifo = watched.root.pushing("fifo.mp4")
        #expect(fifo.withPlatformString { mkfifo($0, 0o644) } == 0)
        try Disk.symlink("/dev/zero", watched.root.pushing("device.mp4"))
        try Disk.symlink(fifo, watched.root.pushing("link.mp4"))
        watched.own.rescan()
        #expect(await watched.wait { _ in watched.scans == 2 })
        // Whoever opens a fifo for reading would let this succeed.
        #expect(fifo.withPlatformString { open($0, O_WRONLY | O_NONBLOCK) } == -1)
        #expect(errno == ENXIO)
        try await watched.pass()
        #expect(watched.ready.count == 1)
    }

    @Test func hiddenUnfinishedExcludedAndIgnored() async throws {
        let watched = try await Watched(exclude: ["trailers/", "*.txt"], ignored: ["out"]).scanned()
        for folder in ["out", ".hidden", "trailers", "x"] { try Disk.makeFolder(watched.root.pushing(FilePath(folder))) }
        for name in ["out/a.mp4", ".hidden/a.mp4", "trailers/a.mp4", "a.txt", "a.mp4.part", ".a.mp4", "a~", "x/a.mp4"] {
            try watched.write(FilePath(name))
        }
        #expect(await watched.wait { _ in watched.ready == ["x/a.mp4"] })
        watched.own.rescan()
        #expect(await watched.wait { _ in watched.scans == 2 })
        try await watched.pass()
        #expect(watched.ready.count == 2)
        // The usual end of a download.
        try Disk.rename(watched.root.pushing("a.mp4.part"), watched.root.pushing("a.mp4"))
        #expect(await watched.wait { _ in watched.ready.last == "a.mp4" })
    }

    @Test func anIgnoredFolderUnderAnotherPath() async throws {
        let watched = try Watched(ignored: ["alias"]) { root in
            try Disk.makeFolder(root.pushing("out"))
            try Disk.symlink("out", root.pushing("alias"))
            try Disk.write(root.pushing("out/a.mp4"))
            try Disk.write(root.pushing("b.mp4"))
        }
        #expect(await watched.wait { _ in watched.ready == ["b.mp4"] })
        try await watched.pass()
        #expect(!watched.ready.contains("out/a.mp4"))
    }

    @Test func aThousandFilesAtOnce() async throws {
        let watched = try await Watched().scanned()
        for index in 0..<1000 { try watched.write(FilePath("\(index).mp4")) }
        #expect(await watched.wait(upTo: 60) { _ in watched.ready.count >= 1000 })
        try await watched.pass()
        #expect(watched.ready.count == 1001)
        #expect(Set(watched.ready).count == 1001)
        #expect(watched.own.settlingCount == 0)
    }

    /// A folder that comes with files in it, folders that are made while others are listed, and folders that are moved about.
    @Test func newFolders() async throws {
        let watched = try await Watched().scanned()
        var expected: Set<FilePath> = []
        for index in 0..<40 {
            let folder = FilePath("f\(index)")
            try Disk.makeFolder(watched.root.pushing(folder))
            try watched.write(folder.pushing("a.mp4"))
            try Disk.makeFolder(watched.root.pushing(folder).pushing("sub"))
            try watched.write(folder.pushing("sub/b.mp4"))
            expected.formUnion([folder.pushing("a.mp4"), folder.pushing("sub/b.mp4")])
        }
        #expect(await watched.wait { _ in Set(watched.ready) == expected })
        // A tree that is moved in whole, and within.
        let tree = watched.outside.pushing("tree")
        try Disk.makeFolder(tree)
        try Disk.makeFolder(tree.pushing("deep"))
        try Disk.write(tree.pushing("deep/c.mp4"))
        try Disk.rename(tree, watched.root.pushing("tree"))
        #expect(await watched.wait { _ in watched.ready.last == "tree/deep/c.mp4" })
        try Disk.rename(watched.root.pushing("tree"), watched.root.pushing("f0/tree"))
        #expect(await watched.wait { _ in watched.ready.last == "f0/tree/deep/c.mp4" && watched.vanished == ["tree/deep/c.mp4"] })
        // It is still watched, under its new path.
        try watched.write("f0/tree/deep/d.mp4")
        #expect(await watched.wait { _ in watched.ready.last == "f0/tree/deep/d.mp4" })
        // And moved out.
        try Disk.rename(watched.root.pushing("f0/tree"), tree)
        #expect(await watched.wait { _ in Set(watched.vanished.dropFirst()) == ["f0/tree/deep/c.mp4", "f0/tree/deep/d.mp4"] })
        try Disk.write(tree.pushing("deep/e.mp4"))
        try await watched.pass()
        #expect(!watched.ready.contains { $0.lastComponent == "e.mp4" })
    }

    @Test func aFolderThatIsRemovedAndMadeAgain() async throws {
        let watched = try await Watched().scanned()
        for round in 0..<5 {
            try Disk.makeFolder(watched.root.pushing("x"))
            try watched.write(FilePath("x/\(round).mp4"))
            #expect(await watched.wait { _ in watched.ready.last == FilePath("x/\(round).mp4") })
            try Disk.removeTree(watched.root.pushing("x"))
            if round % 2 == 0 { #expect(await watched.wait { _ in watched.vanished.last == FilePath("x/\(round).mp4") }) }
        }
        #expect(watched.lost.isEmpty)
    }

    @Test func scansFindWhatTheKernelDoesNotTell() async throws {
        let watched = try await Watched(scan: .seconds(1)) { root in try Disk.makeFolder(root.pushing("real")) }.scanned()
        let elsewhere = watched.outside.pushing("elsewhere")
        try Disk.write(elsewhere)
        try Disk.symlink(elsewhere, watched.root.pushing("a.mp4"))
        #expect(await watched.wait { _ in watched.ready == ["a.mp4"] })
        // The link's folder hears nothing of either.
        try Disk.write(elsewhere, "longer")
        #expect(await watched.wait { _ in watched.ready == ["a.mp4", "a.mp4"] })
        Disk.remove(elsewhere)
        #expect(await watched.wait { _ in watched.vanished == ["a.mp4"] })
    }

    @Test func newRules() async throws {
        let watched = try await Watched(include: ["*.mp4"]).scanned()
        try watched.write("a.mp4")
        try watched.write("b.mkv")
        #expect(await watched.wait { _ in watched.ready == ["a.mp4"] })
        watched.own.update(try WatchRules(root: watched.root, include: ["*"], settle: .milliseconds(100), scanInterval: .seconds(3600)))
        #expect(await watched.wait { _ in watched.ready == ["a.mp4", "b.mkv"] })
        // Another root.
        let other = watched.outside.pushing("other")
        try Disk.makeFolder(other)
        try Disk.write(other.pushing("c.mp4"))
        watched.own.update(try WatchRules(root: other, settle: .milliseconds(100), scanInterval: .seconds(3600)))
        #expect(await watched.wait { _ in watched.ready == ["a.mp4", "b.mkv", "c.mp4"] })
        #expect(watched.vanished.isEmpty)
        #expect(watched.lost.isEmpty)
    }

    @Test func nothingIsToldAfterTheEnd() async throws {
        let watched = try await Watched(settle: .milliseconds(50)).scanned()
        try watched.write("a.mp4")
        watched.own.stop()
        let count = watched.events.count
        try watched.write("b.mp4")
        try await Task.sleep(for: .milliseconds(300))
        #expect(watched.events.count == count)
        watched.own.stop()
    }

    @Test func stoppingFromWithinAnEvent() async throws {
        let folder = try TemporaryFolder()
        let stopped = Mutex(false)
        let box = Mutex<FolderWatcher?>(nil)
        let watcher = FolderWatcher(rules: try WatchRules(root: FilePath(folder.url.path))) { event in
            guard case .scanned = event else { return }
            box.withLock { $0 }?.stop()
            stopped.withLock { $0 = true }
        }
        box.withLock { $0 = watcher }
        watcher.start()
        #expect(await eventually { stopped.withLock { $0 } })
        box.withLock { $0 = nil }
    }
}
