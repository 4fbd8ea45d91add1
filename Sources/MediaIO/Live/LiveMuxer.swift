internal import CFFmpeg
import Synchronization

/// One live output being written by a muxer of libavformat: a connection, or a file.
///
/// The output starts at the first key frame of the video, which becomes its time 0; audio of before is left out. Packets
/// are written as they come, without waiting for those of the other stream.
final class LiveMuxer {
    private let context: UnsafeMutablePointer<AVFormatContext>
    private let target: LiveTarget
    private let streams: LiveStreams
    private let gate: Gate
    private var slots: [Int: Slot] = [:]
    private var repeater: HeaderRepeater?
    /// Ticks of `LiveFormat.timeBase`.
    private var origin: Int64?
    private var needsTrailer = false
    /// Packets written so far.
    private(set) var packetCount = 0

    private struct Slot {
        let stream: UnsafeMutablePointer<AVStream>
        let timeBase: Rational
        var clock: PacketClock
    }

    /// What libav polls while it waits: the caller's interrupt, and whether this output has been given up.
    private final class Gate: Sendable {
        let interrupt: Interrupt
        let isAbandoned = Atomic<Bool>(false)
        init(_ interrupt: Interrupt) { self.interrupt = interrupt }

        var callback: AVIOInterruptCB {
            AVIOInterruptCB(
                callback: { opaque in
                    guard let opaque else { return 0 }
                    let gate = Unmanaged<Gate>.fromOpaque(opaque).takeUnretainedValue()
                    let stops = gate.interrupt.isTriggered || gate.interrupt.isExpired
                    return stops || gate.isAbandoned.load(ordering: .relaxed) ? 1 : 0
                },
                opaque: Unmanaged.passUnretained(self).toOpaque())
        }
    }

    /// Connects or opens the file, and writes the header. `url` is where to write in place of the target's own.
    ///
    /// Throws `.denied`, `.unreachable`, `.unwritable`, `.diskFull`, `.unsupportedOption`, `.cancelled`, `.stalled`.
    init(
        _ target: LiveTarget, url: String? = nil, streams: LiveStreams, indices: [Int], interrupt: Interrupt
    ) throws(MediaError) {
        _ = AV.installLog
        self.target = target
        self.streams = streams
        gate = Gate(interrupt)
        let url = url ?? target.url
        var pointer: UnsafeMutablePointer<AVFormatContext>?
        let result = avformat_alloc_output_context2(&pointer, nil, target.muxer, url)
        guard result >= 0, let pointer else {
            throw AV.error(result, .unsupported, "this libavformat writes no \(target.muxer)")
        }
        context = pointer
        context.pointee.interrupt_callback = gate.callback
        // The times are right already, and what is written goes out.
        context.pointee.avoid_negative_ts = 0
        context.pointee.flags |= AVFMT_FLAG_FLUSH_PACKETS
        context.pointee.flush_packets = 1
        context.pointee.max_delay = 0
        context.pointee.strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL
        for index in indices { try add(index) }
        if target.repeatsHeaders { repeater = try HeaderRepeater(streams.video) }
        try connect(url)
    }

    deinit {
        // Without the trailer libav would not close what it has opened; a peer that takes nothing must not hold it up.
        gate.isAbandoned.store(true, ordering: .relaxed)
        if needsTrailer { av_write_trailer(context) }
        closeIO()
        avformat_free_context(context)
    }

    /// Of a file, what is written last may fail only here.
    @discardableResult
    private func closeIO() -> Int32 { context.pointee.oformat.pointee.flags & AVFMT_NOFILE == 0 ? AV.close(&context.pointee.pb) : 0 }

    private func add(_ index: Int) throws(MediaError) {
        guard let (parameters, timeBase) = streams.stream(index) else { return }
        guard let stream = avformat_new_stream(context, nil) else { throw MediaError(.outOfMemory, "no memory for a stream") }
        try parameters.copy(to: stream)
        stream.pointee.time_base = timeBase.avRational
        if !parameters.isAudio {
            stream.pointee.avg_frame_rate = streams.frameRate.avRational
            stream.pointee.sample_aspect_ratio = streams.sampleAspect.avRational
            // Apple's players know HEVC by this tag only.
            if parameters.raw.pointee.codec_id == AV_CODEC_ID_HEVC, ["mp4", "mov"].contains(target.muxer) {
                stream.pointee.codecpar.pointee.codec_tag = shim_tag(0x68, 0x76, 0x63, 0x31)  // hvc1
            }
        }
        let isLoose = context.pointee.oformat.pointee.flags & AVFMT_TS_NONSTRICT != 0
        slots[index] = Slot(stream: stream, timeBase: timeBase, clock: PacketClock(allowsEqualTimes: isLoose))
    }

    private func connect(_ url: String) throws(MediaError) {
        if context.pointee.oformat.pointee.flags & AVFMT_NOFILE == 0 {
            var callback = gate.callback
            var options = Self.dictionary(target.connection)
            defer { av_dict_free(&options) }
            try check(
                AV.retried { avio_open2(&context.pointee.pb, url, AVIO_FLAG_WRITE, &callback, &options) }, isConnected: false)
        }
        var options = Self.dictionary(target.options(for: streams))
        defer { av_dict_free(&options) }
        try check(avformat_write_header(context, &options), isConnected: false)
        needsTrailer = true
        try checkIO()
    }

