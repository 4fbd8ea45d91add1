internal import CFFmpeg

/// Which of a copied stream's packets stay out of an output, since an edit list of the source hides them (`AV_PKT_FLAG_DISCARD`).
///
/// MP4 and MOV hide again what comes before the first packet that is shown. Elsewhere only an encoder's priming stays, which
/// players need and pass over: everything else would be heard and seen.
struct HiddenPackets {
    private let keepsLeading: Bool
    private var isLeading = true
    private var isPriming: Bool?
    /// Packets that were left out.
    private(set) var count = 0

    /// More than any encoder's priming, in seconds.
    private static let longestPriming = 0.1

    /// - Parameter hasEditLists: true for an output that gets an edit list of its own.
    init(hasEditLists: Bool) { keepsLeading = hasEditLists }

    /// True for a packet that stays out.
    mutating func leavesOut(_ packet: Packet, of stream: UnsafePointer<AVStream>) -> Bool {
        guard packet.raw.pointee.flags & AV_PKT_FLAG_DISCARD != 0 else {
            isLeading = false
            return false
        }
        if isLeading {
            if keepsLeading { return false }
            let priming = isPriming ?? Self.isPriming(packet, of: stream)
            isPriming = priming
            if priming { return false }
        }
        count += 1
        return true
    }

    /// True where a stream's first packet says that little sound is hidden at its start.
    private static func isPriming(_ packet: Packet, of stream: UnsafePointer<AVStream>) -> Bool {
        let parameters = stream.pointee.codecpar.pointee
        guard parameters.codec_type == AVMEDIA_TYPE_AUDIO, parameters.sample_rate > 0 else { return false }
        var size = 0
        // The first four bytes are the number of samples to skip, little-endian.
        guard let data = av_packet_get_side_data(packet.raw, AV_PKT_DATA_SKIP_SAMPLES, &size), size >= 4 else { return false }
        let samples = (0..<4).reduce(0) { $0 | Int(data[$1]) << (8 * $1) }
        return Double(samples) <= longestPriming * Double(parameters.sample_rate)
    }
}
