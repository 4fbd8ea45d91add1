internal import MediaIO
internal import RTSP

/// The relay's own server as a target: packets become RTP for whoever reads.
final class ServerSink: TargetSink {
    private let server: RTSPServer
    private let packetizer: RTPPacketizer
    /// The wall clock, in seconds since 1970, at the timeline's zero.
    private let wallOrigin: Double
    private var times: [RTPTimeline]
    let notices: [String]

    /// - Throws: `MediaError` `.unsupportedOption` for an encoder whose packets RTP cannot carry.
    init(_ server: RTSPServer, streams: LiveStreams, wallOrigin: Double) throws {
        self.server = server
        self.wallOrigin = wallOrigin
        packetizer = try RTPPacketizer(streams: streams)
        notices = packetizer.notices
        times = packetizer.tracks.map { RTPTimeline(clockRate: $0.clockRate) }
        server.describe(
            try StreamDescription(
                sdp: packetizer.sdp,
                tracks: packetizer.tracks.map { .init(payloadType: $0.payloadType, clockRate: $0.clockRate, ssrc: $0.ssrc) }))
    }

    func write(_ packet: Packet) throws {
        guard let tick = packet.timeBase.value, let pts = packet.pts, let made = try packetizer.packets(of: packet) else { return }
        let seconds = Double(pts) * tick
        times[made.track].noteGiven(seconds)
        guard let first = made.packets.first else { return }
        let rtpTime = RTPPacketizer.timestamp(of: first)
        server.send(
            MediaUnit(
                track: made.track, isKeyframe: packet.streamIndex == RelayClock.video && packet.isKey, packets: made.packets,
                rtpTime: rtpTime, wallClock: .seconds(wallOrigin + times[made.track].seconds(of: rtpTime, near: seconds))))
    }

    func finish() {}
}

/// Tells which moment of the relay's timeline an RTP time stamp means: readers bring audio and video together by that.
struct RTPTimeline: Sendable {
    private let clockRate: Double
    /// The first packet that was given, and the time stamp of the first one that came out, which is the same packet's.
    private var firstGiven: Double?
    private var firstStamp: UInt32?

    init(clockRate: Int) { self.clockRate = Double(clockRate) }

    /// A packet of that time, in seconds, has been given to the packetiser.
    mutating func noteGiven(_ seconds: Double) { firstGiven = firstGiven ?? seconds }

    /// - Parameter near: a time, in seconds, no further away than half of what the time stamp can count.
    mutating func seconds(of stamp: UInt32, near: Double) -> Double {
        guard let firstGiven else { return near }
        let origin = firstStamp ?? stamp
        firstStamp = origin
        let expected = ((near - firstGiven) * clockRate).rounded()
        let difference = Int32(bitPattern: stamp &- origin &- UInt32(truncatingIfNeeded: Int64(expected)))
        return near + Double(difference) / clockRate
    }
}
