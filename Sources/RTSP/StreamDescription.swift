/// What readers are told of the stream before it is sent.
public struct StreamDescription: Sendable, Equatable {
    /// One medium. Its number is its place in the SDP, from 0.
    public struct Track: Sendable, Equatable {
        /// 0...127.
        public let payloadType: Int
        /// Ticks of the RTP time stamps per second.
        public let clockRate: Int
        /// As in the RTP packets.
        public let ssrc: UInt32

        public init(payloadType: Int, clockRate: Int, ssrc: UInt32) {
            self.payloadType = payloadType
            self.clockRate = clockRate
            self.ssrc = ssrc
        }
    }

    public let tracks: [Track]
    /// The SDP for readers of this server.
    let sdp: String
    /// By track: true for `m=video`.
    let isVideo: [Bool]

    /// - Parameter sdp: as libavformat makes it (RFC 8866). Addresses, ports, ranges and control lines in it are replaced by
    ///   those of a stream on demand (RFC 2326, C.1); everything else stays.
    ///
    /// Throws `.internalFailure` where the SDP has not one `m=` section with its payload type for each track.
    public init(sdp: String, tracks: [Track]) throws(RTSPError) {
        var media: [(isVideo: Bool, payloadType: String)] = []
        var lines: [String] = []
        for line in sdp.split(whereSeparator: \.isNewline).map(String.init) {
            guard line.hasPrefix("m=") else {
                if let kept = Self.kept(line) { lines.append(kept) }
                continue
            }
            Self.endSection(&lines, after: media.count)
            let fields = line.dropFirst(2).split(separator: " ")
            guard fields.count >= 4 else { throw RTSPError(.internalFailure, "the stream's SDP has a bad line '\(line)'") }
            media.append((fields[0] == "video", String(fields[3])))
            lines.append("m=\(fields[0]) 0 RTP/AVP \(fields[3...].joined(separator: " "))")
        }
        Self.endSection(&lines, after: media.count)
        guard media.map(\.payloadType) == tracks.map({ "\($0.payloadType)" }), !tracks.isEmpty,
            tracks.allSatisfy({ $0.clockRate > 0 && (0...127).contains($0.payloadType) })
        else {
            throw RTSPError(.internalFailure, "the stream's SDP does not go with its \(tracks.count) tracks")
        }
        self.tracks = tracks
        self.sdp = lines.map { $0 + "\r\n" }.joined()
        isVideo = media.map(\.isVideo)
    }

    /// The control address of a track, relative to `Content-Base`.
    static func control(_ track: Int) -> String { "trackID=\(track)" }

    private static func kept(_ line: String) -> String? {
        if line.hasPrefix("a=control:") || line.hasPrefix("a=range:") { return nil }
        return line.hasPrefix("c=") ? "c=IN IP4 0.0.0.0" : line
    }

    /// Closes the session section (before any medium) or that of a medium.
    private static func endSection(_ lines: inout [String], after mediaCount: Int) {
        if mediaCount == 0 {
            lines += ["a=control:*", "a=range:npt=now-"]
        } else {
            lines.append("a=control:\(control(mediaCount - 1))")
        }
    }
}
