import SystemPackage
import Testing

@testable import Watch

@Suite struct RootKeeperTests {
    private let disk = Mount(point: "/media/usb", type: "ext4")
    private let system = Mount(point: "/", type: "ext4")
    private func folder(_ device: UInt64, _ inode: UInt64 = 2) -> RootKeeper.Sight { .present(FolderIdentity(device: device, inode: inode)) }

    @Test func theEmptyFolderBelowAMountIsNotTheRoot() {
        var root = RootKeeper()
        #expect(root.judge(folder(8)) { disk } == .back)
        #expect(root.judge(folder(1, 99)) { system } == .lost(RootKeeper.notMounted))
        #expect(root.judge(folder(1, 99)) { system } == .none)
        // Plugged in again, perhaps under another device number.
        #expect(root.judge(folder(9)) { disk } == .back)
        #expect(root.isThere)
    }

    @Test func theMountIsOnlyAskedForWhereItMatters() {
        var root = RootKeeper()
        var asked = 0
        for _ in 0..<10 {
            _ = root.judge(folder(8)) {
                asked += 1
                return disk
            }
        }
        #expect(asked == 1)
    }

    @Test func aRootThatIsNotThereAtFirst() {
        var root = RootKeeper()
        #expect(root.judge(.absent("no")) { nil } == .lost("no"))
        #expect(root.judge(.absent("no")) { nil } == .none)
        #expect(root.judge(folder(8)) { disk } == .back)
        #expect(root.hasBeenLost)
    }

    @Test func anotherFolderInItsPlace() {
        var root = RootKeeper()
        #expect(root.judge(folder(1, 10)) { system } == .back)
        #expect(root.judge(folder(1, 11)) { system } == .replaced)
        #expect(root.judge(folder(1, 11)) { system } == .none)
        // A file system is mounted there: it is that one from now on.
        #expect(root.judge(folder(8)) { disk } == .replaced)
        #expect(root.judge(folder(1, 11)) { system } == .lost(RootKeeper.notMounted))
    }

    @Test func theTriggerOfAnAutomaticMount() {
        var root = RootKeeper()
        #expect(root.judge(folder(50)) { Mount(point: "/net/x", type: "nfs4") } == .back)
        #expect(root.judge(folder(40)) { Mount(point: "/net/x", type: "autofs") } == .lost(RootKeeper.notMounted))
        #expect(root.judge(folder(51)) { Mount(point: "/net/x", type: "nfs4") } == .back)
    }

    @Test func whereTheSystemDoesNotTellOfMounts() {
        var root = RootKeeper()
        #expect(root.judge(folder(8)) { nil } == .back)
        #expect(root.judge(folder(1)) { nil } == .replaced)
    }

    @Test func aMountIsFoundByItsNumber() {
        let table = """
            22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw
            95 22 0:50 / /mnt/a\\040b\\134 rw shared:7 master:2 - nfs4 server:/x rw,vers=4.2
            96 22 0:51 / /mnt/s rw - fuse.sshfs host:/ rw
            97 22 broken
            """
        let bytes = Array(table.utf8)
        #expect(Mount.find("22", in: bytes) == Mount(point: "/", type: "ext4"))
        #expect(Mount.find("95", in: bytes) == Mount(point: "/mnt/a b\\", type: "nfs4"))
        #expect(Mount.find("96", in: bytes)?.isRemote == true)
        #expect(Mount.find("95", in: bytes)?.isRemote == true)
        #expect(Mount.find("22", in: bytes)?.isRemote == false)
        #expect(Mount.find("97", in: bytes) == nil)
        #expect(Mount.find("9", in: bytes) == nil)
    }

    @Test func theMountsOfThisMachine() throws {
        #expect(Mount.holding("/proc") == Mount(point: "/proc", type: "proc"))
        #expect(Mount.holding("/no/such/folder") == nil)
        #expect(!LeaseKeeper.isNetworkFileSystem("/proc/no/such/folder"))
        #expect(!LeaseKeeper.isNetworkFileSystem("no such folder"))
    }
}

@Suite struct NoticeParsingTests {
    private func event(_ watch: Int32, _ mask: UInt32, _ name: [UInt8], padded length: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for value in [UInt32(bitPattern: watch), mask, 0, UInt32(length)] { bytes += withUnsafeBytes(of: value) { Array($0) } }
        return bytes + name + [UInt8](repeating: 0, count: length - name.count)
    }

    @Test func eventsOfOneRead() {
        let bytes = event(3, 8, [0x61, 0x0A, 0xFF], padded: 16) + event(-1, 0x4000, [], padded: 0) + event(4, 2, [0x62], padded: 16)
        let events = bytes.withUnsafeBytes { Inotify.parse($0) }
        #expect(events.map(\.watch) == [3, -1, 4])
        #expect(events.map { $0.name?.bytes } == [[0x61, 0x0A, 0xFF], nil, [0x62]])
        // Cut anywhere, it does no harm.
        for length in 0..<bytes.count {
            #expect(Array(bytes.prefix(length)).withUnsafeBytes { Inotify.parse($0) }.count <= 2)
        }
    }
}
