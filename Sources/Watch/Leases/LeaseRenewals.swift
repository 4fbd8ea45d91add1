internal import Foundation
internal import Glibc
internal import Synchronization

/// The thread that renews leases, alive as long as there are some.
final class LeaseRenewals: Sendable {
    /// Leases are not kept alive by being renewed.
    private struct Entry {
        weak var lease: Lease?
    }

    private struct State {
        var leases: [ObjectIdentifier: Entry] = [:]
        var hasThread = false
        var isClosed = false
    }

    private let interval: Duration
    private let state = Mutex(State())
    private let alarm = Alarm()

    init(interval: Duration) { self.interval = interval }

    func add(_ lease: Lease) {
        let (isClosed, needsThread) = state.withLock { state in
            guard !state.isClosed else { return (true, false) }
            state.leases[ObjectIdentifier(lease)] = Entry(lease: lease)
            defer { state.hasThread = true }
            return (false, !state.hasThread)
        }
        if isClosed { return lease.release() }
        guard needsThread else { return }
        let thread = Thread { [self] in run() }
        thread.name = "leases"
        thread.start()
    }

    func remove(_ lease: Lease) { state.withLock { $0.leases[ObjectIdentifier(lease)] = nil } }

    func close() {
        let leases = state.withLock { state in
            state.isClosed = true
            return state.leases.values.compactMap(\.lease)
        }
        alarm.ring()
        for lease in leases { lease.release() }
    }

    private func run() {
        var next = ContinuousClock.now + interval
        while true {
            wait(until: next)
            next = ContinuousClock.now + interval
            guard let leases = due() else { return }
            for lease in leases { lease.renew() }
        }
    }

    /// Leases to be renewed; nil where the thread is to end.
    ///
    /// All references that are taken under the lock are kept until it is free again: the last one of a lease releases it, for
    /// which it takes the lock itself.
    private func due() -> [Lease]? {
        let (leases, goesOn) = state.withLock { state in
            let leases = state.leases.values.compactMap(\.lease)
            // A lease that is just being released has no reference any more, and takes itself out.
            let goesOn = !state.leases.isEmpty && !state.isClosed
            if !goesOn { state.hasThread = false }
            return (leases, goesOn)
        }
        return goesOn ? leases : nil
    }

    private func wait(until moment: ContinuousClock.Instant) {
        let left = max(.zero, moment - ContinuousClock.now).components
        var source = pollfd(fd: alarm.descriptor, events: Int16(POLLIN), revents: 0)
        poll(&source, 1, Int32(left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000 + 1))
    }
}
