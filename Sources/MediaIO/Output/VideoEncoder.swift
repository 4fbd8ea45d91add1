internal import CFFmpeg

/// Compresses frames into packets with an encoder of libavcodec, which it owns.
///
/// Size, sample aspect, colour tags and pts are the source's; the pixel format is the source's where the encoder takes
/// it, else the nearest. Packets come out in decoding order, with the source's time base and video stream index.
public final class VideoEncoder: @unchecked Sendable {
    // Safe to send: used by one thread at a time, the encoding stage; the constants are set once.
    let raw: UnsafeMutablePointer<AVCodecContext>
    public let name: String
    /// libav's name of the pixel format that frames must have.
    public let pixelFormatName: String
    /// How the samples of the frames must be coded (range, matrix); JPEG and RGB pictures have rules of their own.
    public let colour: ColourTags
    /// Seconds per tick of the packets: the source's.
    public let timeBase: Rational
    public let frameRate: Rational
    /// Packets emitted so far.
    public private(set) var packetCount = 0
    let streamIndex: Int
    let displayMatrix: [Int32]?
    let container: ContainerFormat
    private var clock: EncoderClock
    private let packet: Packet
    /// Ticks from one key frame to the next at most, for live video.
    private let keyframeInterval: Int64?
    private var lastKeyframe: Int64?

    /// Opens the encoder that `settings` name, or the container's default, for frames like the source's.
    ///
    /// Throws `.unknownEncoder`, `.unsupportedOption` (an option that the encoder lacks or refuses, a codec that the
    /// container cannot hold, a picture size that it cannot code), `.unsupported` where the encoder does not start.
    public convenience init(
        settings: EncoderSettings, source: VideoInfo, container: ContainerFormat
    ) throws(MediaError) {
        try self.init(settings: settings, source: source, container: container, tuning: nil)
    }

    /// Opens an encoder without delay for the video of a relay: one packet for each frame, at once, for libx264, libx265,
    /// libvpx and libavcodec's own ones. Codec headers are kept apart from the packets (`AV_CODEC_FLAG_GLOBAL_HEADER`);
    /// outputs that readers join at any time repeat them.
    ///
    /// Throws as `init(settings:source:container:)` does.
    public convenience init(live: LiveEncoding, format: LiveFormat) throws(MediaError) {
        // The container that takes every codec, for its defaults.
        try self.init(
            settings: live.settings, source: format.video, container: ContainerFormat(outputPath: "live.mkv"),
            tuning: LiveTuning(live, format: format))
    }

    private init(
        settings: EncoderSettings, source: VideoInfo, container: ContainerFormat, tuning: LiveTuning?
    ) throws(MediaError) {
        let (name, options) = settings.resolved(for: container)
        let description = try EncoderDescription(named: name)
        try Self.checkContainer(container, holds: description)
        let rate = Self.frameRate(of: source, for: description)
        let clock = EncoderClock(
            sourceTimeBase: source.timeBase.isPositive ? source.timeBase : rate.inverse, frameRate: rate,
            counts: description.countsFrames)
        let opening = EncoderOpening(
            description: description, options: options, source: source, clock: clock, frameRate: rate,
            wantsHeadersApart: container.keepsHeadersApart, reorders: container.takesEarlyDecoding, tuning: tuning)
        packet = try Packet()
        raw = try opening.open()
        self.name = description.name
        self.container = container
        self.clock = clock
        timeBase = clock.sourceTimeBase
        frameRate = rate
        streamIndex = source.streamIndex
        displayMatrix = source.displayMatrix
        keyframeInterval = tuning.map { Int64(nearest: $0.encoding.keyframeInterval / (clock.sourceTimeBase.value ?? 1)) }
        pixelFormatName = av_get_pix_fmt_name(raw.pointee.pix_fmt).map { String(cString: $0) } ?? "unknown"
        colour = EncoderOpening.colour(of: raw)
    }

    deinit {
        var pointer: UnsafeMutablePointer<AVCodecContext>? = raw
        avcodec_free_context(&pointer)
    }

    /// Encodes one frame, or with nil what the encoder still holds back, and hands out the packets that are ready.
    ///
    /// The frame is in `pixelFormatName` and of the source's size; its pts count in its own time base where it has one,
    /// else in the source's. Rethrows what `emit` throws; throws `.internalFailure` where the encoder fails.
    public func encode(_ frame: Frame?, emit: (Packet) throws -> Void) throws {
        try encode(frame, asKeyframe: false, emit: emit)
    }

