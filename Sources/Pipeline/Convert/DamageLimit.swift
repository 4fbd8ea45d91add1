internal import Foundation
internal import MediaIO

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
        guard !salvage, damage.damaged > 0 else { return }
        let total = isFinal ? damage.frames + damage.missing : max(expectedFrames ?? .max, damage.frames)
        guard Double(damage.damaged) > share * Double(total) else { return }
        throw MediaError(
            .damaged, "\(damage.summary), more than the limit of \(String(format: "%g", share * 100)) %",
            remedy: "--salvage keeps what there is, --max-errors sets the limit")
    }
}

extension DamageReport {
    /// Frames that are not what the camera saw.
    var damaged: Int { replaced + concealed + missing }

    /// What is damaged, in words, as in `3 of 250 frames are damaged (2 replaced, 1 concealed)`.
    public var summary: String {
        let kinds = [(replaced, "replaced by the one before"), (concealed, "concealed"), (missing, "missing at the end")]
        let parts = kinds.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        let counts = "\(damaged) of \(frames + missing) frames are damaged"
        return parts.isEmpty ? counts : "\(counts) (\(parts.joined(separator: ", ")))"
    }
}
