internal import NIOCore
internal import Synchronization

/// Cuts off who does not take what is written to it. Hummingbird's own limit covers only requests: a client that stops reading
/// in the middle of a download or an event stream would hold it for ever.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny
    typealias OutboundIn = NIOAny
    typealias OutboundOut = NIOAny

    private let connections: Connections
    private let limit: TimeAmount
    private var stall = WriteStall()
    private var check: Scheduled<Void>?

    init(connections: Connections, limit: TimeAmount) {
        self.connections = connections
        self.limit = limit
    }

    func handlerAdded(context: ChannelHandlerContext) { connections.add(context.channel) }

    func handlerRemoved(context: ChannelHandlerContext) {
        check?.cancel()
        check = nil
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let taken = promise ?? context.eventLoop.makePromise()
        stall.wrote(at: .now())
        taken.futureResult.assumeIsolated().whenComplete { _ in self.stall.taken(at: .now()) }
        if check == nil { schedule(context, in: limit) }
        context.write(data, promise: taken)
    }

    private func schedule(_ context: ChannelHandlerContext, in delay: TimeAmount) {
        check = context.eventLoop.assumeIsolated().scheduleTask(in: delay) {
            self.check = nil
            guard let left = self.stall.timeLeft(at: .now(), limit: self.limit) else { return }
            if left <= .zero { context.close(promise: nil) } else { self.schedule(context, in: left) }
        }
    }
}

@available(*, unavailable)
extension ConnectionGuard: Sendable {}

/// How long nothing has been taken of what was written.
struct WriteStall {
    private var waiting = 0
    private var since = NIODeadline.uptimeNanoseconds(0)

    mutating func wrote(at now: NIODeadline) {
        if waiting == 0 { since = now }
        waiting += 1
    }

    mutating func taken(at now: NIODeadline) {
        waiting -= 1
        since = now
    }

    /// Nil where nothing waits.
    func timeLeft(at now: NIODeadline, limit: TimeAmount) -> TimeAmount? { waiting > 0 ? since + limit - now : nil }
}

/// All open connections, so that a server that stops can end them.
final class Connections: Sendable {
    private let open = Mutex<[ObjectIdentifier: any Channel]>([:])

    func add(_ channel: any Channel) {
        let name = ObjectIdentifier(channel)
        open.withLock { $0[name] = channel }
        channel.closeFuture.whenComplete { [weak self] _ in self?.open.withLock { $0[name] = nil } }
    }

    var count: Int { open.withLock { $0.count } }

    func closeAll() {
        for channel in open.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }
}
