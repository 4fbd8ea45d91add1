internal import CFFmpeg
import Synchronization

/// The wish to stop, seen by every blocking read and write of libav that was given this object (`AVIOInterruptCB`).
///
/// Triggered once, it stays so. Safe to trigger from any thread, and from a signal handler.
public final class Interrupt: Sendable {
    private let triggered = Atomic<Bool>(false)

    public init() {}

    public func trigger() { triggered.store(true, ordering: .relaxed) }

    public var isTriggered: Bool { triggered.load(ordering: .relaxed) }

    /// Throws `.cancelled` once triggered; for loops that do not pass through libav's I/O.
    public func check() throws(MediaError) {
        if isTriggered { throw MediaError(.cancelled, "cancelled") }
    }

    /// What libav polls. It does not keep this object alive: whoever holds the libav context must also hold it.
    var callback: AVIOInterruptCB {
        AVIOInterruptCB(
            callback: { opaque in
                guard let opaque else { return 0 }
                return Unmanaged<Interrupt>.fromOpaque(opaque).takeUnretainedValue().isTriggered ? 1 : 0
            },
            opaque: Unmanaged.passUnretained(self).toOpaque())
    }
}