    // MARK: - Writing

    /// Throws `.unreachable`, `.unwritable`, `.diskFull`, `.cancelled`, `.stalled`.
    func write(_ packet: Packet) throws(MediaError) {
        guard let slot = slots[packet.streamIndex], let pts = packet.pts else { return }
        if origin == nil {
            guard packet.streamIndex == 0, packet.isKey else { return }
            origin = pts
        }
        let base = Rational(slot.stream.pointee.time_base)
        let zero = LiveFormat.timeBase.rescale(origin ?? 0, to: base)
        let time = slot.timeBase.rescale(pts, to: base) &- zero
        guard time >= 0 else { return }
        var full = try streams.uniform(packet)
        if packet.streamIndex == 0, let repeater { full = try repeater.apply(full) }
        guard
            let times = slots[packet.streamIndex]?.clock.fit(
                pts: time, dts: packet.dts.map { slot.timeBase.rescale($0, to: base) &- zero },
                duration: slot.timeBase.rescale(packet.duration, to: base))
        else { return }
        let own = try full.restamped(
            streamIndex: Int(slot.stream.pointee.index), pts: times.pts, dts: times.dts, duration: times.duration, timeBase: base)
        try check(av_write_frame(context, own.raw), isConnected: true)
        try checkIO()
        try checkInterrupt(isConnected: true)
        packetCount += 1
    }

    /// Writes the trailer, or says good-bye, and closes. Nothing more can be written.
    func finish() throws(MediaError) {
        guard needsTrailer else { return }
        needsTrailer = false
        let result = av_write_trailer(context)
        // What it has noted is gone once it is closed.
        let noted = context.pointee.oformat.pointee.flags & AVFMT_NOFILE == 0 ? context.pointee.pb?.pointee.error ?? 0 : 0
        let closing = closeIO()
        try check(result, isConnected: true)
        try check(noted, isConnected: true)
        if target.kind == .file { try check(closing, isConnected: true) }
        try checkInterrupt(isConnected: true)
    }

    // MARK: - Failures

    /// libav's muxers do not all look at what their writes return; the I/O context keeps the first failure.
    private func checkIO() throws(MediaError) {
        guard context.pointee.oformat.pointee.flags & AVFMT_NOFILE == 0, let io = context.pointee.pb else { return }
        try check(io.pointee.error, isConnected: true)
    }

    /// The RTSP muxer does not look at what its writes to the socket return, so that one which was cut short shows only here.
    private func checkInterrupt(isConnected: Bool) throws(MediaError) {
        if gate.interrupt.isTriggered { throw MediaError(.cancelled, "cancelled") }
        guard gate.interrupt.isExpired else { return }
        let message = isConnected ? "\(target.label) takes nothing any more" : "\(target.label) does not answer"
        throw MediaError(isConnected ? .stalled : .unreachable, message)
    }

    private func check(_ result: Int32, isConnected: Bool) throws(MediaError) {
        guard result < 0 else { return }
        let cause = target.scrubbed(AV.text(result))
        try checkInterrupt(isConnected: isConnected)
        let label = target.label
        if shim_averror_is_denial(result) != 0 {
            throw MediaError(
                .denied, "\(label) refuses the user or the password", remedy: "give the right ones", cause: cause)
        }
        switch target.kind {
        case .file, .hls: throw AV.error(result, .unwritable, "\(label) cannot be written")
        default:
            let message = isConnected ? "the connection to \(label) is lost" : "\(label) cannot be reached"
            throw MediaError(.unreachable, message, cause: cause)
        }
    }

    private static func dictionary(_ options: [String: String]) -> OpaquePointer? {
        var dictionary: OpaquePointer?
        for (key, value) in options { av_dict_set(&dictionary, key, value, 0) }
        return dictionary
    }

    /// Whether a muxer takes a stream: its header, with this stream alone, goes to memory and is thrown away.
    static func accepts(_ parameters: CodecParameters, muxer: String) -> Bool {
        var pointer: UnsafeMutablePointer<AVFormatContext>?
        guard avformat_alloc_output_context2(&pointer, nil, muxer, nil) >= 0, let context = pointer else { return false }
        defer { avformat_free_context(context) }
        context.pointee.strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL
        guard let stream = avformat_new_stream(context, nil), (try? parameters.copy(to: stream)) != nil,
            avio_open_dyn_buf(&context.pointee.pb) >= 0
        else { return false }
        stream.pointee.time_base = parameters.isAudio
            ? AVRational(num: 1, den: max(1, parameters.raw.pointee.sample_rate)) : LiveFormat.timeBase.avRational
        let answer = avformat_query_codec(context.pointee.oformat, parameters.raw.pointee.codec_id, FF_COMPLIANCE_EXPERIMENTAL)
        let isWritten = answer != 0 && avformat_write_header(context, nil) >= 0
        // Some muxers keep memory of their own until their trailer.
        if isWritten { av_write_trailer(context) }
        var buffer: UnsafeMutablePointer<UInt8>?
        avio_close_dyn_buf(context.pointee.pb, &buffer)
        av_free(buffer)
        context.pointee.pb = nil
        return isWritten
    }
}
