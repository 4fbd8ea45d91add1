import FuzzKit
import NIOCore
import NIOEmbedded

@testable import RTSP

/// Talks to a whole server, without a network: two connections of one client send the same bytes, once to a server that lets
/// everybody in and once to one that asks for a password. Its media go out where a session plays.
@Sendable func rtspServer(_ bytes: [UInt8]) throws -> Bool {
    let isServed = try talk(bytes, nil)
    _ = try talk(bytes, RTSPServerConfiguration.Credentials(user: "user", password: "password"))
    return isServed
}

/// Whether a session came about.
private func talk(_ bytes: [UInt8], _ credentials: RTSPServerConfiguration.Credentials?) throws -> Bool {
    let loop = EmbeddedEventLoop()
    let board = Board()
    board.describe(try description())
    board.connect {}
    var configuration = RTSPServerConfiguration(path: "night", credentials: credentials)
    configuration.readerLimit = 2
    let sockets = MediaSockets(rtp: EmbeddedChannel(loop: loop), rtcp: EmbeddedChannel(loop: loop))
    let server = ServerLoop(configuration, on: loop, board: board, sockets: sockets) { _ in }
    var hasReaders = false
    for port in [40000, 40001] {
        let channel = EmbeddedChannel(loop: loop)
        channel.remoteAddress = try SocketAddress(ipAddress: "192.0.2.1", port: port)
        try channel.pipeline.syncOperations.addHandler(Connection(channel, server: server))
        channel.pipeline.fireChannelActive()
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        board.post(MediaUnit(track: 0, isKeyframe: true, packets: [packet], rtpTime: 90000, wallClock: .seconds(1)), at: 0)
        server.drain()
        try checkAnswers(channel)
        try hold(server.readers.count <= configuration.readerLimit, "\(server.readers.count) readers")
        hasReaders = hasReaders || !server.readers.isEmpty
        try? channel.close().wait()
    }
    server.pumpDatagrams()
    // Channels and what waits for its time hold each other until they have ended.
    sockets.close()
    loop.advanceTime(by: .seconds(60))
    loop.run()
    return hasReaders
}

private let packet: [UInt8] = [0x80, 0xe0, 0, 1, 0, 1, 0x5f, 0x90, 0, 0, 0, 1, 0x65, 0x88]

private func description() throws -> StreamDescription {
    let sdp = "v=0\ns=night\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 0 RTP/AVP 0\n"
    return try StreamDescription(
        sdp: sdp, tracks: [.init(payloadType: 96, clockRate: 90000, ssrc: 1), .init(payloadType: 0, clockRate: 8000, ssrc: 2)])
}

/// What comes back is answers and interleaved media, whole ones, and no header of an answer ends early because of a request.
private func checkAnswers(_ channel: EmbeddedChannel) throws {
    var output: [UInt8] = []
    while let buffer = try channel.readOutbound(as: ByteBuffer.self) { output += buffer.readableBytesView }
    var rest = output[...]
    while let first = rest.first {
        if first == Interleaving.mark {
            let head = Array(rest.prefix(4))
            try hold(head.count == 4, "half a frame of media")
            let size = 4 + Int(head[2]) << 8 + Int(head[3])
            try hold(rest.count >= size, "half a frame of media")
            rest = rest.dropFirst(size)
            continue
        }
        rest = rest.dropFirst(try answerSize(rest))
    }
}

private let names: Set<String> = [
    "CSeq", "Server", "Public", "Allow", "Unsupported", "WWW-Authenticate", "Content-Type", "Cache-Control", "Content-Base", "Content-Length",
    "Retry-After", "Transport", "Session", "Range", "RTP-Info", "Connection",
]

/// The bytes of the answer that `output` begins with.
private func answerSize(_ output: ArraySlice<UInt8>) throws -> Int {
    var lines: [String] = []
    var position = output.startIndex
    while true {
        guard let end = output[position...].firstIndex(of: 13) else { throw Violation(description: "an answer without an end") }
        let line = output[position..<end]
        try hold(output[end...].starts(with: [13, 10]) && line.allSatisfy { $0 >= 32 }, "a control character in \(line)")
        position = end + 2
        if line.isEmpty { break }
        lines.append(String(decoding: line, as: UTF8.self))
    }
    try hold(lines.first?.hasPrefix("RTSP/1.0 ") == true, "an answer that begins with \(lines)")
    var body = 0
    for line in lines.dropFirst() {
        let name = String(line.prefix { $0 != ":" })
        try hold(names.contains(name), "a header \(line)")
        if name == "Content-Length" { body = Int(line.dropFirst(16)) ?? -1 }
    }
    try hold((0...output.endIndex - position).contains(body), "a body of \(body) bytes")
    return position - output.startIndex + body
}
