internal import CFFmpeg

/// Decodes the video of a source: one frame per picture that the source has, in the order of presentation, all of the
/// first one's size, pixel format and colour tags, progressive, whatever of it is damaged.
///
/// Decoder -> continuity (stand-ins for pictures that do not come) -> deinterlacing -> conforming.
public final class VideoDecoder: @unchecked Sendable {
    // Safe to send: used by one thread at a time, the stage that decodes.
    private let info: VideoInfo
    private let demuxer: Demuxer
    private let decoder: PictureDecoder
    private let parser: PictureParser
    private let threads: Int
    private let keepsSamples: Bool
    private var continuity: FrameContinuity<Frame>
    private var deinterlacer: Deinterlacer?
    private var conformer: FrameConformer?
    private let firstPts: Int64?
    private var report = DamageReport()
    private var corruptTokens: Set<Int64> = []
    private var gaps: LossGaps
    private var previous: Frame?
    private var nextIndex = 0
    private var lastKept: Frame?

    /// A decoder of the video that `info` (from `SourceProbe`) describes.
    ///
    /// - Parameters:
    ///   - threads: threads of the decoder, 0 for as many as there are cores.
    ///   - startSeconds: frames earlier than this after the source's start are neither put out nor counted; to be used
    ///     with `Demuxer.seek(toSeconds:)` to the same time.
    ///   - startTick: the same as a pts of the video, in place of `startSeconds`.
    ///   - keepsSamples: for labels, which are not to be mixed: frames are neither deinterlaced nor conformed, and one of
    ///     another size or pixel format fails the decoding with `.badLabels`.
    public init(
        demuxer: Demuxer, info: VideoInfo, threads: Int, startSeconds: Double = 0, startTick: Int64? = nil,
        keepsSamples: Bool = false
    ) throws(MediaError) {
        guard let stream = demuxer.stream(at: info.streamIndex) else {
            throw MediaError(.noVideo, "\(demuxer.info.path) has no video stream \(info.streamIndex)")
        }
        self.info = info
        self.demuxer = demuxer
        self.threads = threads
        self.keepsSamples = keepsSamples
        decoder = try PictureDecoder(stream, threads: threads)
        parser = PictureParser(stream)
        continuity = FrameContinuity(order: info.hasKnownTimestamps ? .presentation : .decoding)
        let rate = info.frameRate?.value, tick = info.timeBase.value
        gaps = LossGaps(nominalStep: rate.flatMap { rate in tick.map { 1 / (rate * $0) } })
        let start: Int64? = startSeconds > 0 ? try demuxer.ticks(ofSeconds: startSeconds) : nil
        firstPts = startTick ?? start
    }

    /// True once a frame was interlaced: what comes out then depends on frames before it.
    public private(set) var hasDeinterlaced = false

    /// What could not be read or decoded up to now; complete after `decode(nil)`.
    public var damage: DamageReport {
        var report = report
        report.decoderErrors = decoder.errors
        return report
    }

    /// Decodes a packet of the video stream (others are ignored) and emits the frames that are due; nil, once
    /// `Demuxer.next()` has returned nil, emits the rest.
    ///
    /// The demuxer may meanwhile read on another thread.
    /// Damage is counted, not thrown. Throws `.unreadable` for an end that is none, since reading failed; `.outOfMemory`,
    /// `.unsupported`, and whatever `emit` throws.
    public func decode(_ packet: Packet?, emit: (DecodedFrame) throws -> Void) throws {
        guard let packet else { return try finish(emit) }
        guard packet.streamIndex == info.streamIndex else { return }
        continuity.reorderDepth = decoder.reorderDepth
        let times = FrameContinuity<Frame>.PacketTimes(
            pts: packet.pts, dts: packet.dts, duration: packet.duration, isKey: packet.isKey,
            owesPicture: parser.owesPicture(packet))
        let (token, lost) = continuity.packet(times)
        noteDamage(packet, token)
        try pass(lost, emit)
        try decoder.decode(packet, token: token) { frame in try self.take(frame, emit) }
    }

    private func noteDamage(_ packet: Packet, _ token: Int64) {
        let isCorrupt = packet.raw.pointee.flags & AV_PKT_FLAG_CORRUPT != 0
        if isCorrupt {
            corruptTokens.insert(token)
            corruptTokens = corruptTokens.filter { $0 > token - 1024 }
        }
        if isCorrupt || packet.followsDamage { gaps.suspect(token) }
    }

