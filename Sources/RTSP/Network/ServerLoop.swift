internal import NIOCore
internal import NIOPosix

/// The server's side of the event loop: connections, sessions, clocks. Used on the event loop only.
final class ServerLoop {
    let configuration: RTSPServerConfiguration
    let eventLoop: any EventLoop
    let board: Board
    /// As `StreamAddress.normalised` makes it.
    let path: String
    let limits: MediaRing.Limits
    let digest: DigestGuard?
    /// Ties the tracks together (RFC 7022: random, for this run).
    let canonicalName = SystemRandomNumberGenerator.hex(bytes: 12)
    /// What the newest unit of each track said.
    private(set) var mappings: [Int: ControlReport.ClockMapping] = [:]
    /// Nil for the moment between two pairs, where one broke.
    private(set) var sockets: MediaSockets?
    private(set) var readers: [String: Reader] = [:]

    private let emit: @Sendable (RTSPServer.Event) -> Void
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var listener: (any Channel)?
    private var ticker: RepeatedTask?
    private var lastReport: UInt64 = 0
    private var lastRefusal: UInt64?
    private var isReopening = false
    private var isClosing = false
    private var reopen: (() -> EventLoopFuture<MediaSockets>)?

    init(
        _ configuration: RTSPServerConfiguration, on eventLoop: any EventLoop, board: Board, sockets: MediaSockets,
        onEvent: @escaping @Sendable (RTSPServer.Event) -> Void
    ) {
        (self.configuration, self.eventLoop, self.board, self.sockets) = (configuration, eventLoop, board, sockets)
        emit = onEvent
        path = StreamAddress.normalised(configuration.path)
        limits = MediaRing.Limits(units: 1024, bytes: configuration.readerBytes, age: configuration.readerDelay.nanoseconds)
        digest = configuration.credentials.map { DigestGuard($0) }
    }

    var description: StreamDescription? { board.description }
    var lostUpstream: Int { board.lost }
    var timeout: UInt64 { configuration.sessionTimeout.nanoseconds }
    /// Nanoseconds that a session has to play in.
    static let setUpTimeout: UInt64 = 10_000_000_000

    func isVideo(_ track: Int) -> Bool {
        guard let kinds = description?.isVideo, kinds.indices.contains(track) else { return false }
        return kinds[track]
    }

    static func now() -> UInt64 { NIODeadline.now().uptimeNanoseconds }

