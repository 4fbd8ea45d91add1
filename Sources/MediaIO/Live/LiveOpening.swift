internal import CFFmpeg

/// Opens a live source for `LiveInput`: options for each kind of address, and what its errors mean.
struct LiveOpening {
    let address: MediaAddress
    let transport: LiveInput.Transport
    let interrupt: Interrupt

    typealias Context = UnsafeMutablePointer<AVFormatContext>

    /// libav's network and devices, prepared once.
    private static let prepared: Void = {
        _ = AV.installLog
        avformat_network_init()
        avdevice_register_all()
    }()

    /// An open context that knows its streams, which the caller closes, and its video.
    func open() throws(MediaError) -> (context: Context, video: VideoInfo) {
        _ = Self.prepared
        try interrupt.check()
        if address.scheme == .file {
            let (context, info) = try SourceOpening.open(path: address.path, interrupt: interrupt, sequenceRate: Rational(25, 1))
            return (context, info.video)
        }
        try address.checkLengths()
        var context: Context? = try connect()
        do throws(MediaError) {
            guard let context else { throw MediaError(.internalFailure, "libavformat opened nothing") }
            let result = avformat_find_stream_info(context, nil)
            guard result >= 0 else { throw failure(result) }
            return (context, try video(of: context))
        } catch {
            avformat_close_input(&context)
            throw error
        }
    }

    private func connect() throws(MediaError) -> Context {
        var context = avformat_alloc_context()
        guard context != nil else { throw MediaError(.outOfMemory, "no memory to open \(address)") }
        context?.pointee.interrupt_callback = interrupt.callback
        var options: OpaquePointer?
        defer { av_dict_free(&options) }
        for (key, value) in Self.common.merging(own, uniquingKeysWith: { $1 }) { av_dict_set(&options, key, value, 0) }
        // A line of something before, which would be taken for the cause.
        _ = AV.text(0)
        let result = avformat_open_input(&context, address.url, try inputFormat(), &options)
        guard result >= 0, let context else { throw failure(result) }
        return context
    }

    // MARK: - Options

    /// Stream parameters are known from the first key frame on, mostly at once; the limits are for sources that have no
    /// frames in some of their streams. `nobuffer` is not set: it throws away the frames seen while probing, the first
    /// key frame with them, and a picture would come no sooner than with the next one.
    private static let common = [
        "probesize": "10000000", "analyzeduration": "5000000", "fpsprobesize": "6", "max_streams": "64",
        "format_whitelist": networkFormats,
    ]

    /// What servers may send: the formats of files, playlists that `protocol_whitelist` keeps from the file system, and
    /// the pictures that cameras push as one long document.
    private static let networkFormats =
        (["rtsp", "rtp", "hls", "mpjpeg", "webvtt", "video4linux2", "v4l2"] + SourceFormats.containers.sorted()
            + SourceFormats.audioOnly.sorted()).joined(separator: ",")

    /// Microseconds without any data after which libav gives a connection up by itself; the interrupt is earlier where
    /// the caller says so.
    private static let silence = "15000000"
    /// Bytes that the kernel keeps of a burst of datagrams, such as a key frame.
    private static let datagramBuffer = "2097152"

    private var own: [String: String] {
        switch address.scheme {
        case .rtsp, .rtsps:
            [
                "rtsp_transport": transport.rawValue, "timeout": Self.silence, "allowed_media_types": "video+audio",
                // Datagrams out of order are waited for this long (microseconds), lost ones too.
                "max_delay": "100000", "buffer_size": Self.datagramBuffer,
                "protocol_whitelist": "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,httpproxy",
            ]
        case .rtmp, .rtmps:
            [
                "rw_timeout": Self.silence, "rtmp_buffer": "500", "tcp_nodelay": "1",
                "protocol_whitelist": "rtmp,rtmps,tcp,tls",
            ]
        case .http, .https:
            // Of a playlist the last segment but one: nearer to the present it would end before the next is there.
            [
                "rw_timeout": Self.silence, "live_start_index": "-2",
                "protocol_whitelist": "http,https,tcp,tls,crypto,httpproxy",
            ]
        case .udp:
            [
                "buffer_size": Self.datagramBuffer, "overrun_nonfatal": "1", "rw_timeout": Self.silence,
                "protocol_whitelist": "udp",
            ]
        case .srt: ["timeout": Self.silence, "protocol_whitelist": "srt"]
        case .device, .file: ["protocol_whitelist": "file"]
        }
    }

