internal import NIOCore

/// One session and the frames that wait for it. Used on the event loop only.
final class Reader {
    private struct Delivery {
        var sender: ControlReport.SenderState
        var hasReported = false
    }

    let id: String
    /// The connection that set it up; over UDP it may have gone.
    private(set) weak var connection: Connection?
    private(set) var session: Session
    private(set) var status: ReaderStatus
    /// Sent with its first frame, and then at an interval.
    private var deliveries: [Int: Delivery] = [:]
    private var ring: MediaRing
    /// The frame that is being sent over UDP, and how many of its packets are gone.
    private var current: (unit: FramedUnit, next: Int)?
    private var isPacing = false
    private var lostBefore = 0
    private var lostUpstreamAtStart = 0
    private var reportedLost = 0
    private var lastWarning: UInt64 = 0
    private(set) var hasPlayed = false
    private let peer: SocketAddress
    private let server: ServerLoop

    /// Packets to one reader at once: the buffer of a player's socket holds no more, and a key frame is longer.
    private static let burst = 48
    private static let burstPause = TimeAmount.milliseconds(1)

    init(_ id: String, connection: Connection, peer: SocketAddress, session: Session, server: ServerLoop) {
        (self.id, self.connection, self.peer, self.session, self.server) = (id, connection, peer, session, server)
        ring = MediaRing(limits: server.limits, hasVideo: false)
        status = ReaderStatus(address: connection.name, transport: .udp, isPlaying: false, framesSent: 0, framesDropped: 0)
    }

    var name: String { status.address }
    var peerAddress: String { peer.ipAddress ?? "" }

    /// Applies an input to the session, and does what it asks for.
    func handle(_ input: Session.Input, at now: UInt64) throws(Refusal) {
        for action in try session.handle(input, at: now) {
            switch action {
            case .start: start()
            case .stop: stop()
            case .end(let ending): server.ended(self, ending)
            }
        }
    }

    private func start() {
        guard let description = server.description else { return }
        let tracks = session.transports.keys.filter { description.tracks.indices.contains($0) }
        ring = MediaRing(limits: server.limits, hasVideo: tracks.contains { description.isVideo[$0] })
        lostUpstreamAtStart = server.lostUpstream
        for track in tracks {
            // Counts go on after a pause, as the source of the packets is the same.
            let ssrc = description.tracks[track].ssrc
            let sender = deliveries[track]?.sender ?? .init(ssrc: ssrc, packetCount: 0, octetCount: 0)
            deliveries[track] = Delivery(sender: sender)
        }
        status.transport = session.isInterleaved ? .tcp : .udp
        status.isPlaying = true
        hasPlayed = true
        show()
        server.began(self)
    }

    private func stop() {
        status.framesDropped = lost
        lostBefore = lost
        current = nil
        status.isPlaying = false
        ring = MediaRing(limits: server.limits, hasVideo: false)
        show()
    }

    private func show() { server.board.show(status, of: id) }

    private var lost: Int { status.isPlaying ? lostBefore + ring.lost + server.lostUpstream - lostUpstreamAtStart : lostBefore }

    func offer(_ unit: FramedUnit) {
        guard status.isPlaying, session.transports[unit.track] != nil else { return }
        ring.append(unit)
        pump()
        status.framesDropped = lost
        show()
    }

    /// True once a second.
    func mayWarn(at now: UInt64) -> Bool {
        guard now - lastWarning >= 1_000_000_000 else { return false }
        lastWarning = now
        return true
    }

    /// Frames lost since the last call.
    func takeLost() -> Int {
        defer { reportedLost = lost }
        return lost - reportedLost
    }

    /// Sends what can be sent without waiting.
    func pump() {
        guard status.isPlaying else { return }
        if session.isInterleaved { pumpConnection() } else { pumpDatagrams() }
    }

