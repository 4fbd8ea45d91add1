/// The first packets of a video stream whose container gives them no decoding times (H.264 in Matroska): held back until the first
/// one that has, from which theirs are counted backwards.
struct LeadingPackets {
    private var held: [(packet: Packet, offset: Int64)] = []
    private var isOver = false
    /// More than any codec reorders.
    private static let most = 32

    /// Takes a packet of the stream; those that can be written now, in order. The packets themselves are left as they are.
    mutating func take(_ packet: Packet, offset: Int64) throws(MediaError) -> [(packet: Packet, offset: Int64)] {
        guard !isOver else { return [(packet, offset)] }
        if packet.dts == nil, held.count < Self.most {
            held.append((packet, offset))
            return []
        }
        return try finish(before: packet.dts) + [(packet, offset)]
    }

    /// Those that are still held back.
    mutating func finish(before known: Int64? = nil) throws(MediaError) -> [(packet: Packet, offset: Int64)] {
        isOver = true
        defer { held = [] }
        let times = Self.decodingTimes(
            held.map(\.packet.pts), step: held.map(\.packet.duration).first { $0 > 0 }, before: known)
        var written: [(packet: Packet, offset: Int64)] = []
        for (entry, dts) in zip(held, times) {
            let copy = try entry.packet.reference()
            copy.raw.pointee.dts = dts.avTimestamp
            written.append((copy, entry.offset))
        }
        return written
    }

    /// Decoding times of packets with these presentation times, in decoding order; nil where nothing is known to count from.
    ///
    /// - Parameters:
    ///   - step: ticks from one packet to the next; nil to take the presentation times' own.
    ///   - known: the decoding time of the packet behind them.
    static func decodingTimes(_ presentation: [Int64?], step: Int64?, before known: Int64?) -> [Int64?] {
        let times = presentation.compactMap(\.self).sorted()
        guard let known else {
            return times.count == presentation.count ? DecodingTimes(presentation: presentation.compactMap(\.self)).decoding : presentation.map { _ in nil }
        }
        let steps = zip(times, times.dropFirst()).map { $1.subtractingClamped($0) }.filter { $0 > 0 }
        let step = step ?? steps.min() ?? 1
        return presentation.indices.map { index in
            known.subtractingClamped(step.multipliedClamped(by: Int64(presentation.count - index)))
        }
    }
}
