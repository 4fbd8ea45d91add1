import Foundation
import Synchronization

/// Looks how a thread waits: by the wall clock, which may be set, or by one that only goes forward.
public enum TimedWait {
    public enum Clock: Sendable { case wall, monotonic }

    /// True where the kernel says in which system call a thread is (proc_pid_syscall(5)).
    public static let canBeSeen = FileManager.default.contents(atPath: "/proc/thread-self/syscall") != nil

    /// The clock by which `body` waits, which is run on a thread of its own and must wait for longer than it takes to look.
    /// Only waits with a time-out count. Nil where it ended without such a wait.
    public static func clock(of body: @escaping @Sendable () -> Void) -> Clock? {
        let place = Mutex<String?>(nil), hasEnded = Mutex(false)
        let thread = Thread {
            let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
            place.withLock { $0 = path.map { "/proc/\($0)/syscall" } }
            body()
            hasEnded.withLock { $0 = true }
        }
        thread.start()
        // The same wait in so many looks in a row: on its way there a thread may wait for others, by another clock, for a moment.
        var (last, looks) = (Data(), 0)
        while !hasEnded.withLock({ $0 }) {
            if let path = place.withLock({ $0 }), let line = FileManager.default.contents(atPath: path) {
                looks = line == last ? looks + 1 : 0
                last = line
                if looks >= 200, let clock = clock(in: line) { return clock }
            }
            usleep(1000)
        }
        return nil
    }

    /// A line of the number of the call, its six arguments, and two registers. futex(2): word, operation, value, time-out.
    private static func clock(in line: Data?) -> Clock? {
        let words = String(decoding: line ?? Data(), as: UTF8.self).split(separator: " ")
        #if arch(x86_64)
            let futex = "202"
        #else
            let futex = "98"
        #endif
        guard words.count > 6, words[0] == futex, words[4] != "0x0", let operation = Int(words[2].dropFirst(2), radix: 16) else { return nil }
        // FUTEX_WAIT_BITSET takes a moment, by the wall clock where FUTEX_CLOCK_REALTIME is set; FUTEX_WAIT takes a span.
        switch operation & 0x7F {
        case 9: return operation & 256 != 0 ? .wall : .monotonic
        case 0: return .monotonic
        default: return nil
        }
    }
}
