import CKernels
import NeuralEngine
import Glibc
import Synchronization
import Testing

@Suite struct PoolTests {
    @Test(arguments: [1, 2, 3, 4, 7])
    func everyItemRunsOnce(threads: Int) {
        let pool = ThreadPool(threads: threads)
        #expect(pool.threads == threads)
        for count in [0, 1, 2, 5, 64, 1000] {
            let runs = Mutex([Int](repeating: 0, count: count))
            pool.run(count) { index in runs.withLock { $0[index] += 1 } }
            #expect(runs.withLock { $0 } == [Int](repeating: 1, count: count))
        }
    }

    @Test func shortPassesInARowAllRun() {
        let pool = ThreadPool(threads: 4)
        let sum = Atomic(0)
        for _ in 0..<20_000 { pool.run(3) { sum.add($0 + 1, ordering: .relaxed) } }
        #expect(sum.load(ordering: .relaxed) == 120_000)
    }

    @Test func passesOfSeveralCallersAndInsideItemsRun() async {
        final class Counter: Sendable { let value = Atomic(0) }
        let pool = ThreadPool(threads: 3)
        let counter = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<200 {
                        pool.run(5) { _ in pool.run(2) { _ in counter.value.add(1, ordering: .relaxed) } }
                    }
                }
            }
        }
        #expect(counter.value.load(ordering: .relaxed) == 4 * 200 * 5 * 2)
    }
}

extension PoolTests {
    /// Which numbers are in use; two threads at one number would share its scratch memory.
    private final class Numbers: Sendable {
        private let taken = Mutex<Set<Int32>>([])
        private let waiting = Atomic(0)
        private let faults = Atomic(0)
        var faultCount: Int { faults.load(ordering: .relaxed) }

        /// Holds this thread's number while `body` runs.
        func hold(_ body: () -> Void) {
            let number = ck_pool_thread_index()
            if !taken.withLock({ $0.insert(number).inserted }) { faults.add(1, ordering: .relaxed) }
            body()
            if ck_pool_thread_index() != number { faults.add(1, ordering: .relaxed) }
            _ = taken.withLock { $0.remove(number) }
        }

        /// Waits for `count` threads in all, so that each has one item.
        func gather(_ count: Int) {
            waiting.add(1, ordering: .sequentiallyConsistent)
            while waiting.load(ordering: .sequentiallyConsistent) < count { sched_yield() }
        }
    }

    @Test func passesInsideItemsKeepTheNumbersOfTheirThreads() {
        let pool = ThreadPool(threads: 3), numbers = Numbers(), threads = pool.threads
        pool.run(threads) { _ in
            numbers.gather(threads)
            // All of them are inside an item now.
            for count in [1, 5] { pool.run(count) { _ in numbers.hold { sched_yield() } } }
            numbers.hold { pool.run(2) { _ in sched_yield() } }
        }
        #expect(numbers.faultCount == 0)
    }

    @Test func passesOfAnotherPoolInsideItemsKeepTheNumbersApart() {
        let outer = ThreadPool(threads: 3), inner = ThreadPool(threads: 2), numbers = Numbers(), threads = outer.threads
        let outside = Numbers()
        outer.run(threads) { _ in
            outside.gather(threads)
            outside.hold {
                for count in [1, 4] { inner.run(count) { _ in numbers.hold { sched_yield() } } }
            }
        }
        #expect(numbers.faultCount == 0 && outside.faultCount == 0)
    }
}

@Suite struct MemoryTests {
    /// The system would grant it and kill the program when it is used.
    @Test func moreThanTheMachineHasIsRefused() throws {
        let error = #expect(throws: NeuralError.self) { try FeatureMap(channels: 1 << 12, width: 1 << 15, height: 1 << 15) }
        #expect(error?.code == .outOfMemory)
        _ = try FeatureMap(channels: 16, width: 64, height: 64)
    }
}
