internal import Foundation
public import MediaIO
internal import Synchronization

/// Decides when a damaged source fails the run.
struct DamageLimit: Sendable {
    /// The share of frames that may be damaged, 0...1.
    let share: Double
    /// Never fails.
    let salvage: Bool
    /// Frames the source should have, where its container says so.
    let expectedFrames: Int?

    /// Throws `MediaError` `.damaged` once no good continuation could bring the damage back below the limit.
    func check(_ damage: DamageReport, isFinal: Bool) throws(MediaError) {
        guard !salvage, damage.isDamaged else { return }
        let total = isFinal ? damage.frames + damage.missing : max(expectedFrames ?? .max, damage.frames)
        guard Double(damage.damaged) > share * Double(total) else { return }
        throw MediaError(
            .damaged, "\(damage.summary), more than the limit of \(String(format: "%g", share * 100)) %",
            remedy: "--salvage keeps what there is, --max-errors sets the limit")
    }
}

/// Which frames of the output are not what the camera saw. Written by the decoder's stage, read by anybody.
final class DamageLog: Sendable {
    private struct State {
        var report = DamageReport()
        var ranges: [ClosedRange<Int>] = []
    }

    private let state: Mutex<State>

    /// - Parameter framesBefore: frames that are intact and counted already.
    init(framesBefore: Int = 0) {
        var report = DamageReport()
        report.frames = framesBefore
        state = Mutex(State(report: report))
    }

    var report: DamageReport { state.withLock { $0.report } }

    /// Indices of the damaged frames, as ranges, so that one long gap takes no more room than a short one.
    var ranges: [ClosedRange<Int>] { state.withLock { $0.ranges } }

    func note(_ frame: DecodedFrame) {
        state.withLock { state in
            state.report.frames += 1
            switch frame.condition {
            case .intact: return
            case .concealed: state.report.concealed += 1
            case .replaced: state.report.replaced += 1
            }
            if let last = state.ranges.last, last.upperBound + 1 == frame.index {
                state.ranges[state.ranges.count - 1] = last.lowerBound...frame.index
            } else {
                state.ranges.append(frame.index...frame.index)
            }
        }
    }

    /// Frames that the container lists and the file does not have.
    func note(missing: Int) { state.withLock { $0.report.missing = missing } }
}

extension DamageReport {
    /// What is damaged, in words, as in `3 of 250 frames are damaged (2 replaced by the one before, 1 concealed)`.
    public var summary: String {
        let kinds = [(replaced, "replaced by the one before"), (concealed, "concealed"), (missing, "missing")]
        let parts = kinds.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        let counts = "\(damaged) of \(frames + missing) frames are damaged"
        return parts.isEmpty ? counts : "\(counts) (\(parts.joined(separator: ", ")))"
    }
}
