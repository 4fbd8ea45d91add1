internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// An RTSP server (RFC 2326) for one live stream. It reads nothing and encodes nothing: it hands RTP packets that are made
/// elsewhere to the readers that ask for them.
///
/// Every reader has frames waiting of its own, so that a slow one loses frames and no other one notices. All methods may be
/// called from any thread.
public final class RTSPServer: Sendable {
    /// What becomes of readers; each is named by IP address and port of its connection.
    public enum Event: Sendable, Equatable {
        /// It has begun to play, and sees nothing before the next key frame.
        case playing(reader: String)
        case left(reader: String, reason: String)
        /// It is too slow: so many frames more were left out. At most once a second for each reader.
        case lost(reader: String, frames: Int)
        /// It gave a wrong password, or there are too many. At most once a second altogether.
        case refused(reader: String, reason: String)
    }

    private enum Phase {
        case idle, starting
        case running(MultiThreadedEventLoopGroup, NIOLoopBound<ServerLoop>)
        case stopped
    }

    private let configuration: RTSPServerConfiguration
    private let onEvent: @Sendable (Event) -> Void
    private let board = Board()
    private let phase = Mutex(Phase.idle)

    /// - Parameter onEvent: called on the server's thread; it must not block.
    public init(_ configuration: RTSPServerConfiguration, onEvent: @escaping @Sendable (Event) -> Void) {
        self.configuration = configuration
        self.onEvent = onEvent
    }

    /// Listens, and returns the port.
    ///
    /// Throws `.badAddress` where the host has no address, `.addressInUse`, or `.notPermitted`.
    public func start() async throws(RTSPError) -> Int {
        let isFirst = phase.withLock { phase in
            guard case .idle = phase else { return false }
            phase = .starting
            return true
        }
        guard isFirst else { throw RTSPError(.internalFailure, "this RTSP server was started before") }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let (loop, port) = try await Listening.open(configuration, on: group, board: board, onEvent: onEvent)
            phase.withLock { $0 = .running(group, loop) }
            board.connect { [eventLoop = group.any()] in eventLoop.execute { loop.value.drain() } }
            return port
        } catch {
            phase.withLock { $0 = .stopped }
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// Says what the stream consists of. Before that readers are told to come back later. Another description is for readers
    /// that come after it; RTP of its tracks should follow.
    public func describe(_ description: StreamDescription) { board.describe(description) }

    /// Sends to all readers that play. Never waits: where the server's thread is late, whole frames are dropped up to a key
    /// frame. Nothing is sent before `describe` and `start`, and nothing of a track that was not described.
    public func send(_ unit: MediaUnit) { board.post(unit, at: NIODeadline.now().uptimeNanoseconds) }

    /// All sessions, in the order of their addresses.
    public var readers: [ReaderStatus] { board.readers }

    /// Says goodbye to all readers, and ends everything within a second. The server cannot be started again.
    public func stop() async {
        let running: (MultiThreadedEventLoopGroup, NIOLoopBound<ServerLoop>)? = phase.withLock { phase in
            defer { if case .running = phase { phase = .stopped } }
            guard case .running(let group, let loop) = phase else { return nil }
            return (group, loop)
        }
        guard let (group, loop) = running else { return }
        board.disconnect()
        let end = group.any().flatSubmit { loop.value.close() }
        try? await end.get()
        try? await group.shutdownGracefully()
    }
}
