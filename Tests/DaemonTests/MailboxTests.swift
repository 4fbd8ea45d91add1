import Foundation
import Synchronization
import Testing

@testable import Daemon

@Suite struct MailboxTests {
    @Test func messagesComeInOrderAndAllAtOnce() {
        let box = Mailbox<Int>(capacity: 8)
        for number in 0..<5 { box.post(number) }
        #expect(box.take(waiting: 10) == [0, 1, 2, 3, 4])
        #expect(box.take(waiting: 0.01).isEmpty)
        box.post(5)
        #expect(box.take(waiting: 10) == [5])
    }

    @Test func whoeverPostsToAFullBoxWaitsUntilItIsEmptied() {
        let box = Mailbox<Int>(capacity: 2)
        let posted = Mutex(0), done = DispatchSemaphore(value: 0)
        let thread = Thread {
            for number in 0..<6 {
                box.post(number)
                posted.withLock { $0 += 1 }
            }
            done.signal()
        }
        thread.start()
        var received: [Int] = []
        while received.count < 6 {
            received += box.take(waiting: 10)
            // Never more under way than there is room for, and the one that waits.
            #expect(posted.withLock { $0 } <= received.count + 3)
        }
        #expect(done.wait(timeout: .now() + 10) == .success)
        #expect(received == Array(0..<6))
    }

    @Test func closingEndsEveryWait() {
        let box = Mailbox<Int>(capacity: 1)
        box.post(0)
        let ended = DispatchSemaphore(value: 0)
        for _ in 0..<3 {
            Thread {
                box.post(1)
                ended.signal()
            }.start()
        }
        box.close()
        for _ in 0..<3 { #expect(ended.wait(timeout: .now() + 10) == .success) }
        #expect(!box.take(waiting: 0).contains(1))
    }
}
