internal import NIOCore

/// What each method does (RFC 2326, 10).
extension ServerLoop {
    private static let methods = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
    private static let passwordAttempts = 5

    func answer(_ request: Request, on connection: Connection) -> Response {
        guard request.sequence != nil else { return Response(.badRequest) }
        do throws(Refusal) {
            let required = request.all("Require") + request.all("Proxy-Require")
            if !required.isEmpty { throw Refusal(.optionNotSupported, [Header("Unsupported", required.joined(separator: ", "))]) }
            let options = Response(.ok, [Header("Public", Self.methods)])
            switch request.method {
            case "OPTIONS" where request["Session"] == nil: return options
            case "ANNOUNCE", "RECORD", "REDIRECT": throw Refusal(.methodNotAllowed, [Header("Allow", Self.methods)])
            case "OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "GET_PARAMETER", "SET_PARAMETER", "TEARDOWN": break
            default: throw Refusal(.notImplemented, [Header("Public", Self.methods)])
            }
            if let refusal = authenticate(request, connection) { return refusal }
            let address = StreamAddress(request.uri, path: path)
            guard address != .other else { throw Refusal(.notFound) }
            switch request.method {
            case "DESCRIBE": return try describe(request)
            case "SETUP": return try setUp(request, address, connection)
            case "OPTIONS":
                try touch(request, connection)
                return options
            case "GET_PARAMETER", "SET_PARAMETER": return try parameters(request, connection)
            default: return try control(request, address, connection)
            }
        } catch {
            return Response(error.status, error.headers)
        }
    }

    private func authenticate(_ request: Request, _ connection: Connection) -> Response? {
        guard let digest else { return nil }
        let now = Self.now()
        let verdict = digest.check(request, on: connection.identity, admission: connection.admission, at: now) {
            StreamAddress($0, path: path) != .other
        }
        switch verdict {
        case .admitted(let admission):
            connection.admission = admission
            connection.wrongPasswords = 0
            return nil
        case .challenged(let stale):
            return Response(.unauthorized, digest.challenges(on: connection.identity, stale: stale, at: now))
        case .denied:
            connection.wrongPasswords += 1
            refused(connection, "wrong user or password")
            let isLast = connection.wrongPasswords >= Self.passwordAttempts
            return Response(.unauthorized, digest.challenges(on: connection.identity, stale: false, at: now), closes: isLast)
        }
    }

    private func describe(_ request: Request) throws(Refusal) -> Response {
        let accepted = request.all("Accept").joined(separator: ",").split(separator: ",").map {
            $0.prefix { $0 != ";" }.trimmed.lowercased()
        }
        guard accepted.isEmpty || accepted.contains(where: ["application/sdp", "application/*", "*/*"].contains) else {
            throw Refusal(.notAcceptable)
        }
        guard let description else { throw Refusal(.serviceUnavailable, [Header("Retry-After", "2")]) }
        var headers = [Header("Content-Type", "application/sdp"), Header("Cache-Control", "no-cache")]
        if let base = StreamAddress.base(of: request.uri) { headers.append(Header("Content-Base", base)) }
        return Response(.ok, headers, body: description.sdp)
    }

    /// The reader that a request names, which may be on another connection of the same host.
    private func reader(for request: Request, _ connection: Connection) throws(Refusal) -> Reader {
        guard let id = request.sessionID, let reader = readers[id], reader.peerAddress == connection.peer else {
            throw Refusal(.sessionNotFound)
        }
        return reader
    }

    @discardableResult
    private func touch(_ request: Request, _ connection: Connection) throws(Refusal) -> Reader {
        let reader = try reader(for: request, connection)
        try reader.handle(.heard, at: Self.now())
        return reader
    }

    private func sessionHeader(_ id: String) -> Header {
        Header("Session", "\(id);timeout=\(max(1, configuration.sessionTimeout.components.seconds))")
    }

    // MARK: SETUP

    private func setUp(_ request: Request, _ address: StreamAddress, _ connection: Connection) throws(Refusal) -> Response {
        guard let description else { throw Refusal(.serviceUnavailable, [Header("Retry-After", "2")]) }
        let track: Int
        switch address {
        case .track(let number): track = number
        case .stream where description.tracks.count == 1: track = 0
        case .stream: throw Refusal(.aggregateOperationNotAllowed)
        case .server, .other: throw Refusal(.notFound)
        }
        guard description.tracks.indices.contains(track) else { throw Refusal(.notFound) }
        guard let header = request["Transport"] else { throw Refusal(.badRequest) }
        let offers = TransportOffer.parse(header, peer: connection.peer)
        guard !offers.isEmpty else { throw Refusal(.unsupportedTransport) }
        let (id, transport) = try setUp(track, offers, request, connection)
        return Response(.ok, [transportHeader(transport, description.tracks[track].ssrc), sessionHeader(id)])
    }

