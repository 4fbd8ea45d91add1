internal import NIOCore

/// One TCP connection: requests in, answers and interleaved media out. Used on the event loop only.
final class Connection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let channel: any Channel
    /// Its other end.
    let address: SocketAddress?
    /// IP address of the other end.
    let peer: String
    /// IP address and port of the other end.
    let name: String
    /// The session that was set up on it.
    var sessionID: String?
    /// Its name, and what nobody knows: another connection may get the same port later.
    let identity: String
    /// What it was let in with.
    var admission: DigestGuard.Admission?
    var wrongPasswords = 0
    /// Nanoseconds of the monotonic clock.
    private(set) var lastRequest = NIODeadline.now().uptimeNanoseconds
    private(set) var isClosing = false

    private let server: ServerLoop
    private var parser = RequestParser()
    private var awaitsRead = false
    private var bytesWritten = 0
    private var bytesGone = 0

    /// For the other end to read the last answer.
    private static let farewell = TimeAmount.milliseconds(400)

    init(_ channel: any Channel, server: ServerLoop) {
        (self.channel, self.server) = (channel, server)
        address = channel.remoteAddress
        peer = address?.ipAddress ?? "unknown"
        name = "\(Listening.shown(peer)):\(address?.port ?? 0)"
        identity = "\(name) \(UInt64.random(in: .min ... .max))"
    }

    func channelActive(context: ChannelHandlerContext) {
        if !server.admit(self) {
            send(Response(.serviceUnavailable, [Header("Retry-After", "10")], closes: true), sequence: nil)
        }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        server.closed(self)
        context.fireChannelInactive()
    }

    /// Nothing is read from a client that does not take its answers: they would pile up.
    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable { context.read() } else { awaitsRead = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            server.reader(of: self)?.pump()
            if awaitsRead {
                awaitsRead = false
                context.read()
            }
        }
        context.fireChannelWritabilityChanged()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        parser.append(unwrapInboundIn(data).readableBytesView)
        do {
            while !isClosing, let message = try parser.next() {
                lastRequest = NIODeadline.now().uptimeNanoseconds
                switch message {
                case .interleaved(_, let data):
                    if ControlReport.isValid(data) { server.heard(on: self) }
                case .request(let request):
                    send(server.answer(request, on: self), sequence: request.sequence)
                }
            }
        } catch {
            guard let status = error.status else { return close() }
            send(Response(status, closes: true), sequence: parser.failedSequence)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { close() }

    func close() {
        isClosing = true
        channel.close(promise: nil)
    }

    /// - Parameter sequence: of the request.
    func send(_ response: Response, sequence: UInt32?) {
        write(ByteBuffer(string: response.text(sequence: sequence)))
        channel.flush()
        if response.closes { finish() }
    }

    /// Goes out with the next flush.
    func write(_ buffer: ByteBuffer) {
        bytesWritten += buffer.readableBytes
        channel.write(buffer, promise: nil)
    }

    /// Closes once everything is written, and lets the other end read it: closing with bytes unread would reset the
    /// connection and lose the answer.
    func finish() {
        guard !isClosing else { return }
        isClosing = true
        channel.writeAndFlush(ByteBuffer()).assumeIsolated().whenComplete { [channel] _ in
            channel.close(mode: .output, promise: nil)
        }
        channel.eventLoop.assumeIsolated().scheduleTask(in: Self.farewell) { [channel] in channel.close(promise: nil) }
    }

    /// True where something went out since the last call, or nothing waits.
    func hasProgressed() -> Bool {
        let waiting = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        let gone = bytesWritten - waiting
        defer { bytesGone = gone }
        return waiting == 0 || gone > bytesGone
    }
}
