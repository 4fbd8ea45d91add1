internal import Synchronization

/// The one place where the threads of a relay agree on how many frames they can do.
final class FramePace: Sendable {
    private struct State: Sendable {
        var governor: FrameGovernor
        /// Nil where the network's size is fixed.
        var ladder: NetworkLadder?
        /// Seconds that a frame takes in either thread, smoothed.
        var translating = 0.0
        var finishing = 0.0
        /// True from the wish for another size until `noteResized`: what is measured meanwhile says nothing of that size.
        var isResizing = false
    }

    /// What has to be done, or said.
    struct Verdict: Sendable {
        var change: FrameGovernor.Change?
        var size: NetworkLadder.Size?
    }

    private let state: Mutex<State>

    init(rate: Double, ladder: NetworkLadder?) {
        state = Mutex(State(governor: FrameGovernor(rate: rate), ladder: ladder))
    }

    func admits(at time: Double) -> Bool { state.withLock { $0.governor.admits(at: time) } }
    func noteOvertaken() { state.withLock { $0.governor.noteOvertaken() } }

    func noteTranslated(seconds: Double) {
        state.withLock { state in
            state.translating = Self.smooth(state.translating, seconds)
            state.governor.noteService(max(state.translating, state.finishing))
        }
    }

    func noteFinished(seconds: Double) { state.withLock { $0.finishing = Self.smooth($0.finishing, seconds) } }

    func judge(now: Double) -> Verdict {
        state.withLock { state in
            var verdict = Verdict(change: state.governor.judge(now: now))
            if var ladder = state.ladder, !state.isResizing {
                verdict.size = ladder.judge(
                    isSlow: state.governor.isSlow, load: state.translating / state.governor.interval, now: now)
                state.ladder = ladder
                state.isResizing = verdict.size != nil
            }
            return verdict
        }
    }

    /// The network works at the size that was wished for: everything is measured anew, beginning at the full rate. Where that
    /// failed, the size stays as it is from now on.
    func noteResized(failed: Bool) {
        state.withLock { state in
            state.isResizing = false
            if failed { return state.ladder = nil }
            state.governor.restart()
            (state.translating, state.finishing) = (0, 0)
        }
    }

    private static func smooth(_ old: Double, _ new: Double) -> Double { old == 0 ? new : old + (new - old) * 0.2 }
}
