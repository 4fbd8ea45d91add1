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
            let leases: [Lease]? = state.withLock { state in
                state.leases = state.leases.filter { $0.value.lease != nil }
                guard !state.leases.isEmpty, !state.isClosed else {
                    state.hasThread = false
                    return nil
                }
                return state.leases.values.compactMap(\.lease)
            }
            guard let leases else { return }
            for lease in leases { lease.renew() }
        }
    }

    private func wait(until moment: ContinuousClock.Instant) {
        let left = max(.zero, moment - ContinuousClock.now).components
        var source = pollfd(fd: alarm.descriptor, events: Int16(POLLIN), revents: 0)
        poll(&source, 1, Int32(left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000 + 1))
    }
}
