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
        let original = try PacketCensus.take(path: source.path, interrupt: interrupt, stopsAtDamage: true)
        guard original.streams.indices.contains(source.video.streamIndex) else { return false }
        let read = original.streams[source.video.streamIndex]
        // Frames that a damaged container lists but does not have are in the output, as stand-ins.
        let listed = source.containerName.hasPrefix("mov") ? source.frameCountEstimate : nil
        guard video.packets == read.shownPackets || video.packets == listed else { return false }
        guard video.packets == read.shownPackets, source.video.hasKnownTimestamps, let expected = read.span,
            let actual = video.span
        else {
            return true
        }
        return abs(expected - actual) <= 1.01 * max(source.video.frameRate?.inverse.value ?? 0.04, 0.001)
    }
}
