internal import Synchronization

/// Answers by the class of their status, for the metrics.
final class RequestCounters: Sendable {
    private let counts = Mutex<[Int: Int]>([:])

    func count(_ status: Int) { counts.withLock { $0[status / 100, default: 0] += 1 } }

    /// By `2xx`, `4xx` and so on.
    var byClass: [(name: String, count: Int)] {
        counts.withLock { counts in (2...5).map { ("\($0)xx", counts[$0] ?? 0) } }
    }
}

/// At most so many of something at once.
final class Slots: Sendable {
    /// One of them; free again when nobody holds it any more.
    final class Slot: Sendable {
        private let slots: Slots

        fileprivate init(_ slots: Slots) { self.slots = slots }
        deinit { slots.taken.withLock { $0 -= 1 } }
    }

    private let limit: Int
    private let taken = Mutex(0)

    init(_ limit: Int) { self.limit = limit }

    var inUse: Int { taken.withLock { $0 } }

    /// Nil where all are taken.
    func take() -> Slot? {
        let isFree = taken.withLock { taken in
            guard taken < limit else { return false }
            taken += 1
            return true
        }
        return isFree ? Slot(self) : nil
    }
}
