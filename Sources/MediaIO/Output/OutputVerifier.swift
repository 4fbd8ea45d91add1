internal import CFFmpeg

/// Tells whether a conversion has been done already.
public enum OutputVerifier {
    /// True if `output` exists, can be read to its end, and has as many frames as the source and its duration (within a
    /// frame). Both are read packet by packet; nothing is decoded.
    ///
    /// Throws `.cancelled`, `.unreadable` where the disk or the network fails, and what reading the source throws.
    public static func isComplete(output: String, matches source: SourceInfo, interrupt: Interrupt) throws(MediaError)
        -> Bool
    {
        guard FileIdentity(output) != nil else { return false }
        let written: PacketCensus
        do {
            written = try PacketCensus.take(path: output, interrupt: interrupt)
        } catch {
            // A disk or network that fails for now does not make a conversion incomplete.
            if [.cancelled, .outOfMemory, .unreadable].contains(error.code) { throw error }
            return false
        }
        guard let video = written.video() else { return false }
        if source.isStillPicture { return video.packets == 1 }
        if source.isPictureSequence { return video.packets == source.frameCountEstimate }
        let read = try SourceExtent(source, interrupt: interrupt)
        // Frames that a damaged container lists but does not have are in the output, as stand-ins.
        let listed = source.containerName.hasPrefix("mov") ? source.frameCountEstimate : nil
        guard video.packets == read.shownPackets || video.packets == listed else { return false }
        let startsAtZero = try ContainerFormat(outputPath: output).startsAtZero
        guard video.packets == read.shownPackets, source.video.hasKnownTimestamps,
            let expected = read.span(fromEarliest: startsAtZero), let actual = video.span
        else {
            return true
        }
        return abs(expected - actual) <= 1.01 * max(source.video.frameRate?.inverse.value ?? 0.04, 0.001)
    }
}

/// How much video a source has, on the clock that its conversion has too.
private struct SourceExtent {
    private(set) var shownPackets = 0
    private var start: Double?
    private var lastStart: Double?
    /// Of sound too.
    private var earliest: Double?

    /// Reads the source to its end, or as far as it is readable. Throws `.unreadable`, `.cancelled`.
    init(_ source: SourceInfo, interrupt: Interrupt) throws(MediaError) {
        let demuxer = try Demuxer(path: source.path, interrupt: interrupt)
        while let packet = try demuxer.next() {
            let isVideo = packet.streamIndex == source.video.streamIndex
            let isHidden = packet.raw.pointee.flags & AV_PKT_FLAG_DISCARD != 0
            if isVideo, !isHidden { shownPackets += 1 }
            guard let time = packet.pts ?? packet.dts, let tick = packet.timeBase.value else { continue }
            let seconds = Double(time) * tick
            if isVideo {
                start = min(start ?? seconds, seconds)
                lastStart = max(lastStart ?? seconds, seconds)
            }
            if isVideo || source.streams[packet.streamIndex].kind == .audio { earliest = min(earliest ?? seconds, seconds) }
        }
    }

    /// Seconds from the first picture to the last; with `fromEarliest` from the first picture or sound, as far as that is not
    /// before 0.
    func span(fromEarliest: Bool) -> Double? {
        guard let start, let lastStart else { return nil }
        return lastStart - (fromEarliest ? min(start, max(0, earliest ?? start)) : start)
    }
}
