internal import Glibc
internal import NIOCore
internal import NIOPosix

/// The pair of UDP sockets that all readers share: RTP on an even port, RTCP on the next (RFC 3550, 11).
struct MediaSockets: Sendable {
    let rtp: any Channel
    let rtcp: any Channel

    var port: Int { rtp.localAddress?.port ?? 0 }
    var isActive: Bool { rtp.isActive && rtcp.isActive }

    /// - Parameters:
    ///   - address: the server's; its port does not matter.
    ///   - port: an even one, 0 for any.
    static func open(at address: SocketAddress, port: Int, on group: MultiThreadedEventLoopGroup) async throws(RTSPError) -> MediaSockets {
        guard port % 2 == 0, (0...65534).contains(port) else {
            throw RTSPError(.badAddress, "\(port) is no port for RTP", remedy: "give an even one from 1024 to 65534")
        }
        var attempts = port == 0 ? 64 : 1
        while true {
            attempts -= 1
            do {
                return try await pair(at: address, port: port, on: group)
            } catch {
                if attempts == 0 || (error as? IOError)?.errnoCode != EADDRINUSE {
                    throw Listening.failure(error, "the UDP port pair \(port == 0 ? "for RTP" : "\(port)-\(port + 1)")")
                }
            }
        }
    }

    private static func pair(at address: SocketAddress, port: Int, on group: MultiThreadedEventLoopGroup) async throws -> MediaSockets {
        let first = try await bind(at: address, port: port, on: group)
        let firstPort = first.localAddress?.port ?? port
        do {
            let isEven = firstPort % 2 == 0
            let second = try await bind(at: address, port: isEven ? firstPort + 1 : firstPort - 1, on: group)
            return isEven ? MediaSockets(rtp: first, rtcp: second) : MediaSockets(rtp: second, rtcp: first)
        } catch {
            try? await first.close().get()
            throw error
        }
    }

    private static func bind(at address: SocketAddress, port: Int, on group: MultiThreadedEventLoopGroup) async throws -> any Channel {
        var address = address
        address.port = port
        return try await DatagramBootstrap(group: group)
            // A key frame is many packets at once.
            .channelOption(.socketOption(.so_sndbuf), value: 1 << 20)
            .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 512 << 10))
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 2048))
            .bind(to: address).get()
    }

    /// Hands what arrives over RTCP to the server; what arrives over RTP are packets that open firewalls.
    func attach(to server: ServerLoop) {
        try? rtp.pipeline.syncOperations.addHandler(MediaSocketHandler(server, isControl: false))
        try? rtcp.pipeline.syncOperations.addHandler(MediaSocketHandler(server, isControl: true))
    }

    func close() {
        rtp.close(promise: nil)
        rtcp.close(promise: nil)
    }
}

private final class MediaSocketHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let server: ServerLoop
    private let isControl: Bool

    init(_ server: ServerLoop, isControl: Bool) {
        (self.server, self.isControl) = (server, isControl)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard isControl else { return }
        let envelope = unwrapInboundIn(data)
        if ControlReport.isValid(envelope.data.readableBytesView) { server.heard(from: envelope.remoteAddress) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { server.pumpDatagrams() }
    }

    /// An error of one datagram, which its reader's time-out sees to; one of the socket closes it, and the server opens
    /// another.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
