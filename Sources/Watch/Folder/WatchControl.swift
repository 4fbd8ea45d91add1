internal import Base
internal import Foundation
internal import Glibc
internal import Synchronization

/// What a watcher's thread is told by others, and what they see of it.
final class WatchControl: Sendable {
    /// What the thread is to do next.
    struct Orders {
        var isStopped = false
        var wantsScan = false
        var rules: WatchRules?
    }

    private struct State {
        var orders: Orders
        var hasBegun = false
        var hasEnded = false
        var settling = 0
        var isRootThere = false
        var thread: pthread_t?
    }

    private let state: Mutex<State>
    private let ended = MonotonicFlag()
    let alarm = Alarm()

    init(rules: WatchRules) { state = Mutex(State(orders: Orders(rules: rules))) }

    /// False where it was begun before.
    func begin() -> Bool {
        state.withLock { state in
            defer { state.hasBegun = true }
            return !state.hasBegun
        }
    }

    func rescan() { give { $0.wantsScan = true } }
    func update(_ rules: WatchRules) { give { $0.rules = rules } }
    func stop() { give { $0.isStopped = true } }

    private func give(_ order: (inout Orders) -> Void) {
        state.withLock { order(&$0.orders) }
        alarm.ring()
    }

    /// The orders since the last call.
    func take() -> Orders {
        alarm.silence()
        return state.withLock { state in
            defer { state.orders = Orders(isStopped: state.orders.isStopped) }
            return state.orders
        }
    }

    var isStopped: Bool { state.withLock { $0.orders.isStopped } }
    var settlingCount: Int { state.withLock { $0.settling } }
    var isRootThere: Bool { state.withLock { $0.isRootThere } }
    func note(settling: Int, isRootThere: Bool) {
        state.withLock { ($0.settling, $0.isRootThere) = (settling, isRootThere) }
    }

    func noteThread() { state.withLock { $0.thread = pthread_self() } }

    func noteEnd() {
        state.withLock { $0.hasEnded = true }
        ended.raise()
    }

    /// Waits for the thread's end, unless it is the thread itself that asks.
    func waitForEnd(upTo seconds: Double) {
        let waits = state.withLock { state in
            state.hasBegun && !state.hasEnded && state.thread.map { pthread_equal($0, pthread_self()) == 0 } ?? true
        }
        guard waits else { return }
        _ = ended.wait(seconds: seconds)
    }
}