    /// As above; with `asKeyframe` the frame becomes one at which a reader can join (an IDR picture).
    public func encode(_ frame: Frame?, asKeyframe: Bool, emit: (Packet) throws -> Void) throws {
        let prepared = try frame.map(prepare)
        if let prepared, asKeyframe || isKeyframeDue { prepared.raw.pointee.pict_type = AV_PICTURE_TYPE_I }
        var result = avcodec_send_frame(raw, prepared?.raw)
        if result == AV.again {
            try drain(emit)
            result = avcodec_send_frame(raw, prepared?.raw)
        }
        // After a flush a second flush finds nothing more.
        if !(frame == nil && result == AV.endOfFile) {
            try AV.check(result, .internalFailure, "the encoder \(name) failed")
        }
        try drain(emit)
    }

    private func prepare(_ frame: Frame) throws(MediaError) -> Frame {
        guard frame.width == Int(raw.pointee.width), frame.height == Int(raw.pointee.height),
            frame.raw.pointee.format == raw.pointee.pix_fmt.rawValue
        else {
            let wanted = "\(raw.pointee.width)x\(raw.pointee.height) \(pixelFormatName)"
            let given = "\(frame.width)x\(frame.height) \(frame.pixelFormatName)"
            throw MediaError(.internalFailure, "the encoder \(name) was given a frame of \(given) instead of \(wanted)")
        }
        let own = try frame.reference()
        let base = frame.timeBase.isPositive ? frame.timeBase : timeBase
        shim_frame_prepare_for_encoder(own.raw)
        own.pts = clock.stamp(
            pts: frame.pts.map { base.rescale($0, to: timeBase) },
            duration: base.rescale(shim_frame_duration(frame.raw), to: timeBase))
        own.timeBase = clock.encoderTimeBase
        return own
    }

    /// Encoders count frames between key frames, of which a relay may give fewer than its rate says.
    private var isKeyframeDue: Bool {
        guard let keyframeInterval, let lastKeyframe, let pts = clock.newest else { return false }
        return pts &- lastKeyframe >= keyframeInterval
    }

    private func drain(_ emit: (Packet) throws -> Void) throws {
        while true {
            let result = avcodec_receive_packet(raw, packet.raw)
            if result == AV.again || result == AV.endOfFile { return }
            try AV.check(result, .internalFailure, "the encoder \(name) failed")
            let ready = try Packet()
            av_packet_move_ref(ready.raw, packet.raw)
            guard let times = clock.restore(pts: ready.raw.pointee.pts, dts: ready.dts) else {
                throw MediaError(
                    .internalFailure, "the encoder \(name) returned a packet for a frame that it was not given")
            }
            ready.raw.pointee.pts = times.pts
            ready.raw.pointee.dts = times.dts
            ready.raw.pointee.duration = times.duration
            ready.raw.pointee.time_base = timeBase.avRational
            ready.raw.pointee.stream_index = Int32(streamIndex)
            packetCount += 1
            if ready.isKey { lastKeyframe = times.pts }
            try emit(ready)
        }
    }

    // MARK: - Choices

    private static func checkContainer(_ container: ContainerFormat, holds encoder: EncoderDescription)
        throws(MediaError)
    {
        guard container.kind == .media else {
            // A picture file is the encoder's packet as it is, so the ending and the codec must agree.
            let own = avcodec_find_encoder_by_name(container.defaultEncoder)?.pointee.id
            guard own == encoder.codec.pointee.id else {
                throw MediaError(
                    .unsupportedOption, "the encoder \(encoder.name) does not write pictures of the output's kind",
                    remedy: "leave the encoder out, or use \(container.defaultEncoder)")
            }
            return
        }
        let answer = avformat_query_codec(try container.muxer(), encoder.codec.pointee.id, FF_COMPLIANCE_EXPERIMENTAL)
        let codec = String(cString: avcodec_get_name(encoder.codec.pointee.id))
        if answer == 0 || container.recognisedCodecs?.contains(codec) == false {
            throw MediaError(
                .unsupportedOption, "\(container.name) files cannot hold what the encoder \(encoder.name) writes",
                remedy: "use \(container.defaultEncoder), or another ending such as .mkv")
        }
    }

    /// The nominal rate; for an encoder that codes a few rates only (MPEG-1, MPEG-2) the nearest of these.
    private static func frameRate(of source: VideoInfo, for encoder: EncoderDescription) -> Rational {
        var rate = source.frameRate ?? Rational(25, 1)
        if !rate.isPositive || (rate.value ?? 0) > 1000 { rate = Rational(25, 1) }
        guard let list = shim_encoder_frame_rates(encoder.codec) else {
            var reduced = AVRational()
            // MPEG-4 part 2 counts at most 65535 ticks a second.
            av_reduce(&reduced.num, &reduced.den, Int64(rate.numerator), Int64(rate.denominator), 65535)
            return Rational(reduced)
        }
        return Rational(list[Int(av_find_nearest_q_idx(rate.avRational, list))])
    }
}