    private func setUp(
        _ track: Int, _ offers: [TransportOffer], _ request: Request, _ connection: Connection
    ) throws(Refusal) -> (String, Transport) {
        if request["Session"] != nil {
            let reader = try touch(request, connection)
            return (reader.id, try reader.choose(offers, for: track, on: connection, hasDatagrams: sockets != nil))
        }
        // A player that changes to another transport may leave the session that it had without a word.
        if let former = self.reader(of: connection) { try former.handle(.replaced, at: Self.now()) }
        makeRoom(at: Self.now())
        guard readers.count < configuration.readerLimit else {
            refused(connection, readers.count == 1 ? "1 reader already" : "\(readers.count) readers already")
            throw Refusal(.notEnoughBandwidth)
        }
        guard let peer = connection.address else { throw Refusal(.internalServerError) }
        let id = SystemRandomNumberGenerator.hex(bytes: 16)
        let reader = Reader(
            id, connection: connection, peer: peer, session: Session(at: Self.now(), timeout: timeout, setUpTimeout: Self.setUpTimeout),
            server: self)
        let transport = try reader.choose(offers, for: track, on: connection, hasDatagrams: sockets != nil)
        connection.sessionID = id
        add(reader)
        return (id, transport)
    }

    private func transportHeader(_ transport: Transport, _ ssrc: UInt32) -> Header {
        let digits = String(ssrc, radix: 16, uppercase: true)
        let source = "ssrc=" + String(repeating: "0", count: 8 - digits.count) + digits
        switch transport {
        case .udp(let rtp, let rtcp):
            let port = sockets?.port ?? 0
            return Header("Transport", "RTP/AVP;unicast;client_port=\(rtp)-\(rtcp);server_port=\(port)-\(port + 1);\(source)")
        case .interleaved(let rtp, let rtcp):
            return Header("Transport", "RTP/AVP/TCP;unicast;interleaved=\(rtp)-\(rtcp);\(source)")
        }
    }

    // MARK: PLAY, PAUSE, TEARDOWN, parameters

    private func control(_ request: Request, _ address: StreamAddress, _ connection: Connection) throws(Refusal) -> Response {
        let reader = try touch(request, connection)
        var track: Int?
        if case .track(let number) = address { track = number }
        let isAggregate = track == nil || Array(reader.session.transports.keys) == [track]
        switch request.method {
        case "TEARDOWN":
            try reader.handle(.teardown(track: track), at: Self.now())
            return Response(.ok)
        case "PLAY":
            guard isAggregate else { throw Refusal(.onlyAggregateOperationAllowed) }
            try reader.handle(.play, at: Self.now())
            var headers = [sessionHeader(reader.id), Header("Range", "npt=now-")]
            if let places = places(of: reader, request.uri) { headers.append(Header("RTP-Info", places)) }
            return Response(.ok, headers)
        default:
            guard isAggregate else { throw Refusal(.onlyAggregateOperationAllowed) }
            try reader.handle(.pause, at: Self.now())
            return Response(.ok, [sessionHeader(reader.id)])
        }
    }

    /// The RTP times of one moment in all tracks, so that players start them together. Which packet will be the first is
    /// not known before the next key frame, so no sequence number is given.
    private func places(of reader: Reader, _ uri: String) -> String? {
        let tracks = reader.session.transports.keys.sorted()
        guard let base = StreamAddress.base(of: uri), let moment = tracks.compactMap({ mappings[$0]?.wallClock }).min() else {
            return nil
        }
        let places = tracks.compactMap { track in
            mappings[track].map { "url=\(base)\(StreamDescription.control(track));rtptime=\($0.rtpTime(at: moment))" }
        }
        return places.joined(separator: ",")
    }

    private func parameters(_ request: Request, _ connection: Connection) throws(Refusal) -> Response {
        var headers: [Header] = []
        if request["Session"] != nil { headers = [sessionHeader(try touch(request, connection).id)] }
        // An empty one is a sign of life (RFC 2326, 10.8); there is no parameter that could be asked for or set.
        guard request.body.isEmpty else { throw Refusal(.parameterNotUnderstood, headers) }
        return Response(.ok, headers)
    }
}

extension Reader {
    /// Sets up a track with the first of the client's offers that goes.
    func choose(
        _ offers: [TransportOffer], for track: Int, on connection: Connection, hasDatagrams: Bool
    ) throws(Refusal) -> Transport {
        for offer in offers {
            let transport: Transport
            switch offer {
            case .udp(let rtp, let rtcp):
                guard hasDatagrams else { continue }
                transport = .udp(rtp: rtp, rtcp: rtcp)
            case .interleaved(let rtp, let rtcp):
                // Media go with the connection that the session began on.
                let asked = rtp.flatMap { rtp in rtcp.map { (rtp: rtp, rtcp: $0) } }
                guard uses(connection), let channels = session.channels(for: track, asked: asked) else { continue }
                transport = channels
            }
            do {
                try handle(.setup(track: track, transport), at: ServerLoop.now())
                return transport
            } catch {
                guard error.status == .unsupportedTransport else { throw error }
            }
        }
        throw Refusal(.unsupportedTransport)
    }
}
