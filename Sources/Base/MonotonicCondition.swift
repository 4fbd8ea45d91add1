internal import Glibc

/// A moment of the clock that nobody sets (CLOCK_MONOTONIC, clock_gettime(2)).
public struct MonotonicDeadline: Sendable {
    fileprivate let time: timespec

    /// So many seconds from now; a year at most.
    public init(after seconds: Double) {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let span = min(max(0, seconds.isNaN ? 0 : seconds), 366 * 86400)
        let nanoseconds = now.tv_nsec + Int((span - span.rounded(.down)) * 1e9)
        time = timespec(tv_sec: now.tv_sec + Int(span) + nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
    }
}

/// A lock with a condition to wait for. Its waits end after the time that was meant, wherever the wall clock is set meanwhile:
/// those of Foundation's NSCondition, and of Dispatch's semaphores, last an hour longer when it is put back by one.
public final class MonotonicCondition: @unchecked Sendable {
    // Safe to share: both are made for several threads, and their memory is neither moved nor copied.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    public init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    public func lock() { pthread_mutex_lock(mutex) }
    public func unlock() { pthread_mutex_unlock(mutex) }
    public func signal() { pthread_cond_signal(condition) }
    public func broadcast() { pthread_cond_broadcast(condition) }

    /// Waits for a signal, with the lock held before and afterwards. It may come without one.
    public func wait() { pthread_cond_wait(condition, mutex) }

    /// The same until `deadline`; false once that has passed.
    public func wait(until deadline: MonotonicDeadline) -> Bool {
        var time = deadline.time
        return pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT
    }
}

/// Something that happens once, and that threads wait for.
public final class MonotonicFlag: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `condition`.
    private let condition = MonotonicCondition()
    private var isUp = false

    public init() {}

    public func raise() {
        condition.lock()
        defer { condition.unlock() }
        isUp = true
        condition.broadcast()
    }

    /// Waits until it is raised, or for `seconds`; false in the latter case.
    public func wait(seconds: Double) -> Bool {
        let deadline = MonotonicDeadline(after: seconds)
        condition.lock()
        defer { condition.unlock() }
        while !isUp, condition.wait(until: deadline) {}
        return isUp
    }
}
