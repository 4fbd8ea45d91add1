import SystemPackage
import TestSupport
import Testing

@testable import Watch

@Suite struct SettleTrackerTests {
    private let key = FileKey(folder: "x", name: "a.mp4")
    private func facts(_ size: Int64, modified: Int64 = 1000, inode: UInt64 = 7) -> FileFacts {
        FileFacts(size: size, modified: modified, device: 1, inode: inode)
    }

    /// Looks at what is due, as if the disk held `facts`; the verdicts.
    private func look(
        _ tracker: inout SettleTracker, _ facts: FileFacts?, _ writers: Writers = .none, at now: Duration
    ) -> [SettleTracker.Verdict] {
        tracker.due(at: now, limit: 100).map { tracker.looked($0, facts, writers, at: now) }.filter { $0 != .nothing }
    }

    /// A tracker that has told the file as ready at second 2.
    private func told(_ size: Int64 = 10) -> SettleTracker {
        var tracker = SettleTracker(settle: .seconds(2))
        tracker.saw(key, facts(size), .closed, at: .zero)
        #expect(look(&tracker, facts(size), at: .seconds(2)) == [.ready(facts(size))])
        return tracker
    }

    @Test func aClosedFileIsReadyAfterTheTimeToSettle() {
        var tracker = SettleTracker(settle: .seconds(2))
        tracker.saw(key, facts(10), .closed, at: .seconds(5))
        #expect(tracker.nextDeadline == .seconds(7))
        #expect(tracker.settlingCount == 1)
        #expect(look(&tracker, facts(10), at: .milliseconds(6999)) == [])
        #expect(look(&tracker, facts(10), at: .seconds(7)) == [.ready(facts(10))])
        #expect(tracker.settlingCount == 0)
        #expect(tracker.count == 1)
        #expect(tracker.nextDeadline == nil)
    }

    @Test func aFileThatGrowsWaitsOn() {
        var tracker = SettleTracker(settle: .seconds(2))
        tracker.saw(key, facts(10), .listed, at: .zero)
        for second in 1...20 {
            #expect(look(&tracker, facts(Int64(10 + second)), at: .seconds(second * 2)) == [])
        }
        #expect(look(&tracker, facts(30), at: .milliseconds(41_999)) == [])
        #expect(look(&tracker, facts(30), at: .seconds(42)) == [.ready(facts(30))])
    }

    @Test func anEventBeginsTheTimeAnew() {
        var tracker = SettleTracker(settle: .seconds(2))
        tracker.saw(key, facts(10), .closed, at: .zero)
        tracker.saw(key, facts(10), .closed, at: .milliseconds(1500))
        #expect(look(&tracker, facts(10), at: .seconds(2)) == [])
        #expect(look(&tracker, facts(10), at: .milliseconds(3499)) == [])
        #expect(look(&tracker, facts(10), at: .milliseconds(3500)) == [.ready(facts(10))])
    }

    @Test func aListingThatSaysTheSameDoesNot() {
        var tracker = SettleTracker(settle: .seconds(2))
        tracker.saw(key, facts(10), .listed, at: .zero)
        tracker.saw(key, facts(10), .listed, at: .milliseconds(1900))
        #expect(look(&tracker, facts(10), at: .seconds(2)) == [.ready(facts(10))])
        tracker.saw(key, facts(10), .listed, at: .seconds(3))
        #expect(tracker.nextDeadline == nil)
    }

    @Test func whileSomebodyHasItOpenItWaits() {
        var tracker = SettleTracker(settle: .milliseconds(100))
        tracker.saw(key, facts(10), .created, at: .zero)
        var now: Duration = .milliseconds(100)
        while now < .seconds(300) {
            #expect(look(&tracker, facts(10), .some, at: now) == [])
            now = tracker.nextDeadline ?? .seconds(1000)
        }
        #expect(now < .seconds(302), "it is asked again about every second")
        #expect(look(&tracker, facts(10), .none, at: now) == [.ready(facts(10))])
    }

    @Test func aFileThatStaysOpenIsSpokenOfOnce() {
        var tracker = SettleTracker(settle: .seconds(2))
        tracker.saw(key, facts(10), .created, at: .zero)
        var said = 0
        while let now = tracker.nextDeadline, now < .seconds(2000) { said += look(&tracker, facts(10), .some, at: now).count }
        #expect(said == 1)
    }

    @Test func whereTheKernelIsSilentAFileThatWasNotClosedWaitsLonger() {
        var tracker = SettleTracker(settle: .seconds(2))
        tracker.saw(key, facts(10), .created, at: .zero)
        #expect(look(&tracker, facts(10), .unknown, at: .seconds(2)) == [])
        #expect(tracker.nextDeadline == tracker.patience)
        // Closed: the usual time.
        tracker.saw(key, facts(10), .closed, at: .seconds(10))
        #expect(tracker.nextDeadline == .seconds(12))
        #expect(look(&tracker, facts(10), .unknown, at: .seconds(12)) == [.ready(facts(10))])
        // The old deadline means nothing any more.
        #expect(look(&tracker, facts(10), .unknown, at: .seconds(31)) == [])
    }

