/// Brings the times of a copied stream's packets into a form that a muxer takes, changing as little as possible.
///
/// Muxers need a decoding time, which never runs backwards, and no presentation before decoding. Sources that break
/// these rules (cut streams, AVI, broken recorders) have the times nearest to theirs that keep them.
struct PacketClock {
    /// True where equal decoding times may follow each other (`AVFMT_TS_NONSTRICT`).
    let allowsEqualTimes: Bool
    private var lastDTS: Int64?
    private var expected: Int64 = 0
    private var lastStep: Int64 = 0
    /// Packets whose times had to be moved by more than `tolerance` ticks.
    private(set) var lateCount = 0
    var tolerance: Int64 = 0

    init(allowsEqualTimes: Bool) { self.allowsEqualTimes = allowsEqualTimes }

    /// All in ticks of the output's time base.
    mutating func fit(pts: Int64?, dts: Int64?, duration: Int64) -> (pts: Int64, dts: Int64, duration: Int64) {
        // Without any time the packet follows its predecessor.
        var decoding = dts ?? pts ?? expected
        var presentation = pts ?? decoding
        if decoding > presentation { decoding = presentation }
        if let lastDTS {
            let earliest = allowsEqualTimes ? lastDTS : lastDTS &+ 1
            if decoding < earliest {
                // A reordered packet without a decoding time of its own only lends it one.
                if dts != nil, earliest &- decoding > tolerance { lateCount += 1 }
                decoding = earliest
            }
            lastStep = max(0, decoding &- lastDTS)
        }
        if presentation < decoding { presentation = decoding }
        lastDTS = decoding
        let length = duration > 0 ? duration : lastStep
        expected = decoding &+ length
        return (presentation, decoding, length)
    }
}
