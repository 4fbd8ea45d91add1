import Base
import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import Watch

@Suite struct FileLookTests {
    /// Not every file system has leases.
    static let kernelTellsOfWriters: Bool = {
        guard let folder = try? TemporaryFolder(), (try? Disk.write(FilePath(folder.path("a")))) != nil else { return false }
        return (try? FileLook.at("a", below: FilePath(folder.url.path), isRemote: false))?.writers == Writers.none
    }()

    @Test(.enabled(if: kernelTellsOfWriters)) func whoeverHasItOpenForWritingIsSeen() throws {
        let folder = try TemporaryFolder()
        let path = FilePath(folder.path("a"))
        try Disk.write(path, "abc")
        #expect(try FileLook.at("a", below: FilePath(folder.url.path), isRemote: false).writers == .none)
        let reader = open(path.string, O_RDONLY)
        #expect(try FileLook.at("a", below: FilePath(folder.url.path), isRemote: false).writers == .none)
        let writer = open(path.string, O_WRONLY | O_APPEND)
        #expect(try FileLook.at("a", below: FilePath(folder.url.path), isRemote: false).writers == .some)
        #expect(try FileLook.at("a", below: FilePath(folder.url.path), isRemote: true).writers == .unknown, "only this machine's would be known")
        close(writer)
        close(reader)
        let look = try FileLook.at("a", below: FilePath(folder.url.path), isRemote: false)
        #expect(look.writers == .none)
        #expect(look.facts?.size == 3)
        #expect(try FileLook.at("a", below: FilePath(folder.url.path), isRemote: true).facts == look.facts)
    }

    @Test(arguments: [true, false]) func whatIsNoFile(_ isRemote: Bool) throws {
        let folder = try TemporaryFolder()
        let root = FilePath(folder.url.path)
        #expect(root.pushing("fifo").withPlatformString { mkfifo($0, 0o644) } == 0)
        try Disk.symlink("circle", root.pushing("circle"))
        try Disk.symlink("/dev/null", root.pushing("device"))
        try Disk.write(root.pushing("file"))
        for name in ["fifo", "circle", "device", ".", "absent", "file/x"] as [FilePath] {
            #expect(try FileLook.at(name, below: root, isRemote: isRemote).facts == nil, "\(name)")
        }
        #expect(throws: TrustedPath.Failure.system(ENAMETOOLONG)) { try FileLook.at(FilePath(String(repeating: "n", count: 300)), below: root, isRemote: isRemote) }
    }

    @Test func timesOfModificationAreExact() throws {
        let folder = try TemporaryFolder()
        let path = FilePath(folder.path("a"))
        try Disk.write(path)
        for (text, seconds) in [("1960-01-01T00:00:00.25Z", -315_619_200), ("2100-01-01T00:00:00.25Z", 4_102_444_800)] {
            try Program.output("touch", ["-d", text, path.string])
            #expect(try FileStatus.of(path).facts.modified == Int64(seconds) * 1_000_000_000 + 250_000_000)
        }
    }
}