    private func pumpConnection() {
        guard let connection, !connection.isClosing, connection.channel.isWritable, !ring.isEmpty else { return }
        while connection.channel.isWritable, let unit = ring.popFirst() {
            guard case .interleaved(let channel, _) = session.transports[unit.track] else { continue }
            reportAtStart(before: unit)
            connection.write(unit.interleaved(on: channel))
            count(unit)
        }
        connection.channel.flush()
    }

    private func pumpDatagrams() {
        guard !isPacing, let sockets = server.sockets else { return }
        var budget = Self.burst
        while budget > 0, sockets.rtp.isWritable {
            guard let (unit, next) = current ?? ring.popFirst().map({ ($0, 0) }) else { break }
            guard case .udp(let port, _) = session.transports[unit.track] else {
                current = nil
                continue
            }
            if next == 0 { reportAtStart(before: unit) }
            let packets = unit.packets(from: next, count: budget)
            for packet in packets {
                sockets.rtp.write(AddressedEnvelope(remoteAddress: address(port), data: packet), promise: nil)
            }
            budget -= packets.count
            let isComplete = next + packets.count == unit.packetSizes.count
            current = isComplete ? nil : (unit, next + packets.count)
            if isComplete { count(unit) }
        }
        sockets.rtp.flush()
        guard budget == 0 else { return }
        isPacing = true
        server.eventLoop.assumeIsolated().scheduleTask(in: Self.burstPause) { [weak self] in
            self?.isPacing = false
            self?.pump()
        }
    }

    private func address(_ port: Int) -> SocketAddress {
        var address = peer
        address.port = port
        return address
    }

    private func count(_ unit: FramedUnit) {
        deliveries[unit.track]?.sender.packetCount &+= UInt32(truncatingIfNeeded: unit.packetSizes.count)
        deliveries[unit.track]?.sender.octetCount &+= UInt32(truncatingIfNeeded: unit.payloadBytes)
        let takesVideo = session.transports.keys.contains { server.isVideo($0) }
        if unit.isVideo || !takesVideo { status.framesSent += 1 }
    }

    /// Before its first packet every track says what its RTP time means, so that a player need not guess what belongs
    /// together, and correct itself later.
    private func reportAtStart(before unit: FramedUnit) {
        guard deliveries[unit.track]?.hasReported == false else { return }
        for track in deliveries.keys where deliveries[track]?.hasReported == false { report(track) }
    }

    /// The reports that are due to all players now and then.
    func reportAll(isLast: Bool = false) {
        guard status.isPlaying else { return }
        for (track, delivery) in deliveries where delivery.hasReported { report(track, isLast: isLast) }
        connection?.channel.flush()
    }

    private func report(_ track: Int, isLast: Bool = false) {
        guard let mapping = server.mappings[track], let sender = deliveries[track]?.sender else { return }
        deliveries[track]?.hasReported = true
        let packet = ControlReport.report(
            sender, mapping: mapping, at: mapping.moment(at: ServerLoop.now()), name: server.canonicalName, isLast: isLast)
        switch session.transports[track] {
        case .udp(_, let port):
            server.sockets?.rtcp.writeAndFlush(AddressedEnvelope(remoteAddress: address(port), data: packet), promise: nil)
        case .interleaved(_, let channel):
            guard let connection, !connection.isClosing else { return }
            // One that takes nothing needs no reports either: they would pile up.
            guard connection.channel.isWritable || isLast else { return }
            var framed = ByteBuffer(integer: Interleaving.mark)
            framed.writeInteger(channel)
            framed.writeInteger(UInt16(packet.readableBytes))
            framed.writeImmutableBuffer(packet)
            connection.write(framed)
        case nil: break
        }
    }

    /// True for the address that RTCP of this reader comes from.
    func hasControl(at sender: SocketAddress) -> Bool {
        session.transports.values.contains { transport in
            guard case .udp(_, let port) = transport else { return false }
            return address(port) == sender
        }
    }

    /// - Parameter connection: where the session's media go, if they are interleaved.
    func uses(_ connection: Connection) -> Bool { self.connection === connection }
}