    func open(_ listener: any Channel, address: SocketAddress, group: MultiThreadedEventLoopGroup) {
        self.listener = listener
        sockets?.attach(to: self)
        let (port, loop) = (sockets?.port ?? 0, eventLoop)
        reopen = {
            let promise = loop.makePromise(of: MediaSockets.self)
            promise.completeWithTask { try await MediaSockets.open(at: address, port: port, on: group) }
            return promise.futureResult
        }
        let period = TimeAmount.milliseconds(250)
        // Holds the server until `close`.
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in bound.value.tick() }
    }

    // MARK: Media

    func drain() {
        while !isClosing, let unit = board.next() {
            if let tracks = description?.tracks, tracks.indices.contains(unit.track) {
                mappings[unit.track] = .init(
                    rtpTime: unit.rtpTime, wallClock: unit.wallClock, clockRate: tracks[unit.track].clockRate,
                    arrival: unit.arrival)
            }
            for reader in readers.values { reader.offer(unit) }
        }
    }

    func pumpDatagrams() {
        for reader in readers.values where !reader.session.isInterleaved { reader.pump() }
    }

    // MARK: Readers

    func began(_ reader: Reader) { emit(.playing(reader: reader.name)) }

    /// Makes room where all places are taken, by sessions that were set up and never played: they cost whoever makes them one
    /// request each. Of the address that has the most of them, the oldest goes; the only one of an address is left its time.
    func makeRoom(at now: UInt64) {
        guard readers.count >= configuration.readerLimit else { return }
        let idle = Dictionary(grouping: readers.values.filter { !$0.session.hasPlayed }, by: \.peerAddress)
        guard let most = idle.values.max(by: { $0.count < $1.count }), let oldest = most.min(by: { $0.session.begun < $1.session.begun }),
            most.count > 1 || now - oldest.session.begun > Self.setUpTimeout / 2
        else { return }
        try? oldest.handle(.replaced, at: now)
    }

    func add(_ reader: Reader) {
        readers[reader.id] = reader
        board.show(reader.status, of: reader.id)
    }

    func ended(_ reader: Reader, _ ending: Session.Ending) {
        readers[reader.id] = nil
        board.show(nil, of: reader.id)
        if let connection = reader.connection, connection.sessionID == reader.id {
            connection.sessionID = nil
            // It carried the media, and its reader does not take them.
            if reader.session.isInterleaved, ending == .stuck || ending == .silent { connection.close() }
        }
        if reader.hasPlayed { emit(.left(reader: reader.name, reason: ending.rawValue)) }
    }

    func reader(of connection: Connection) -> Reader? { connection.sessionID.flatMap { readers[$0] } }

    /// RTCP over UDP.
    func heard(from address: SocketAddress) {
        for reader in readers.values where reader.hasControl(at: address) { try? reader.handle(.heard, at: Self.now()) }
    }

    /// RTCP over TCP.
    func heard(on connection: Connection) { try? reader(of: connection)?.handle(.heard, at: Self.now()) }

    func refused(_ connection: Connection, _ reason: String) {
        let now = Self.now()
        if let lastRefusal, now - lastRefusal < 1_000_000_000 { return }
        lastRefusal = now
        emit(.refused(reader: connection.name, reason: reason))
    }

    // MARK: Connections

    /// False where there are too many.
    func admit(_ connection: Connection) -> Bool {
        guard !isClosing, connections.count < configuration.connectionLimit else {
            refused(connection, "too many connections")
            return false
        }
        connections[ObjectIdentifier(connection)] = connection
        return true
    }

    func closed(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = nil
        try? reader(of: connection)?.handle(.connectionClosed, at: Self.now())
    }

    // MARK: Clocks

    private func tick() {
        let now = Self.now()
        for reader in Array(readers.values) {
            if reader.session.isInterleaved, reader.connection?.hasProgressed() == true { try? reader.handle(.delivered, at: now) }
            try? reader.handle(.tick, at: now)
        }
        for connection in Array(connections.values) where connection.sessionID == nil && now > connection.lastRequest {
            if now - connection.lastRequest > timeout { connection.close() }
        }
        if now - lastReport >= configuration.reportInterval.nanoseconds {
            lastReport = now
            for reader in readers.values { reader.reportAll() }
        }
        warn(at: now)
        reopenSockets()
    }

    private func warn(at now: UInt64) {
        for reader in readers.values where reader.mayWarn(at: now) {
            let frames = reader.takeLost()
            if frames > 0 { emit(.lost(reader: reader.name, frames: frames)) }
        }
    }

    /// Some errors of one datagram close the whole socket; readers over UDP go on with another one on the same port.
    private func reopenSockets() {
        guard let broken = sockets, !broken.isActive, !isReopening, let reopen else { return }
        isReopening = true
        broken.close()
        reopen().assumeIsolated().whenComplete { [weak self] result in
            guard let self else { return }
            isReopening = false
            guard case .success(let fresh) = result else { return }
            guard !isClosing else { return fresh.close() }
            fresh.attach(to: self)
            sockets = fresh
        }
    }

    /// Says goodbye, and closes all.
    func close() -> EventLoopFuture<Void> {
        guard !isClosing else { return eventLoop.makeSucceededVoidFuture() }
        isClosing = true
        ticker?.cancel()
        listener?.close(promise: nil)
        for reader in readers.values { reader.reportAll(isLast: true) }
        for reader in readers.values {
            board.show(nil, of: reader.id)
            if reader.hasPlayed { emit(.left(reader: reader.name, reason: "server stopped")) }
        }
        readers = [:]
        for connection in connections.values { connection.finish() }
        let end = eventLoop.makePromise(of: Void.self)
        // The connections close themselves within this time.
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(600)) {
            self.sockets?.close()
            for connection in self.connections.values { connection.close() }
            end.succeed()
        }
        return end.futureResult
    }
}

extension Duration {
    /// 0 for what is negative; more than 292 years count as that.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0 else { return 0 }
        return UInt64(min(seconds, 9_000_000_000)) * 1_000_000_000 + UInt64(max(0, attoseconds) / 1_000_000_000)
    }
}

extension SystemRandomNumberGenerator {
    static func hex(bytes count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }.hex
    }
}
