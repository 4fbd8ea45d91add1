internal import NIOCore
internal import Glibc
internal import NIOPosix

/// Opens the sockets of a server.
enum Listening {
    /// Returns the server's side of the event loop, and the port that it listens on.
    static func open(
        _ configuration: RTSPServerConfiguration, on group: MultiThreadedEventLoopGroup, board: Board,
        onEvent: @escaping @Sendable (RTSPServer.Event) -> Void
    ) async throws(RTSPError) -> (NIOLoopBound<ServerLoop>, Int) {
        let (host, port) = (configuration.host, configuration.port)
        guard (0...65535).contains(port) else { throw RTSPError(.badAddress, "\(port) is no port", remedy: "give 1 to 65535") }
        let eventLoop = group.any()
        let address = try await resolve(host, port, on: eventLoop)
        let sockets = try await MediaSockets.open(at: address, port: configuration.mediaPort, on: group)
        do {
            let loop = try await eventLoop.submit {
                let loop = ServerLoop(configuration, on: eventLoop, board: board, sockets: sockets, onEvent: onEvent)
                return NIOLoopBound(loop, eventLoop: eventLoop)
            }.get()
            let channel = try await bootstrap(group, loop).bind(to: address).get()
            try await eventLoop.submit { loop.value.open(channel, address: address, group: group) }.get()
            return (loop, channel.localAddress?.port ?? port)
        } catch {
            sockets.close()
            throw failure(error, "\(shown(host)):\(port)")
        }
    }

    private static func bootstrap(_ group: MultiThreadedEventLoopGroup, _ loop: NIOLoopBound<ServerLoop>) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            // What the kernel holds for a reader is delay that cannot be taken back.
            .childChannelOption(.socketOption(.so_sndbuf), value: 512 << 10)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .childChannelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2048, maximum: 16384))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Connection(channel, server: loop.value))
                }
            }
    }

    /// Names are looked up on the server's thread: that may take long.
    private static func resolve(_ host: String, _ port: Int, on eventLoop: any EventLoop) async throws(RTSPError) -> SocketAddress {
        do {
            return try await eventLoop.submit { try SocketAddress.makeAddressResolvingHost(host, port: port) }.get()
        } catch {
            throw RTSPError(
                .badAddress, "'\(host)' is no address to listen on", remedy: "give an IP address or a name of this machine")
        }
    }

    static func shown(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }

    /// What a socket's error means for who chose the address.
    static func failure(_ error: any Error, _ address: String) -> RTSPError {
        guard let code = (error as? IOError)?.errnoCode else {
            return RTSPError(.internalFailure, "\(address) cannot be listened on", cause: "\(error)")
        }
        let cause = String(cString: strerror(code))
        switch code {
        case EADDRINUSE:
            return RTSPError(.addressInUse, "\(address) is in use", remedy: "give another port, or end what listens there", cause: cause)
        case EACCES, EPERM:
            return RTSPError(.notPermitted, "\(address) may not be listened on", remedy: "give a port from 1024 on", cause: cause)
        case EADDRNOTAVAIL:
            return RTSPError(.notPermitted, "\(address) is not this machine's", remedy: "give one of its own addresses", cause: cause)
        default: return RTSPError(.internalFailure, "\(address) cannot be listened on", cause: cause)
        }
    }
}
