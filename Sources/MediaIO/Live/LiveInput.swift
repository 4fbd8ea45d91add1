internal import CFFmpeg
import Glibc

/// Reads a live source: a camera, a server, a device, or a file, packet by packet as they come (libav's
/// `AVFormatContext`, owned by this object).
public final class LiveInput: @unchecked Sendable {
    // Safe to send: used by one thread at a time, the one that reads; the constants are set once. `LiveDecoder` copies
    // what it needs of the stream when it is made.

    /// What carries the media of an RTSP source (RFC 2326, section 12.39).
    public enum Transport: String, Sendable, CaseIterable { case tcp, udp }

    public let address: MediaAddress
    /// The video as the source's first packets describe it.
    public let video: VideoInfo
    /// The audio that passes through, where there is any.
    public let audio: AudioTrack?
    /// Stream index of the audio's packets; the video's is `video.streamIndex`.
    public let audioIndex: Int?
    /// libav's short name of the container or protocol, such as `rtsp` or `mpegts`.
    public let containerName: String
    /// True where packets come faster than they are to be shown, as from a file and from HLS: whoever wants them in real
    /// time has to wait by their times.
    public let needsPacing: Bool

    private let raw: UnsafeMutablePointer<AVFormatContext>
    private let interrupt: Interrupt
    /// Packets of the video without any time so far, and where the next one would be.
    private var timelessPackets = 0
    private var nextTime: Int64?
    /// RTSP servers send pictures before they say what time it is; who has said nothing for so many packets never will.
    private static let longestTimeless = 8
    /// Unreadable packets in a row after which a source counts as lost.
    private static let mostFailures = 256

    /// Connects, and reads until the streams are known: mostly up to the first key frame, 5 s at most.
    ///
    /// Every wait ends with `interrupt`, triggered or expired; only the resolver of host names keeps times of its own.
    /// - Parameter transport: of the media of an RTSP source; without meaning for others.
    ///
    /// Throws `.unreachable` (nobody answers, or nothing that can be read), `.denied` (401, 403), `.noVideo`, `.unsupported`
    /// (this libav lacks the protocol), `.cancelled`, and for files and devices what `Demuxer` throws.
    public init(_ address: MediaAddress, transport: Transport, interrupt: Interrupt) throws(MediaError) {
        let opening = LiveOpening(address: address, transport: transport, interrupt: interrupt)
        let (context, video) = try opening.open()
        let index = Int(av_find_best_stream(context, AVMEDIA_TYPE_AUDIO, -1, Int32(video.streamIndex), nil, 0))
        var track: AudioTrack?
        do throws(MediaError) {
            if let stream = Self.stream(at: index, of: context), stream.pointee.codecpar.pointee.sample_rate > 0 {
                track = try AudioTrack(stream)
            }
        } catch {
            var pointer: UnsafeMutablePointer<AVFormatContext>? = context
            avformat_close_input(&pointer)
            throw error
        }
        for other in 0..<Int(context.pointee.nb_streams) where other != video.streamIndex && (track == nil || other != index) {
            context.pointee.streams[other]?.pointee.discard = AVDISCARD_ALL
        }
        raw = context
        audio = track
        audioIndex = track == nil ? nil : index
        containerName = String(cString: context.pointee.iformat.pointee.name)
        needsPacing = address.scheme == .file || containerName.hasPrefix("hls")
        self.address = address
        self.video = video
        self.interrupt = interrupt
    }

    /// Tells an RTSP server that this reader leaves (TEARDOWN), which takes a third of a second at most: a camera that sends
    /// over UDP would go on for a minute.
    deinit {
        interrupt.grant(.milliseconds(300))
        var pointer: UnsafeMutablePointer<AVFormatContext>? = raw
        avformat_close_input(&pointer)
    }

    private static func stream(
        at index: Int, of context: UnsafeMutablePointer<AVFormatContext>
    ) -> UnsafeMutablePointer<AVStream>? {
        index >= 0 && index < Int(context.pointee.nb_streams) ? context.pointee.streams[index] : nil
    }

    /// The video's stream, for what decodes it.
    func videoStream() throws(MediaError) -> UnsafeMutablePointer<AVStream> {
        guard let stream = Self.stream(at: video.streamIndex, of: raw) else {
            throw MediaError(.noVideo, "\(address) has no video stream \(video.streamIndex)")
        }
        return stream
    }

    /// The next packet of the video or the audio, in the order in which the source sends them, with its times in
    /// `Packet.timeBase`; nil where the source says that it has ended. The first few may have no times.
    ///
    /// What cannot be read is skipped. Throws `.cancelled` and `.stalled` by the interrupt, triggered or expired, and
    /// `.unreachable` where reading fails.
    public func next() throws(MediaError) -> Packet? {
        let packet = try Packet()
        var failures = 0
        while true {
            try check()
            let result = av_read_frame(raw, packet.raw)
            if result >= 0 {
                let index = packet.streamIndex
                guard index == video.streamIndex || index == audioIndex, let stream = Self.stream(at: index, of: raw) else {
                    av_packet_unref(packet.raw)
                    continue
                }
                packet.raw.pointee.time_base = stream.pointee.time_base
                if index == video.streamIndex { stamp(packet) }
                return packet
            }
            // A read that was cut short may look like an end.
            try check()
            // A disk that fails looks like the end of its file.
            if address.scheme == .file, let code = SourceIO.fault(of: raw.pointee.pb) { throw broken(code) }
            if result == AV.endOfFile { return nil }
            if result == AV.again {
                usleep(2000)
                continue
            }
            failures += 1
            guard result == shim_averror_invalid_data(), failures < Self.mostFailures else {
                throw broken(result)
            }
        }
    }

    private func broken(_ code: Int32) -> MediaError {
        let what = address.scheme == .file ? "\(address) cannot be read to its end" : "the connection to \(address) is lost"
        return MediaError(.unreachable, what, remedy: nil, cause: address.scrubbed(AV.text(code)))
    }

    /// Gives times at the nominal rate to the packets of a source that has none, such as a bare H.264 stream.
    private func stamp(_ packet: Packet) {
        let step = (video.frameRate ?? Rational(25, 1)).inverse.rescale(1, to: packet.timeBase)
        if let time = packet.dts ?? packet.pts {
            nextTime = time.addingClamped(max(1, step))
            timelessPackets = 0
            return
        }
        timelessPackets += 1
        guard timelessPackets > Self.longestTimeless else { return }
        let time = nextTime ?? 0
        packet.raw.pointee.pts = time
        packet.raw.pointee.dts = time
        nextTime = time.addingClamped(max(1, step))
    }

    private func check() throws(MediaError) {
        if interrupt.isTriggered { throw MediaError(.cancelled, "cancelled") }
        if interrupt.isExpired { throw MediaError(.stalled, "nothing comes from \(address) any more") }
    }
}