    @Test(arguments: [SettleTracker.Evidence.listed, .created])
    func aFileThatNobodyWasSeenToCloseIsGivenTimeWhereTheKernelIsSilent(_ evidence: SettleTracker.Evidence) {
        var tracker = SettleTracker(settle: .seconds(2), patience: .seconds(300))
        tracker.saw(key, facts(10), evidence, at: .zero)
        #expect(look(&tracker, facts(10), .unknown, at: .seconds(2)) == [])
        #expect(look(&tracker, facts(10), .unknown, at: .milliseconds(299_999)) == [])
        #expect(look(&tracker, facts(10), .unknown, at: .seconds(300)) == [.ready(facts(10))])
        // A change begins the time anew, also after a close.
        tracker.saw(key, facts(20), .closed, at: .seconds(310))
        tracker.saw(key, facts(30), .listed, at: .seconds(311))
        #expect(look(&tracker, facts(30), .unknown, at: .seconds(313)) == [])
        #expect(look(&tracker, facts(30), .unknown, at: .seconds(611)) == [.ready(facts(30))])
    }

    @Test func anEmptyFileIsGivenTime() {
        var tracker = SettleTracker(settle: .seconds(2))
        tracker.saw(key, facts(0), .closed, at: .zero)
        #expect(look(&tracker, facts(0), at: .seconds(2)) == [])
        #expect(look(&tracker, facts(0), at: SettleTracker.emptyPatience) == [.ready(facts(0))])
    }

    @Test func aReadyFileIsToldOnceUnlessItChanges() {
        var tracker = told()
        tracker.saw(key, facts(10), .closed, at: .seconds(3))
        #expect(tracker.nextDeadline == nil, "opened for writing and closed without a change")
        for changed in [facts(11), facts(11, modified: 2000), facts(11, modified: 2000, inode: 8)] {
            let now: Duration = .seconds(100)
            tracker.saw(key, changed, .listed, at: now)
            #expect(look(&tracker, changed, at: now + .seconds(2)) == [.ready(changed)])
        }
    }

    @Test func aFileThatVanishes() {
        var tracker = told()
        tracker.gone(key, at: .seconds(10))
        #expect(tracker.count == 0)
        #expect(look(&tracker, nil, at: .seconds(11)) == [])
        #expect(look(&tracker, nil, at: .seconds(12)) == [.vanished])
        #expect(tracker.nextDeadline == nil)
        // It comes back.
        tracker.saw(key, facts(10), .closed, at: .seconds(20))
        #expect(look(&tracker, facts(10), at: .seconds(22)) == [.ready(facts(10))])
    }

    @Test func aFileThatWasNeverToldVanishesWithoutAWord() {
        var tracker = SettleTracker(settle: .seconds(2))
        tracker.saw(key, facts(10), .closed, at: .zero)
        tracker.gone(key, at: .seconds(1))
        #expect(look(&tracker, nil, at: .seconds(3)) == [])
        #expect(look(&tracker, nil, at: .seconds(5)) == [])
        #expect(tracker.count == 0)
        #expect(tracker.names(in: "x").isEmpty)
    }

    @Test func aFileThatIsReplacedByRemovingItFirst() {
        var tracker = told()
        tracker.gone(key, at: .seconds(10))
        tracker.saw(key, facts(20, inode: 9), .created, at: .milliseconds(10_100))
        #expect(look(&tracker, facts(20, inode: 9), at: .milliseconds(12_100)) == [.ready(facts(20, inode: 9))])
        #expect(look(&tracker, facts(20, inode: 9), at: .seconds(20)) == [])
    }

    @Test func aFileThatComesBackAsItWasIsNotToldAgain() {
        var tracker = told()
        tracker.gone(key, at: .seconds(10))
        #expect(look(&tracker, facts(10), at: .seconds(12)) == [])
        tracker.gone(key, at: .seconds(20))
        tracker.saw(key, facts(10), .closed, at: .seconds(21))
        #expect(look(&tracker, nil, at: .seconds(22)) == [], "an early look at nothing is no proof")
        #expect(look(&tracker, facts(10), at: .seconds(24)) == [])
        #expect(tracker.count == 1)
    }

