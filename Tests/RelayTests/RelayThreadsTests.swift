import Foundation
import Synchronization
import Testing

@testable import Relay

@Suite struct RelayThreadsTests {
    @Test func waitsForAllThreads() async {
        let threads = RelayThreads()
        let ended = Mutex(0)
        for _ in 0..<5 {
            threads.start("worker") {
                Thread.sleep(forTimeInterval: 0.05)
                ended.withLock { $0 += 1 }
            }
        }
        #expect(await threads.wait().isEmpty)
        #expect(ended.withLock { $0 } == 5)
        #expect(await threads.wait().isEmpty)
    }

    /// Such as the resolver of host names where no name server answers: the program must end all the same.
    @Test func aThreadThatHangsIsNotWaitedForEver() async {
        let threads = RelayThreads()
        let gate = DispatchSemaphore(value: 0)
        threads.start("source") { gate.wait() }
        threads.start("status") {}
        DispatchQueue.global().asyncAfter(deadline: .now() + 0.2) { threads.giveUp() }
        #expect(await threads.wait().contains("source"))
        gate.signal()
    }
}
