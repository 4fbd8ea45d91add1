internal import MediaIO

/// A source that is opened at the frame with which rendering goes on.
struct SourceStart: Sendable {
    let source: SourceInfo
    let demuxer: Demuxer
    let decoder: VideoDecoder
    /// What is damaged up to here.
    let damage: DamageLog
    /// Frames that are decoded already and are the first to be rendered.
    private(set) var pending: [DecodedFrame] = []
    /// What the decoder's count of frames is to be moved by.
    private(set) var offset = 0
    /// The container or the decoder has met something wrong, whether or not a frame suffered from it.
    private(set) var hasMetDamage = false

    /// Where to begin.
    enum Point: Sendable, Equatable {
        case beginning
        /// Behind the commit's last frame, found by its time, or by counting all frames up to it.
        case seeking(JournalCommit)
        case counting(JournalCommit)
    }

    /// Frames before the commit's last one that are decoded too: what the decoder's bookkeeping knows of the frames before a
    /// damage is then what it would know in one go.
    private static let leadIn = 64.0

    /// Opens the source; nil where the frame that was rendered last is not found again. Blocks, for as long as decoding up to
    /// there takes.
    ///
    /// - Parameter keepsSamples: see `VideoDecoder`.
    static func open(
        _ source: SourceInfo, at point: Point, keepsSamples: Bool, limit: DamageLimit, interrupt: Interrupt
    ) throws -> SourceStart? {
        var start = try SourceStart(source, at: point, keepsSamples: keepsSamples, interrupt: interrupt)
        switch point {
        case .beginning: return start
        case .seeking(let commit): return try start.find(commit, after: 1, limit: limit) ? start : nil
        case .counting(let commit): return try start.find(commit, after: commit.frames, limit: limit) ? start : nil
        }
    }

    private init(_ source: SourceInfo, at point: Point, keepsSamples: Bool, interrupt: Interrupt) throws {
        self.source = source
        demuxer = try Demuxer(path: source.path, interrupt: interrupt)
        var startTick: Int64?
        var framesBefore = 0
        if case .seeking(let commit) = point, let pts = commit.lastPts {
            let frame = source.video.frameRate?.inverse.value ?? 0.04
            let ticks = source.video.timeBase.value.map { Self.leadIn * frame / $0 } ?? 0
            let (place, overflow) = pts.subtractingReportingOverflow(Int64(nearest: min(ticks, 0x1p60), .towardZero))
            try demuxer.seek(toTick: overflow ? pts : place)
            startTick = pts
            // The commit's last frame is decoded once more.
            (framesBefore, offset) = (commit.frames - 1, commit.frames - 1)
        }
        damage = DamageLog(framesBefore: framesBefore)
        decoder = try withThreadName("decoder") { [demuxer] in
            try VideoDecoder(demuxer: demuxer, info: source.video, threads: 0, startTick: startTick, keepsSamples: keepsSamples)
        }
    }

    /// Decodes `count` frames, of which the last one must be the commit's.
    private mutating func find(_ commit: JournalCommit, after count: Int, limit: DamageLimit) throws -> Bool {
        var seen = 0
        var last: DecodedFrame?
        while seen < count {
            var packet = try demuxer.next()
            while let other = packet, other.streamIndex != source.video.streamIndex { packet = try demuxer.next() }
            for frame in try decode(packet) {
                damage.note(frame)
                seen += 1
                if seen == count { last = frame } else if seen > count { pending.append(frame) }
            }
            try limit.check(damage.report, isFinal: false)
            if packet == nil { break }
        }
        guard let last, last.frame.pts == commit.lastPts, last.frame.sampleDigest == commit.digest else { return false }
        return true
    }

    /// Decodes a packet; the frames bear their numbers in the whole of the source.
    mutating func decode(_ packet: Packet?) throws -> [DecodedFrame] {
        if packet?.followsDamage == true { hasMetDamage = true }
        var frames: [DecodedFrame] = []
        try decoder.decode(packet) { [offset] in frames.append(offset == 0 ? $0 : $0.moved(by: offset)) }
        if decoder.damage.decoderErrors > 0 || frames.contains(where: { $0.condition != .intact }) { hasMetDamage = true }
        return frames
    }

    /// True where decoding may begin in the middle of the source, and gives what it gives from the start.
    var isSeekable: Bool {
        !hasMetDamage && !decoder.hasDeinterlaced && !damage.report.isDamaged && source.video.hasKnownTimestamps
            && !source.video.isInterlaced
    }
}