    @Test func aFolderThatIsGone() {
        var tracker = SettleTracker(settle: .seconds(2))
        for name in ["1", "2", "3"] { tracker.saw(FileKey(folder: "x", name: .init(name)!), facts(1), .listed, at: .zero) }
        tracker.saw(FileKey(folder: "y", name: "1"), facts(1), .listed, at: .zero)
        #expect(look(&tracker, facts(1), at: .seconds(2)).count == 4)
        tracker.gone(folder: "x", at: .seconds(3))
        #expect(look(&tracker, nil, at: .seconds(5)) == [.vanished, .vanished, .vanished])
        #expect(tracker.count == 1)
    }

    @Test func forgettingIsSilent() {
        var tracker = told()
        tracker.saw(FileKey(folder: "y", name: "1"), facts(1), .listed, at: .seconds(3))
        tracker.forget { $0.folder == "y" }
        #expect(tracker.count == 1)
        tracker.forget(folder: "x")
        #expect(tracker.count == 0)
        #expect(tracker.settlingCount == 0)
        #expect(look(&tracker, nil, at: .seconds(100)) == [])
    }

    /// The file system's clock may say anything: times are only compared for being the same.
    @Test(arguments: [Int64.min, -1, 0, 4_000_000_000_000_000_000, .max])
    func anyTimeOfModification(_ modified: Int64) {
        var tracker = SettleTracker(settle: .seconds(2))
        tracker.saw(key, facts(10, modified: modified), .closed, at: .zero)
        #expect(look(&tracker, facts(10, modified: modified), at: .seconds(2)) == [.ready(facts(10, modified: modified))])
        // It goes backwards: that is a change, too.
        tracker.saw(key, facts(10, modified: 5), .listed, at: .seconds(3))
        #expect(look(&tracker, facts(10, modified: 5), at: .seconds(5)) == [.ready(facts(10, modified: 5))])
    }

    @Test func manyFilesComeInPortions() {
        var tracker = SettleTracker(settle: .seconds(2))
        for index in 0..<1000 { tracker.saw(FileKey(folder: "x", name: .init("\(index)")!), facts(1), .listed, at: .zero) }
        var ready = 0
        while case let keys = tracker.due(at: .seconds(2), limit: 64), !keys.isEmpty {
            #expect(keys.count <= 64)
            ready += keys.filter { tracker.looked($0, facts(1), .none, at: .seconds(2)) == .ready(facts(1)) }.count
        }
        #expect(ready == 1000)
    }

    /// Random histories of one file, against what must hold of every one of them.
    @Test(arguments: 0..<200) func randomHistories(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var tracker = SettleTracker(settle: .seconds(2))
        var disk: FileFacts?, changedAt: Duration = .zero, now: Duration = .zero, told: FileFacts?, isOpen = false
        for _ in 0..<400 {
            now += .milliseconds(Int.random(in: 1...900, using: &random))
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1:
                disk = facts(Int64.random(in: 1...3, using: &random), inode: .random(in: 1...2, using: &random))
                changedAt = now
                isOpen = Bool.random(using: &random)
                tracker.saw(key, disk!, isOpen ? .created : .closed, at: now)
            case 2 where disk != nil:
                disk = nil
                changedAt = now
                tracker.gone(key, at: now)
            case 3: isOpen = false
            default: break
            }
            for key in tracker.due(at: now, limit: 10) {
                switch tracker.looked(key, disk, isOpen ? .some : .none, at: now) {
                case .ready(let facts):
                    #expect(facts == disk && facts != told && !isOpen && now - changedAt >= .seconds(2))
                    told = facts
                case .vanished:
                    #expect(disk == nil && told != nil && now - changedAt >= .seconds(2))
                    told = nil
                case .nothing, .staysOpen: break
                }
            }
        }
        // Left in peace, it comes to what is there.
        for _ in 0..<20 {
            now += .seconds(2)
            for key in tracker.due(at: now, limit: 10) {
                switch tracker.looked(key, disk, .none, at: now) {
                case .ready(let facts): told = facts
                case .vanished: told = nil
                case .nothing, .staysOpen: break
                }
            }
        }
        #expect(told == disk)
        #expect(tracker.settlingCount == 0)
        #expect(tracker.count == (disk == nil ? 0 : 1))
    }
}

@Suite struct DeadlineHeapTests {
    @Test func theEarliestComesFirst() {
        var random = SeededRandom(seed: 1)
        var heap = DeadlineHeap<Int>()
        let deadlines = (0..<500).map { _ in Int.random(in: 0..<300, using: &random) }
        for (index, deadline) in deadlines.enumerated() { heap.push(.seconds(deadline), index) }
        var popped: [Int] = []
        while let (deadline, index) = heap.pop(upTo: .seconds(250)) {
            #expect(deadline == .seconds(deadlines[index]))
            popped.append(deadlines[index])
        }
        #expect(popped == deadlines.filter { $0 <= 250 }.sorted())
        #expect(heap.first == deadlines.filter { $0 > 250 }.min().map { .seconds($0) })
    }
}
