/// The RTP packets of one frame of video or one packet of audio: all of them are sent to a reader, or none.
public struct MediaUnit: Sendable {
    /// The place in `StreamDescription.tracks`.
    public let track: Int
    /// True where a player can start here. Ignored for audio.
    public let isKeyframe: Bool
    /// With their RTP headers, in order.
    public let packets: [[UInt8]]
    /// The RTP time stamp of the packets.
    public let rtpTime: UInt32
    /// When what the unit shows or sounds was recorded, since 1970-01-01 UTC. Sender reports say it to players, which play
    /// together what was recorded together: tracks of one stream must use the same clock, and it must run at RTP's rate.
    public let wallClock: Duration

    public init(track: Int, isKeyframe: Bool, packets: [[UInt8]], rtpTime: UInt32, wallClock: Duration) {
        self.track = track
        self.isKeyframe = isKeyframe
        self.packets = packets
        self.rtpTime = rtpTime
        self.wallClock = wallClock
    }
}

/// One reader of a running server.
public struct ReaderStatus: Sendable, Equatable {
    public enum Transport: String, Sendable { case udp, tcp }

    /// IP address and port of the reader's connection.
    public let address: String
    public internal(set) var transport: Transport
    public internal(set) var isPlaying: Bool
    /// Of the video, or of the audio where the reader takes only that.
    public internal(set) var framesSent: Int
    public internal(set) var framesDropped: Int
}
