internal import CFFmpeg

/// Cuts the packets of a relay into RTP packets (RFC 3550) with libavformat's packetisers, and describes them (SDP, RFC 8866).
///
/// Used by one thread at a time.
public final class RTPPacketizer: @unchecked Sendable {
    // Safe to send: used by one thread at a time; the constants are set once.

    /// One RTP stream: number 0 is the video, 1 the audio where there is one.
    public struct Track: Sendable, Equatable {
        public let payloadType: Int
        /// Ticks of RTP time stamps per second.
        public let clockRate: Int
        public let ssrc: UInt32
    }

    public let tracks: [Track]
    /// Lines end with CR LF; each medium has port 0 and a control line `streamid=0` or `streamid=1`.
    public let sdp: String
    /// What the readers have to go without, in plain words: audio that RTP has no payload for.
    public let notices: [String]
    private let streams: LiveStreams
    private let channels: [RTPChannel]

    /// - Parameter packetSize: bytes of an RTP packet at most, headers included, 256...65000; 1400 fits into Ethernet with
    ///   IPv6, UDP and a tunnel's headers.
    ///
    /// Throws `.unsupportedOption` for a video codec that libavformat has no RTP payload for.
    public init(streams: LiveStreams, packetSize: Int = 1400) throws(MediaError) {
        _ = AV.installLog
        let size = Int32(clamping: min(max(packetSize, 256), 65000))
        let video: RTPChannel
        do throws(MediaError) {
            video = try Self.channel(0, of: streams, packetSize: size)
        } catch {
            guard error.code != .outOfMemory else { throw error }
            throw MediaError(
                .unsupportedOption, "\(streams.videoCodecName) video is not usable for RTSP",
                remedy: "use the encoder libx264 or libx265", cause: error.cause)
        }
        var channels = [video]
        var notices: [String] = []
        if let audio = streams.audio {
            do throws(MediaError) {
                channels.append(try Self.channel(1, of: streams, packetSize: size))
            } catch {
                guard error.code != .outOfMemory else { throw error }
                notices.append("\(audio.codecName) audio has no place in RTSP: its readers go without sound")
            }
        }
        self.streams = streams
        self.channels = channels
        self.notices = notices
        tracks = channels.map(\.track)
        sdp = try Self.describe(channels)
    }

    /// The RTP packets of one packet of the relay; nil for a stream that has no track.
    ///
    /// libavformat keeps back one frame of AAC, so that such a call may return the frame before, or no packets.
    /// Throws `.internalFailure`.
    public func packets(of packet: Packet) throws(MediaError) -> (track: Int, packets: [[UInt8]])? {
        let index = packet.streamIndex
        guard channels.indices.contains(index) else { return nil }
        return (index, try channels[index].packets(of: streams.uniform(packet)))
    }

