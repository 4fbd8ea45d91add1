internal import CFFmpeg
import Glibc
import Synchronization

/// The wish to stop, seen by every blocking read and write of libav that was given this object (`AVIOInterruptCB`), and
/// the time until which such a call may wait.
///
/// Triggered once, it stays so; an expiry ends when it is set anew. Safe to use from any thread, and to trigger from a
/// signal handler.
public final class Interrupt: Sendable {
    private let triggered = Atomic<Bool>(false)
    /// Nanoseconds of the monotonic clock; `never` where nothing expires.
    private let deadline = Atomic<Int64>(Interrupt.never)
    private static let never = Int64.max
    /// Until when calls may go on all the same, on the same clock.
    private let grace = Atomic<Int64>(0)

    public init() {}

    public func trigger() { triggered.store(true, ordering: .relaxed) }

    public var isTriggered: Bool { triggered.load(ordering: .relaxed) }

    /// Lets blocking calls wait until `duration` from now and no longer; nil: for ever. Takes the place of what was set
    /// before, so that whoever expects a sign of life within some time says so again after each.
    public func expire(after duration: Duration?) {
        deadline.store(duration.map(Self.moment(after:)) ?? Self.never, ordering: .relaxed)
    }

    /// Lets calls of libav go on for `duration` though this is triggered or expired: for a word of farewell, without which the
    /// other side goes on sending.
    func grant(_ duration: Duration) { grace.store(Self.moment(after: duration), ordering: .relaxed) }

    private static func moment(after duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let length = overflow ? (seconds < 0 ? Int64.min : Int64.max) : whole.addingClamped(attoseconds / 1_000_000_000)
        return now.addingClamped(length)
    }

    /// True from the moment set by `expire(after:)` on.
    public var isExpired: Bool {
        let deadline = deadline.load(ordering: .relaxed)
        return deadline != Self.never && Self.now >= deadline
    }

    /// Throws `.cancelled` once triggered, and `.stalled` once expired; for loops that do not pass through libav's I/O.
    public func check() throws(MediaError) {
        if isTriggered { throw MediaError(.cancelled, "cancelled") }
        if isExpired { throw MediaError(.stalled, "nothing came in time") }
    }

    /// What libav polls. It does not keep this object alive: whoever holds the libav context must also hold it.
    var callback: AVIOInterruptCB {
        AVIOInterruptCB(
            callback: { opaque in
                guard let opaque else { return 0 }
                let interrupt = Unmanaged<Interrupt>.fromOpaque(opaque).takeUnretainedValue()
                guard interrupt.isTriggered || interrupt.isExpired else { return 0 }
                return Interrupt.now < interrupt.grace.load(ordering: .relaxed) ? 0 : 1
            },
            opaque: Unmanaged.passUnretained(self).toOpaque())
    }

    private static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
