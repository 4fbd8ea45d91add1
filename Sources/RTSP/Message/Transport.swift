/// How a track goes to its reader.
enum Transport: Sendable, Equatable {
    /// Ports at the reader's address.
    case udp(rtp: Int, rtcp: Int)
    /// Channels of the connection.
    case interleaved(rtp: UInt8, rtcp: UInt8)
}

/// One of the alternatives that a client offers (RFC 2326, 12.39).
enum TransportOffer: Sendable, Equatable {
    case udp(rtp: Int, rtcp: Int)
    /// Nil where the client leaves the choice to the server.
    case interleaved(rtp: UInt8?, rtcp: UInt8?)

    private static let alternativeLimit = 16

    /// The alternatives that this server can do, in the client's order.
    ///
    /// - Parameter peer: the client's IP address. Media goes nowhere else, so an alternative with another `destination` is
    ///   left out: it would let one client flood another host.
    static func parse(_ header: String, peer: String) -> [TransportOffer] {
        header.split(separator: ",").prefix(alternativeLimit).compactMap { TransportOffer(String($0), peer: peer) }
    }

    private init?(_ text: String, peer: String) {
        let fields = text.split(separator: ";").map { $0.trimmed }
        guard let profile = fields.first?.uppercased() else { return nil }
        var values: [String: String] = [:]
        for field in fields.dropFirst() {
            let pair = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            values[pair[0].trimmed.lowercased()] = pair.count == 2 ? pair[1].trimmed : ""
        }
        guard values["multicast"] == nil, Self.isPlay(values["mode"]) else { return nil }
        if let destination = values["destination"], !destination.isEmpty, destination != peer { return nil }
        switch profile {
        case "RTP/AVP", "RTP/AVP/UDP":
            guard let range = values["client_port"], let (rtp, rtcp) = Self.pair(range), Self.isPlayersPort(rtp),
                Self.isPlayersPort(rtcp), rtp != rtcp
            else { return nil }
            self = .udp(rtp: rtp, rtcp: rtcp)
        case "RTP/AVP/TCP":
            guard let range = values["interleaved"] else {
                self = .interleaved(rtp: nil, rtcp: nil)
                return
            }
            guard let (first, second) = Self.pair(range), first != second, let rtp = UInt8(exactly: first),
                let rtcp = UInt8(exactly: second)
            else { return nil }
            self = .interleaved(rtp: rtp, rtcp: rtcp)
        default: return nil
        }
    }

    private static func isPlay(_ mode: String?) -> Bool {
        guard let mode else { return true }
        return mode.filter { $0 != "\"" }.equalsIgnoringCase("PLAY")
    }

    /// Ports of the system are no player's; a stream aimed at one is an attack on what listens there.
    private static func isPlayersPort(_ port: Int) -> Bool { (1024...65535).contains(port) }

    /// `5000-5001`, or `5000` with the next one understood.
    private static func pair(_ text: String) -> (Int, Int)? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ (1...5).contains($0.count) && $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let first = parts.first.flatMap({ Int($0) })
        else { return nil }
        guard parts.count == 2 else { return (first, first + 1) }
        return Int(parts[1]).map { (first, $0) }
    }
}