    private func finish(_ emit: (DecodedFrame) throws -> Void) throws {
        try demuxer.checkReading()
        try decoder.decode(nil, token: 0) { frame in try self.take(frame, emit) }
        try pass(continuity.flush(), emit)
        try deinterlacer?.finish { frame, condition in try self.conform(frame, condition, emit) }
        deinterlacer = nil
        report.missing = demuxer.missingVideoPackets
        if demuxer.damageCount > 0 || demuxer.metDamageOnOpening, let end = demuxer.declaredEnd { report.missing += gaps.missing(until: end) }
    }

    /// A picture of libav's decoder, its pts being its packet's token.
    private func take(_ frame: Frame, _ emit: (DecodedFrame) throws -> Void) throws {
        try pass(continuity.picture(frame, token: frame.pts), emit)
    }

    private func pass(_ outputs: [FrameContinuity<Frame>.Output], _ emit: (DecodedFrame) throws -> Void) throws {
        for output in outputs {
            for pts in gaps.missing(before: output.pts, token: output.token) {
                try put(previous ?? output.picture, at: pts, .replaced, emit)
            }
            let isCorrupt =
                output.picture.isDamaged || output.token.map { corruptTokens.contains($0) } ?? false
            try put(output.picture, at: output.pts, output.isStandIn ? .replaced : isCorrupt ? .concealed : .intact, emit)
            previous = output.picture
        }
    }

    private func put(
        _ picture: Frame, at pts: Int64, _ condition: FrameCondition, _ emit: (DecodedFrame) throws -> Void
    ) throws {
        if let firstPts, pts < firstPts { return }
        let frame = try picture.reference()
        frame.pts = pts
        frame.timeBase = info.timeBase
        frame.raw.pointee.best_effort_timestamp = pts
        frame.raw.pointee.pkt_dts = shim_no_pts()
        // An encoder would take the source's picture type for an order.
        frame.raw.pointee.pict_type = AV_PICTURE_TYPE_NONE
        if keepsSamples { try keep(frame, condition, emit) } else { try deinterlace(frame, condition, emit) }
    }

    private func keep(_ frame: Frame, _ condition: FrameCondition, _ emit: (DecodedFrame) throws -> Void) throws {
        if frame.width == info.width, frame.height == info.height, frame.pixelFormatName == info.pixelFormatName {
            lastKept = try frame.reference()
            return try put(out: frame, condition, emit)
        }
        // A damaged header may say anything.
        guard condition != .intact, let standIn = try lastKept?.reference() else {
            throw MediaError(
                .badLabels, "frame \(nextIndex) of \(demuxer.info.path) is \(frame.width)x\(frame.height) "
                    + "\(frame.pixelFormatName), the first is \(info.width)x\(info.height) \(info.pixelFormatName)",
                remedy: "give all labels in one size and pixel format")
        }
        standIn.pts = frame.pts
        try put(out: standIn, .replaced, emit)
    }

    /// Deinterlaces from the first interlaced frame on: before it nothing is to be done, and nothing delayed.
    private func deinterlace(
        _ frame: Frame, _ condition: FrameCondition, _ emit: (DecodedFrame) throws -> Void
    ) throws {
        func forward(_ frame: Frame, _ condition: FrameCondition) throws { try conform(frame, condition, emit) }
        if let current = deinterlacer, !current.accepts(frame) {
            try current.finish(forward)
            deinterlacer = try Deinterlacer(like: frame, timeBase: info.timeBase, threads: threads)
        } else if deinterlacer == nil, info.isInterlaced || shim_frame_is_interlaced(frame.raw) != 0 {
            deinterlacer = try Deinterlacer(like: frame, timeBase: info.timeBase, threads: threads)
            hasDeinterlaced = true
        }
        guard let deinterlacer else { return try forward(frame, condition) }
        try deinterlacer.take(frame, condition, forward)
    }

    private func conform(_ frame: Frame, _ condition: FrameCondition, _ emit: (DecodedFrame) throws -> Void) throws {
        let conformer = try self.conformer ?? FrameConformer(info)
        self.conformer = conformer
        try put(out: conformer.conform(frame), condition, emit)
    }

    private func put(out frame: Frame, _ condition: FrameCondition, _ emit: (DecodedFrame) throws -> Void) throws {
        report.frames += 1
        switch condition {
        case .intact: break
        case .concealed: report.concealed += 1
        case .replaced: report.replaced += 1
        }
        defer { nextIndex += 1 }
        try emit(DecodedFrame(index: nextIndex, frame: frame, condition: condition))
    }
}

extension Frame {
    /// True where the decoder says that parts of the picture are made up.
    var isDamaged: Bool { raw.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0 || raw.pointee.decode_error_flags != 0 }
}
