import Foundation
import SystemPackage
import Testing

@testable import Daemon

@Suite struct ExpectedMountsTests {
    private static let fstab = """
        # <file system> <mount point> <type> <options>
        UUID=1 / ext4 errors=remount-ro 0 1
        UUID=2\t/mnt/dash\\040cam\text4\tnofail 0 2
        UUID=3 /mnt/usb vfat noauto,user 0 0
        UUID=4 none swap sw 0 0
        server:/x /mnt/dash\\040cam/inner nfs defaults
        """
    private static func info(_ points: String...) -> String {
        points.enumerated().map { "\(30 + $0) 1 0:2 / \($1) rw - ext4 /dev/x rw\n" }.joined()
    }

    @Test func whatIsToBeMountedAndIsNotIsMissing() {
        let nothing = ExpectedMounts(fstab: Self.fstab, mountinfo: Self.info("/"))
        #expect(nothing.missing(for: "/mnt/dash cam/out") == "/mnt/dash cam")
        #expect(nothing.missing(for: "/mnt/dash cam") == "/mnt/dash cam")
        #expect(nothing.missing(for: "/mnt/dash cam/inner/x") == "/mnt/dash cam/inner")
        for path in ["/mnt/dash camera/out", "/mnt/usb/out", "/srv/out", "out"] as [FilePath] { #expect(nothing.missing(for: path) == nil) }
        let outer = ExpectedMounts(fstab: Self.fstab, mountinfo: Self.info("/", "/mnt/dash\\040cam"))
        #expect(outer.missing(for: "/mnt/dash cam/out") == nil)
        #expect(outer.missing(for: "/mnt/dash cam/inner") == "/mnt/dash cam/inner")
    }

    @Test func aFolderIsNotMadeBelowAMountThatIsMissing() throws {
        let root = NSTemporaryDirectory() + "anchor-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        let fstab = "UUID=2 \(root) ext4 defaults\n"
        var anchor = Anchor(root + "/out", mounts: { ExpectedMounts(fstab: fstab, mountinfo: Self.info("/")) })
        #expect(anchor.refusal() == "\(root) is not mounted")
        #expect(!FileManager.default.fileExists(atPath: root))
        anchor = Anchor(root + "/out", mounts: { ExpectedMounts(fstab: fstab, mountinfo: Self.info("/", root)) })
        #expect(anchor.refusal() == nil)
        #expect(FileManager.default.fileExists(atPath: root + "/out"))
    }
}
