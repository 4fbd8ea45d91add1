/// Keeps count of what was written, and compares it with what can be read back.
struct OutputLedger {
    private struct Account {
        var packets = 0
        var bytes: Int64 = 0
        var start: Double?
        var lastStart: Double?
        /// Seconds that the packets last together.
        var duration = 0.0
    }
    private var accounts: [Int: Account] = [:]
    private var late: Set<Int> = []

    mutating func count(_ packet: Packet, stream: Int) {
        var account = accounts[stream, default: Account()]
        account.packets += 1
        account.bytes += Int64(packet.size)
        if let time = packet.pts ?? packet.dts, let tick = packet.timeBase.value {
            let start = Double(time) * tick
            account.start = min(account.start ?? start, start)
            account.lastStart = max(account.lastStart ?? start, start)
        }
        account.duration += Double(max(0, packet.duration)) * (packet.timeBase.value ?? 0)
        accounts[stream] = account
    }

    /// True for the first time.
    mutating func noteLate(_ stream: Int) -> Bool { late.insert(stream).inserted }

    /// Throws `.internalFailure` unless the output holds the expected frames, over the time that was written, and has all
    /// packets of the copied streams, over the time that the source has them.
    ///
    /// - Parameter zero: the source's time at which a container starts that cannot start later, in seconds; its first picture is
    ///   shown from then on.
    func check(
        _ census: PacketCensus, plan: StreamPlan, info: SourceInfo, expectedFrames: Int, path: String, hasTimes: Bool,
        zero: Double? = nil
    ) throws(MediaError) {
        let streams = plan.entries(in: .output)
        let found = match(streams, in: census, info: info)
        guard let video = found[info.video.streamIndex].map({ census.streams[$0] }) else {
            throw Self.failure(path, "it has no video stream")
        }
        guard video.packets == expectedFrames else {
            throw Self.failure(path, "it has \(video.packets) frames instead of \(expectedFrames)")
        }
        if hasTimes, let written = accounts[info.video.streamIndex], let start = written.start,
            let last = written.lastStart,
            let span = video.span
        {
            let start = zero.map { min($0, start) } ?? start
            let frame = max(info.video.frameRate?.inverse.value ?? 0.04, 0.001)
            guard abs(span - (last - start)) <= frame * 1.01 else {
                throw Self.failure(path, "its last frame comes \(span) s after the first instead of \(last - start) s")
            }
        }
        for index in streams where index != info.video.streamIndex {
            try check(index, found[index].map { census.streams[$0] }, info, path, hasTimes: hasTimes)
        }
    }

    /// Seconds by which the file read back is later than what was written, `moved` seconds earlier than the source; nil for
    /// less than a millisecond or what cannot be told.
    func delay(_ census: PacketCensus, plan: StreamPlan, info: SourceInfo, moved: Double) -> Double? {
        let found = match(plan.entries(in: .output), in: census, info: info)
        guard let position = found[info.video.streamIndex], let read = census.streams[position].start,
            let written = accounts[info.video.streamIndex]?.start
        else { return nil }
        let delay = read - (written - moved)
        return abs(delay) > 0.0011 ? delay : nil
    }

    func check(sidecar census: PacketCensus, streams: [Int], info: SourceInfo, path: String) throws(MediaError) {
        let found = match(streams, in: census, info: info)
        for index in streams { try check(index, found[index].map { census.streams[$0] }, info, path) }
    }

    private func check(
        _ index: Int, _ found: PacketCensus.Stream?, _ info: SourceInfo, _ path: String, hasTimes: Bool = true
    ) throws(MediaError) {
        guard let account = accounts[index], account.packets > 0 else { return }
        guard let found else { throw Self.failure(path, "stream \(index) is missing") }
        let kind = info.streams.indices.contains(index) ? info.streams[index].kind : .other
        // PCM is cut into packets anew on reading, and a text track may get an empty sample at its end.
        let isComplete =
            found.packets == account.packets || found.bytes == account.bytes
            || (kind == .subtitle && found.packets >= account.packets)
        guard isComplete else {
            throw Self.failure(path, "stream \(index) has \(found.packets) packets instead of \(account.packets)")
        }
        // Text and data may have one packet, or none that lasts.
        guard hasTimes, kind == .audio || kind == .video, let span = found.span else { return }
        guard let expected = Self.collapse(of: span, account.packets, start: account.start, last: account.lastStart, duration: account.duration)
        else { return }
        throw Self.failure(path, "stream \(index) lasts \(span) s instead of \(expected) s")
    }

    /// The seconds that a stream should last, where the `span` that was read back is so much less that its times have collapsed:
    /// less than its packets were given, or less than half of what they last together.
    static func collapse(of span: Double, _ packets: Int, start: Double?, last: Double?, duration: Double) -> Double? {
        let given = start.flatMap { start in last.map { $0 - start } } ?? 0
        // Sound may be cut into packets anew on reading.
        if span < given * 0.98 - 1 { return given }
        return packets > 1 && span < duration / 2 - 1 ? duration : nil
    }

    /// The positions of the read streams that belong to the written ones: by kind, in order. Where a container has left
    /// out streams without packets (MP4 writes no track for them), those are passed over.
    func match(_ streams: [Int], in census: PacketCensus, info: SourceInfo) -> [Int: Int] {
        var result: [Int: Int] = [:]
        let known = streams.filter { info.streams.indices.contains($0) }
        for (kind, members) in Dictionary(grouping: known, by: { info.streams[$0].kind }) {
            let places = census.streams.indices.filter { place in
                census.streams[place].kind == kind && !census.streams[place].isCoverArt
            }
            let present = places.count < members.count ? members.filter(hasPackets) : members
            for (stream, place) in zip(present, places) { result[stream] = place }
        }
        return result
    }

    func hasPackets(_ stream: Int) -> Bool { (accounts[stream]?.packets ?? 0) > 0 }

    private static func failure(_ path: String, _ why: String) -> MediaError {
        MediaError(
            .internalFailure, "the written file does not read back as it should: \(why)",
            remedy: "try another container than \(path)'s")
    }
}
