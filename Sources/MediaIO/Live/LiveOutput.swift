import Glibc

/// One target of a relay: a connection, an HLS playlist or a file. Everything here blocks, so it has a thread of its own.
///
/// It starts at the first key frame that it is given, whose time becomes the output's 0; both streams are shifted alike.
/// Every call ends soon after the interrupt given at the start is triggered or expires.
public final class LiveOutput: @unchecked Sendable {
    // Safe to send: used by one thread at a time; the constants are set once.
    public let address: MediaAddress
    /// What the target goes without, and what was found of earlier runs, in plain words.
    public let notices: [String]
    private let sink: Sink
    /// Of an HLS playlist.
    private let segments: PlaylistSegments?

    private enum Sink {
        case connection(LiveMuxer)
        case file(RecordingFile)
    }

    /// Throws `.unsupportedOption` or `.unknownContainer` for an address that nothing can be sent to; connects to nothing.
    public static func check(_ address: MediaAddress) throws(MediaError) {
        _ = try LiveTarget(address, transport: .tcp)
    }

    /// The same, and whether the target has a form for these streams' video; a file that is there already is refused too.
    ///
    /// Throws also `.unsupportedOption` for a video codec, and `.outputExists`.
    public static func check(_ address: MediaAddress, streams: LiveStreams) throws(MediaError) {
        let target = try LiveTarget(address, transport: .tcp)
        _ = try target.choose(streams)
        if target.kind == .file, access(address.path, F_OK) == 0 {
            throw MediaError(
                .outputExists, "\(address) is there already", remedy: "give the output another name, or remove the file")
        }
    }

    /// Connects and announces the streams, or creates the file under a hidden name.
    ///
    /// `transport` is for RTSP; with `replacesExisting` a file that is there already is replaced when this one is finished;
    /// with `continuesRecording` this is another part of a recording that broke off, and gets a number where its name is taken.
    /// Throws `.denied` (wrong or missing password), `.unreachable`, `.unwritable`, `.diskFull`, `.outputExists`,
    /// `.unsupportedOption` (an address that nothing can be sent to, a video codec that the target has no form for),
    /// `.unknownContainer`, `.cancelled`.
    public init(
        _ address: MediaAddress, streams: LiveStreams, transport: LiveInput.Transport = .tcp, replacesExisting: Bool = false,
        continuesRecording: Bool = false, interrupt: Interrupt
    ) throws(MediaError) {
        self.address = address
        var target = try LiveTarget(address, transport: transport)
        let (indices, notices) = try target.choose(streams)
        segments = target.kind == .hls ? PlaylistSegments(path: address.path) : nil
        if segments?.isOwn == false { target = target.startedAnew() }
        segments?.removeLeftovers()
        guard target.kind == .file else {
            sink = .connection(try LiveMuxer(target, streams: streams, indices: indices, interrupt: interrupt))
            self.notices = notices
            return
        }
        let kept = RecordingLeftovers.keep(of: address.path)
        if continuesRecording { target = target.placed(at: SegmentNames.free(address.path)) }
        sink = .file(
            try RecordingFile(
                target, streams: streams, indices: indices, replacesExisting: replacesExisting, interrupt: interrupt))
        self.notices = notices + kept
    }

    /// Takes a packet of the relay: stream 0 (video) or 1 (audio), in the relay's times.
    ///
    /// Throws `.unreachable`, `.unwritable`, `.diskFull`, `.stalled` (the interrupt has expired), `.cancelled`; then the output
    /// is of no more use.
    public func write(_ packet: Packet) throws(MediaError) {
        switch sink {
        case .connection(let muxer):
            try muxer.write(packet)
            if packet.streamIndex == 0, packet.isKey { segments?.note() }
        case .file(let file): try file.write(packet)
        }
    }

    /// Ends in order: writes the trailer or says good-bye (RTSP TEARDOWN), closes, and puts a file in place.
    ///
    /// Dropped without it, connections break off, and a file with anything in it is put in place as it is.
    public func finish() throws(MediaError) {
        switch sink {
        case .connection(let muxer):
            defer { segments?.note() }
            try muxer.finish()
        case .file(let file): try file.finish()
        }
    }
}