    /// The time stamp in the header of an RTP packet, in ticks of its track's clock.
    public static func timestamp(of packet: [UInt8]) -> UInt32 {
        packet.count < 8 ? 0 : packet[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func channel(_ index: Int, of streams: LiveStreams, packetSize: Int32) throws(MediaError) -> RTPChannel {
        guard let (parameters, timeBase) = streams.stream(index) else {
            throw MediaError(.internalFailure, "there is no stream \(index)")
        }
        return try RTPChannel(parameters, timeBase, packetSize: packetSize)
    }

    /// Whether RTP has a payload for a stream.
    static func carries(_ parameters: CodecParameters) -> Bool {
        (try? RTPChannel(parameters, LiveFormat.timeBase, packetSize: 1400)) != nil
    }

    private static func describe(_ channels: [RTPChannel]) throws(MediaError) -> String {
        var contexts: [UnsafeMutablePointer<AVFormatContext>?] = channels.map(\.context)
        av_dict_set(&channels[0].context.pointee.metadata, "title", "solstice", 0)
        // More than the parameter sets of any encoder take.
        var text = [CChar](repeating: 0, count: 16384)
        try AV.check(
            av_sdp_create(&contexts, Int32(contexts.count), &text, Int32(text.count)), .internalFailure,
            "the stream cannot be described for RTSP readers")
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// One stream of `RTPPacketizer`: a muxer of its own that writes into memory.
private final class RTPChannel {
    let context: UnsafeMutablePointer<AVFormatContext>
    let track: RTPPacketizer.Track
    private let sourceTimeBase: Rational
    private let output: RTPSink
    private let repeater: HeaderRepeater?
    private var clock = PacketClock(allowsEqualTimes: true)
    private var io: UnsafeMutablePointer<AVIOContext>?

    init(_ parameters: CodecParameters, _ timeBase: Rational, packetSize: Int32) throws(MediaError) {
        var pointer: UnsafeMutablePointer<AVFormatContext>?
        let result = avformat_alloc_output_context2(&pointer, nil, "rtp", nil)
        guard result >= 0, let context = pointer else { throw AV.error(result, .internalFailure, "there is no RTP muxer") }
        let sink = RTPSink()
        var io = shim_packet_io_open(
            packetSize,
            { opaque, bytes, count in
                guard let opaque, let bytes else { return }
                Unmanaged<RTPSink>.fromOpaque(opaque).takeUnretainedValue().packets.append(
                    Array(UnsafeBufferPointer(start: bytes, count: Int(count))))
            }, Unmanaged.passUnretained(sink).toOpaque())
        do throws(MediaError) {
            guard io != nil else { throw MediaError(.outOfMemory, "no memory for RTP packets") }
            repeater = try HeaderRepeater(parameters)
            track = try Self.open(context, io, parameters)
        } catch {
            shim_packet_io_close(&io)
            avformat_free_context(context)
            throw error
        }
        self.context = context
        self.io = io
        output = sink
        sourceTimeBase = timeBase
    }

    deinit {
        // The muxer keeps memory of its own until its trailer.
        av_write_trailer(context)
        context.pointee.pb = nil
        shim_packet_io_close(&io)
        avformat_free_context(context)
    }

    private static func open(
        _ context: UnsafeMutablePointer<AVFormatContext>, _ io: UnsafeMutablePointer<AVIOContext>?, _ parameters: CodecParameters
    ) throws(MediaError) -> RTPPacketizer.Track {
        guard let stream = avformat_new_stream(context, nil) else { throw MediaError(.outOfMemory, "no memory for a stream") }
        try parameters.copy(to: stream)
        context.pointee.pb = io
        context.pointee.max_delay = 0
        context.pointee.avoid_negative_ts = 0
        // libavformat's payload of VP9 follows a draft.
        context.pointee.strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL
        let ssrc = UInt32.random(in: 1...UInt32(Int32.max))
        var options: OpaquePointer?
        defer { av_dict_free(&options) }
        av_dict_set(&options, "rtpflags", "skip_rtcp", 0)
        av_dict_set(&options, "ssrc", "\(ssrc)", 0)
        try AV.check(
            avformat_write_header(context, &options), .unsupported, "\(parameters.codecName) has no RTP payload")
        return RTPPacketizer.Track(
            payloadType: Int(stream.pointee.id), clockRate: Int(stream.pointee.time_base.den), ssrc: ssrc)
    }

    func packets(of packet: Packet) throws(MediaError) -> [[UInt8]] {
        let full = try repeater?.apply(packet) ?? packet
        let base = Rational(context.pointee.streams[0]!.pointee.time_base)
        let times = clock.fit(
            pts: full.pts.map { sourceTimeBase.rescale($0, to: base) }, dts: full.dts.map { sourceTimeBase.rescale($0, to: base) },
            duration: sourceTimeBase.rescale(full.duration, to: base))
        let own = try full.restamped(
            streamIndex: 0, pts: times.pts, dts: times.dts, duration: times.duration, timeBase: base)
        output.packets.removeAll(keepingCapacity: true)
        try AV.check(av_write_frame(context, own.raw), .internalFailure, "a packet cannot be cut for RTP")
        let packets = output.packets
        output.packets = []
        return packets
    }
}

/// Where the muxer's packets are collected.
private final class RTPSink {
    var packets: [[UInt8]] = []
}
