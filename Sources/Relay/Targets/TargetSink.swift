internal import MediaIO
internal import RTSP

/// Where a target's packets go once it is connected. All calls block, on the target's own thread.
protocol TargetSink: AnyObject {
    func write(_ packet: Packet) throws
    /// Says goodbye or finishes the file.
    func finish() throws
    /// What the user should know, such as audio that is left out.
    var notices: [String] { get }
}

extension LiveOutput: TargetSink {}
extension SegmentFiles: TargetSink {}

/// The relay's own server as a target: packets become RTP for whoever reads.
final class ServerSink: TargetSink {
    private let server: RTSPServer
    private let packetizer: RTPPacketizer
    /// The wall clock, in seconds since 1970, at the timeline's zero.
    private let wallOrigin: Double
    let notices: [String]

    /// - Throws: `MediaError` `.unsupportedOption` for an encoder whose packets RTP cannot carry.
    init(_ server: RTSPServer, streams: LiveStreams, wallOrigin: Double) throws {
        self.server = server
        self.wallOrigin = wallOrigin
        packetizer = try RTPPacketizer(streams: streams)
        notices = packetizer.notices
        server.describe(packetizer.description)
    }

    func write(_ packet: Packet) throws {
        guard let tick = packet.timeBase.value, let pts = packet.pts, let made = try packetizer.packets(of: packet) else { return }
        server.send(
            MediaUnit(
                track: made.track, isKeyframe: packet.streamIndex == RelayClock.video && packet.isKey, packets: made.packets,
                rtpTime: made.rtpTime, wallClock: wallOrigin + Double(pts) * tick))
    }

    func finish() {}
}