    /// Datagrams carry MPEG-TS, whose packets need not start with anything that could be recognised.
    private func inputFormat() throws(MediaError) -> UnsafePointer<AVInputFormat>? {
        let name: String
        switch address.scheme {
        case .udp, .srt: name = "mpegts"
        case .device: name = "v4l2"
        default: return nil
        }
        guard let format = av_find_input_format(name) else {
            throw MediaError(.unsupported, "this libavformat cannot read \(name)", remedy: "install Debian's libavformat")
        }
        return format
    }

    // MARK: - What came

    private func video(of context: Context) throws(MediaError) -> VideoInfo {
        let streams = (0..<Int(context.pointee.nb_streams)).compactMap { context.pointee.streams[$0] }
        let index = Int(av_find_best_stream(context, AVMEDIA_TYPE_VIDEO, -1, -1, nil, 0))
        guard streams.indices.contains(index), !MediaStreamInfo(streams[index]).isCoverArt else {
            let contents = streams.map { MediaStreamInfo($0).kind.rawValue }.joined(separator: ", ")
            throw MediaError(
                .noVideo, "\(address) has no video" + (contents.isEmpty ? "" : " (only \(contents))"),
                remedy: "give the address of a stream with video in it")
        }
        let video = VideoInfo(streams[index], in: context)
        guard video.width > 0, video.height > 0 else {
            try interrupt.check()
            throw MediaError(
                .unreachable, "\(address) sent no picture that its video could start with",
                remedy: "set the camera to a key frame every few seconds")
        }
        return video
    }

    /// What libav's code says about this source.
    func failure(_ result: Int32) -> MediaError {
        let cause = address.scrubbed(AV.text(result))
        if interrupt.isTriggered { return MediaError(.cancelled, "cancelled") }
        func error(_ code: MediaError.Code, _ message: String, _ remedy: String?) -> MediaError {
            MediaError(code, message, remedy: remedy, cause: cause)
        }
        if result == shim_averror_exit() || result == shim_averror(110 /* ETIMEDOUT */) {
            return error(.unreachable, "\(address) does not answer", "check the address, and that the source is on")
        }
        if shim_is_denied(result) != 0 {
            let remedy = address.hasPassword ? "check the name and password" : "give the name and password of the source"
            return error(.denied, "\(address) denies access", remedy)
        }
        if shim_is_not_found(result) != 0 { return error(.unreachable, "\(address) has nothing of that name", "check the path") }
        if shim_is_missing_part(result) != 0 {
            return error(.unsupported, "this libavformat has no \(address.scheme.rawValue)", "install Debian's libavformat")
        }
        switch result {
        case shim_averror(12 /* ENOMEM */): return error(.outOfMemory, "no memory to open \(address)", nil)
        case shim_averror_invalid_data(), AV.endOfFile:
            return error(.unreachable, "\(address) sends no video that can be read", "check the address")
        default: break
        }
        if address.scheme == .device { return device(result, cause) }
        return error(.unreachable, "\(address) cannot be reached", "check the address, and that the source is on")
    }

    private func device(_ result: Int32, _ cause: String) -> MediaError {
        switch result {
        case shim_averror(2 /* ENOENT */), shim_averror(6 /* ENXIO */), shim_averror(19 /* ENODEV */):
            MediaError(.noSuchFile, "there is no camera \(address)", remedy: "plug it in, or give another one", cause: cause)
        case shim_averror(13 /* EACCES */), shim_averror(1 /* EPERM */):
            MediaError(
                .unreadable, "\(address) may not be read by this user", remedy: "make the user a member of the group video",
                cause: cause)
        default: MediaError(.unreachable, "\(address) gives no video", remedy: "see that no other program uses it", cause: cause)
        }
    }
}
