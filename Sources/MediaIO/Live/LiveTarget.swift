internal import CFFmpeg

/// What a relay's output is, decided from its address: which muxer writes it, and what that is told.
struct LiveTarget {
    enum Kind: Equatable { case rtsp, rtmp, transportStream, hls, file }

    let kind: Kind
    /// libav's short name of the muxer.
    let muxer: String
    /// Where libav writes to, with the secrets; for files, the path.
    private(set) var url: String
    /// For messages, without secrets.
    private(set) var label: String
    /// True where the headers of the codec must be in the stream, before each key frame.
    let repeatsHeaders: Bool
    /// Options of the muxer.
    private var options: [String: String]
    /// Options of the connection.
    let connection: [String: String]

    /// RTP packets that fit into Ethernet with IPv6, UDP and a tunnel's headers, as those of `RTPPacketizer`.
    private static let packetSize = 1400
    /// Seven packets of MPEG-TS, what every receiver takes at once (1316 bytes).
    private static let transportPackets = 7 * 188

    private let address: MediaAddress?

    /// Throws `.unsupportedOption` for an address that nothing can be sent to, `.unknownContainer` for a file whose ending
    /// says no container for video.
    init(_ address: MediaAddress, transport: LiveInput.Transport) throws(MediaError) {
        switch address.scheme {
        case .rtsp, .rtsps:
            try address.checkLengths()
            self.init(
                .rtsp, "rtsp", address, repeatsHeaders: true,
                options: ["rtsp_transport": transport.rawValue, "pkt_size": "\(Self.packetSize)"])
        case .rtmp, .rtmps:
            self.init(
                .rtmp, "flv", address, repeatsHeaders: false, options: ["flvflags": "no_duration_filesize"],
                connection: ["tcp_nodelay": "1"])
        case .udp, .srt:
            // Sound goes out frame by frame; a receiver that was there before a reconnection learns of the break.
            self.init(
                .transportStream, "mpegts", address, repeatsHeaders: true,
                options: ["pes_payload_size": "0", "mpegts_flags": "initial_discontinuity"],
                connection: ["pkt_size": "\(Self.transportPackets)"])
        case .file where address.path.lowercased().hasSuffix(".m3u8"):
            let path = Self.plain(address.path)
            self.init(.hls, "hls", address, url: path, repeatsHeaders: true, options: Self.playlist(path))
        case .file:
            try self.init(file: address.path)
        case .http, .https, .device:
            throw MediaError(
                .unsupportedOption, "nothing can be sent to \(address)",
                remedy: "give an address with rtsp, rtmp, udp or srt, or a file")
        }
    }

    private init(
        _ kind: Kind, _ muxer: String, _ address: MediaAddress, url: String? = nil, repeatsHeaders: Bool, options: [String: String],
        connection: [String: String] = [:]
    ) {
        self.kind = kind
        self.muxer = muxer
        self.address = address
        self.repeatsHeaders = repeatsHeaders
        self.options = options
        self.connection = connection
        self.url = url ?? address.url
        label = address.description
    }

    /// A file, by the ending of `path`.
    init(file path: String) throws(MediaError) {
        let container = try ContainerFormat(outputPath: path)
        guard container.kind == .media else {
            throw MediaError(
                .unknownContainer, "\(path) is a picture's name, and a live video is none",
                remedy: "give the output an ending such as .mkv, .mp4 or .ts")
        }
        (kind, muxer, url, label, address) = (.file, container.name, path, MediaAddress.printable(path), nil)
        repeatsHeaders = !container.keepsHeadersApart
        connection = [:]
        // In fragments, each readable without what follows; the first one carries no pictures.
        options = container.isISOMedia ? ["movflags": "frag_keyframe+empty_moov+default_base_moof"] : [:]
    }

    /// libav's words without the address's secrets.
    func scrubbed(_ text: String) -> String { address?.scrubbed(text) ?? MediaAddress.printable(text) }

    /// This kind of file at another place.
    func placed(at path: String) -> LiveTarget {
        var copy = self
        (copy.url, copy.label) = (path, MediaAddress.printable(path))
        return copy
    }

    /// A sliding list of six segments, cut at key frames 2 s apart, each put in place when it is complete. A list that an
    /// earlier run has left is continued, so that players go on and its segments go the way of all others.
    private static func playlist(_ path: String) -> [String: String] {
        let stem = String(path.dropLast(5))
        return [
            "hls_time": "2", "hls_list_size": "6", "hls_delete_threshold": "2",
            "hls_flags": "delete_segments+temp_file+independent_segments+append_list",
            "hls_segment_filename": stem + "-%06d.ts",
        ]
    }

    /// A playlist that does not go on with the one that is there.
    func startedAnew() -> LiveTarget {
        var copy = self
        copy.options["hls_flags"] = options["hls_flags"]?.replacing("+append_list", with: "")
        return copy
    }

    /// A path that libav takes for no other protocol. The HLS muxer hands it to the system to remove old segments, so that
    /// it cannot begin with `file:`.
    private static func plain(_ path: String) -> String { path.hasPrefix("/") ? path : "./" + path }

    /// AC-3 describes itself only in its packets, so the index waits for the first of them.
    func options(for streams: LiveStreams) -> [String: String] {
        var options = options
        if let flags = options["movflags"], let audio = streams.audioCodecName, ["ac3", "eac3"].contains(audio) {
            options["movflags"] = flags.replacing("empty_moov", with: "delay_moov")
        }
        return options
    }

    /// Whether this kind of output has a form for a stream that readers understand.
    func carries(_ parameters: CodecParameters) -> Bool {
        switch kind {
        case .rtsp: return RTPPacketizer.carries(parameters)
        case .transportStream, .hls: break
        case .rtmp, .file:
            guard muxer == "mpegts" else { return LiveMuxer.accepts(parameters, muxer: muxer) }
        }
        guard let known = (try? ContainerFormat(outputPath: "live.ts"))?.recognisedCodecs else { return false }
        return known.contains(parameters.codecName)
    }

    /// The streams that this output takes of `streams`: the video, and the audio where there is a form for it.
    ///
    /// Throws `.unsupportedOption` where there is none for the video.
    func choose(_ streams: LiveStreams) throws(MediaError) -> (indices: [Int], notices: [String]) {
        guard carries(streams.video) else {
            throw MediaError(
                .unsupportedOption, "\(label) cannot carry \(streams.videoCodecName) video", remedy: "use the encoder libx264")
        }
        guard let audio = streams.stream(1)?.parameters else { return ([0], []) }
        if carries(audio) { return ([0, 1], []) }
        return ([0], ["\(label) cannot carry \(audio.codecName) audio: it goes without sound"])
    }
}
