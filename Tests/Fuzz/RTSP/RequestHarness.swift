import FuzzKit

@testable import RTSP

/// The harnesses of the room RTSP.
let rtspHarnesses = [Harness("rtsp", rtsp), Harness("rtsp-server", rtspServer), Harness("sdp", sdp)]

/// What a parser makes of the bytes of a connection.
private struct Reading: Equatable {
    var messages: [ClientMessage] = []
    var failure: RequestParser.Failure?

    /// - Parameter piece: bytes that come at once.
    init(_ bytes: [UInt8], piece: Int) throws {
        var parser = RequestParser()
        let most = max(parser.limits.header + parser.limits.body, 4 + 65535) + piece
        for start in stride(from: 0, to: bytes.count, by: piece) {
            parser.append(bytes[start..<min(start + piece, bytes.count)])
            do throws(RequestParser.Failure) {
                while let message = try parser.next() { messages.append(message) }
            } catch {
                failure = error
            }
            try hold(parser.bufferedBytes <= most, "\(parser.bufferedBytes) bytes kept")
            if failure != nil { return }
        }
    }
}

/// Parses requests, in pieces and at once, and all that a server reads in them.
@Sendable private func rtsp(_ bytes: [UInt8]) throws -> Bool {
    let reading = try Reading(bytes, piece: max(1, bytes.count))
    let piece = bytes.count <= 128 ? 1 : 17
    let other = try Reading(bytes, piece: piece)
    try hold(other == reading, "another reading in pieces of \(piece): \(other) instead of \(reading)")
    for case .request(let request) in reading.messages {
        try parseAgain(request)
        try readHeaders(request)
    }
    for case .interleaved(_, let data) in reading.messages { _ = ControlReport.isValid(data) }
    return reading.failure == nil && !reading.messages.isEmpty
}

/// A request that is written as it was understood is understood in the same way.
private func parseAgain(_ request: Request) throws {
    let lines = ["\(request.method) \(request.uri) RTSP/1.0"] + request.headers.map { "\($0.name): \($0.value)" }
    let text = Array((lines.map { $0 + "\r\n" }.joined() + "\r\n").utf8) + request.body
    // What was no UTF-8 has grown.
    guard text.count <= 8192 else { return }
    var expected = request
    // A line that goes on with nothing ends in a space.
    for index in expected.headers.indices { expected.headers[index].value = expected.headers[index].value.trimmed }
    let again = try Reading(text, piece: text.count)
    try hold(again.messages == [.request(expected)], "\(again) instead of \(expected)")
}

private let guardian = DigestGuard(RTSPServerConfiguration.Credentials(user: "user", password: "password"))

private func readHeaders(_ request: Request) throws {
    _ = (request.sequence, request.sessionID)
    for header in request.all("Transport") {
        let offers = TransportOffer.parse(header, peer: "192.0.2.1")
        try hold(offers.count <= 16, "\(offers.count) offers")
        for case .udp(let rtp, let rtcp) in offers {
            try hold(rtp != rtcp && (1024...65535).contains(rtp) && (1024...65535).contains(rtcp), "the ports \(rtp) and \(rtcp)")
        }
    }
    if case .track(let number) = StreamAddress(request.uri, path: "night") { try hold((0...255).contains(number), "track \(number)") }
    if let base = StreamAddress.base(of: request.uri) {
        try hold(base.hasPrefix("rtsp://") && base.hasSuffix("/"), "the base \(base)")
    }
    let verdict = guardian.check(request, on: "192.0.2.1:4711", admission: .init(nonce: "nonce"), at: 0) { $0 == request.uri }
    if case .admitted(let admission) = verdict { try hold(admission.nonce == "nonce", "let in with \(admission.nonce)") }
}

/// Reads the description of a stream, for the tracks that it says it has.
@Sendable private func sdp(_ bytes: [UInt8]) throws -> Bool {
    let text = String(decoding: bytes, as: UTF8.self)
    let tracks = text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("m=") }.map { line in
        let fields = line.split(separator: " ")
        return StreamDescription.Track(payloadType: fields.count > 3 ? Int(fields[3]) ?? 0 : 0, clockRate: 90000, ssrc: 1)
    }
    do {
        let description = try StreamDescription(sdp: text, tracks: tracks)
        try hold(description.isVideo.count == tracks.count, "\(description.isVideo.count) media for \(tracks.count) tracks")
        let again = try StreamDescription(sdp: description.sdp, tracks: tracks)
        try hold(again == description, "another description of a description: \(again.sdp) instead of \(description.sdp)")
        return true
    } catch let error as RTSPError {
        _ = error.description
        return false
    }
}
