import NeuralEngine
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

@Suite struct MemoryTests {
    /// The system would grant it and kill the program when it is used.
    @Test func moreThanTheMachineHasIsRefused() throws {
        let error = #expect(throws: NeuralError.self) { try FeatureMap(channels: 1 << 12, width: 1 << 15, height: 1 << 15) }
        #expect(error?.code == .outOfMemory)
        _ = try FeatureMap(channels: 16, width: 64, height: 64)
    }
}
