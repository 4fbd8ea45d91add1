/// Decoding times for packets whose runs were encoded one by one: as one encoder would have given them for the whole.
struct DecodingTimes {
    /// In decoding order, strictly increasing where the presentation times differ, none behind its presentation time.
    let decoding: [Int64]

    /// The n-th packet is decoded at the n-th presentation time, all of them earlier by as many frames as the runs reorder at
    /// most.
    init(presentation: [Int64]) {
        let sorted = presentation.sorted()
        let delay = Self.delay(presentation, sorted)
        let step = sorted.count > 1 ? max(1, sorted[1].subtractingClamped(sorted[0])) : 1
        decoding = presentation.indices.map { index in
            index >= delay ? sorted[index - delay] : sorted[0].subtractingClamped(Int64(delay - index) &* step)
        }
    }

    /// The least number of frames by which decoding must come earlier, so that no packet is shown before it is decoded.
    private static func delay(_ presentation: [Int64], _ sorted: [Int64]) -> Int {
        var delay = 0
        for (index, pts) in presentation.enumerated() {
            // Packets are few places from where they are shown, so this looks at a few only.
            while index >= delay, sorted[index - delay] > pts { delay += 1 }
        }
        return delay
    }
}
