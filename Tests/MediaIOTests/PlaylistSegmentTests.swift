import Base
import Foundation
import Glibc
import TestSupport
import Testing

@testable import MediaIO

/// What a playlist removes of what lies beside it.
@Suite struct PlaylistSegmentTests {
    private let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func put(_ name: String, _ text: String = "x") throws { try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path(name))) }
    private func list(_ names: String...) throws { try put("night.m3u8", "#EXTM3U\n" + names.map { "#EXTINF:2,\n\($0)\n" }.joined()) }
    private var segments: PlaylistSegments { get throws { try #require(PlaylistSegments(path: folder.path("night.m3u8"))) } }

    @Test func onlyWhatAnEarlierRunHasRecordedIsRemoved() throws {
        // Recordings of a target with a pattern, a user's own, and one with a name that a segment could have.
        let others = ["night-20261201083246.ts", "night-20240501.ts", "night-1714521600.ts", "night-000123.ts", "night-000124.ts.tmp", "night-7.ts"]
        for name in others { try put(name) }
        let first = try segments
        first.removeLeftovers()
        for number in 0..<5 { try put("night-00000\(number).ts") }
        try list("night-000000.ts", "night-000001.ts")
        first.note()
        try list("night-000002.ts", "night-000003.ts", "night-000004.ts")
        first.note()
        // Killed in the middle of the next one.
        try put("night-000005.ts.tmp")
        try segments.removeLeftovers()
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).filter { $0.hasPrefix("night-") }
        #expect(left.sorted() == (others + ["night-000002.ts", "night-000003.ts", "night-000004.ts"]).sorted())
    }

    @Test func aListThatNamesOtherFilesIsNotGoneOnWith() throws {
        #expect(try segments.isOwn)
        try list("night-000007.ts")
        #expect(try segments.isOwn)
        try list("night-000007.ts", "holiday.ts")
        #expect(try !segments.isOwn)
        try put("holiday.ts")
        try segments.removeLeftovers()
        #expect(FileManager.default.fileExists(atPath: folder.path("holiday.ts")))
    }

    @Test func aRecordThatIsNoneNamesNothing() throws {
        try put("night-000001.ts")
        // Names that lead elsewhere, or are no segment's; a link; a pipe, which is not waited for.
        try put(".night.m3u8.segments", "../night-000001.ts\n/etc/passwd\nnight-1.ts\nnight-+00001.ts\n")
        try segments.removeLeftovers()
        try put("record", "night-000001.ts\n")
        try FileManager.default.removeItem(atPath: folder.path(".night.m3u8.segments"))
        try FileManager.default.createSymbolicLink(atPath: folder.path(".night.m3u8.segments"), withDestinationPath: folder.path("record"))
        try segments.removeLeftovers()
        try FileManager.default.removeItem(atPath: folder.path(".night.m3u8.segments"))
        #expect(mkfifo(folder.path(".night.m3u8.segments"), 0o600) == 0)
        try segments.removeLeftovers()
        #expect(FileManager.default.fileExists(atPath: folder.path("night-000001.ts")))
    }
}

/// What killed runs have left, when their numbers are in use again.
@Suite struct StalePartialTests {
    @Test func aNumberThatAnotherProcessHasByNowKeepsNothing() throws {
        let folder = try TemporaryFolder()
        let living = Process()
        living.executableURL = URL(fileURLWithPath: "/bin/sleep")
        living.arguments = ["600"]
        try living.run()
        // Not by SIGTERM, which whoever has been started by this process may ignore.
        defer { kill(living.processIdentifier, SIGKILL) }
        let pid = living.processIdentifier, mark = try #require(ProcessMark.of(pid))
        func hex(_ number: UInt32) -> String { String(number, radix: 16) }
        let stale = [".night.mp4.partial-\(pid)-\(hex(mark ^ 1))-1", ".night.mp4.partial-\(getpid())-\(hex(ProcessMark.own ^ 1))-2", ".night.mp4.partial-4194303-5-3"]
        let alive = [".night.mp4.partial-\(pid)-\(hex(mark))-4", ".night.mp4.partial-\(pid)-5", ".night.mp4.partial-\(pid)-0-6"]
        for name in stale + alive { #expect(FileManager.default.createFile(atPath: folder.path(name), contents: Data([1]))) }
        StalePartials.remove(of: try OutputTarget(path: folder.path("night.mp4"), isPattern: false))
        #expect(try entries(folder.url.path) == alive.sorted())
        for name in stale { #expect(FileManager.default.createFile(atPath: folder.path(name), contents: Data([1]))) }
        let kept = RecordingLeftovers.keep(in: folder.url.path + "/") { name, _ in name }
        #expect(kept.count == stale.count, "\(kept)")
        #expect(try entries(folder.url.path) == (alive + ["night-1.mp4", "night-2.mp4", "night.mp4"]).sorted())
    }
}

/// What is no file in the place of one that is removed or opened.
@Suite struct SpecialFileTests {
    @Test(arguments: ["pipe", "socket", "device", "link"]) func aPartialFilesNameIsNotWaitedFor(_ kind: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.path(".night.mp4.partial-999999-1")
        switch kind {
        case "pipe": #expect(mkfifo(path, 0o600) == 0)
        case "device": guard mknod(path, S_IFCHR | 0o600, 0x0502) == 0 else { return }
        case "link": #expect(symlink("/etc", path) == 0)
        default:
            let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(socket) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(100)) }
            guard path.utf8.count < 100 else { return }
            let isBound = withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) } }
            #expect(isBound == 0)
        }
        let ended = DispatchSemaphore(value: 0), directory = folder.url.path + "/"
        Thread {
            if let target = try? OutputTarget(path: directory + "night.mp4", isPattern: false) { StalePartials.remove(of: target) }
            _ = RecordingLeftovers.keep(in: directory) { name, _ in name }
            ended.signal()
        }.start()
        #expect(ended.wait(timeout: .now() + 60) == .success)
        var status = stat()
        #expect(lstat(path, &status) == 0, "it is let be")
    }
}
