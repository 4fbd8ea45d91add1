/// Finds the frames whose packets a damaged container has lost: holes in an otherwise regular sequence of pts.
///
/// Pure bookkeeping, fed in the order of presentation. A hole counts only near a place where the demuxer met damage, and
/// only where the frames before it came at a steady rate: a video of variable frame rate has holes by right.
struct LossGaps {
    /// Packets between a hole and the damage that explains it, for codecs that reorder.
    private static let reach: Int64 = 32
    /// Frames that must have come steadily.
    private static let history = 8
    /// Frames that one hole may have: a larger one is a damaged timestamp rather than lost packets.
    private static let mostFrames: Int64 = 600

    /// The least step that frames of this video can have, in ticks: half of what its nominal rate says. Pts that were moved
    /// to lie behind the last one come closer, and say nothing about the rate.
    private let leastStep: Double
    private var suspects: [Int64] = []
    private var steps: [Int64] = []
    private var last: (pts: Int64, token: Int64)?

    /// - Parameter nominalStep: ticks between frames at the nominal rate; nil where unknown.
    init(nominalStep: Double? = nil) { leastStep = (nominalStep ?? 0) / 2 }

    /// The demuxer met damage just before the packet `token`.
    mutating func suspect(_ token: Int64) {
        suspects.append(token)
        if suspects.count > 64 { suspects.removeFirst() }
    }

    /// The step between frames; nil unless they come steadily.
    var step: Int64? {
        guard steps.count >= Self.history, let middle = Optional(steps.sorted()[steps.count / 2]), Double(middle) > leastStep, middle > 0
        else { return nil }
        // Rounding to the ticks of a coarse time base moves a pts by one either way.
        let tolerance = max(1, middle / 10)
        return steps.allSatisfy { abs($0 - middle) <= tolerance } ? middle : nil
    }

    /// The pts of the frames that are missing before the one at `pts`, which is the next that was put out.
    mutating func missing(before pts: Int64, token: Int64?) -> [Int64] {
        defer {
            last = (pts, token ?? last?.token ?? 0)
            if steps.count > Self.history { steps.removeFirst() }
        }
        guard let last else { return [] }
        let gap = pts.subtractingClamped(last.pts)
        if let step, gap > step + step / 2, isSuspected(last.token, token ?? last.token) {
            let count = gap.addingClamped(step / 2) / step
            guard count <= Self.mostFrames else { return [] }
            // Spread over the hole, so that rounding does not add up.
            return (1..<max(1, count)).map { last.pts.addingClamped(Int64(nearest: Double(gap) * Double($0) / Double(count))) }
        }
        steps.append(gap)
        return []
    }

    /// Frames missing between the last one put out and `end`, where the container says that the video ends.
    func missing(until end: Int64) -> Int {
        guard let last, let step else { return 0 }
        return Int(max(0, min((end.subtractingClamped(last.pts) - step / 2) / step, Int64(Int32.max))))
    }

    private func isSuspected(_ a: Int64, _ b: Int64) -> Bool {
        suspects.contains { (min(a, b) - Self.reach...max(a, b) + Self.reach).contains($0) }
    }
}
