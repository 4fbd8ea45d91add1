internal import Foundation
internal import NIOCore
internal import NIOPosix
internal import Pipeline
internal import TSIT

/// Carries commands out, one at a time for each connection.
protocol ControlHandling: Sendable {
    /// May block.
    func reply(to command: ControlCommand) -> ControlReply
}

/// A relay as its control socket sees it.
struct ControlHandler: ControlHandling {
    private let parts: RelayParts

    init(_ parts: RelayParts) { self.parts = parts }

    func reply(to command: ControlCommand) -> ControlReply {
        do {
            switch command {
            case .style(let recipe, let fade): try parts.changeStyle(to: StyleRecipe(parsing: recipe), fade: fade)
            case .strength(let strength, let fade): try parts.changeStrength(to: strength, fade: fade)
            case .status: return ControlReply(ok: true, status: parts.status(resetsRates: false))
            }
            return ControlReply(ok: true)
        } catch {
            return ControlReply(ok: false, error: "\(error)")
        }
    }
}

/// A relay's control socket: a Unix socket that only its owner may open.
final class ControlServer: Sendable {
    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>
    private let task: Task<Void, Never>
    private let channel: any NIOCore.Channel
    private let path: String
    /// The socket's number within its file system.
    private let number: UInt?

    /// The longest command.
    private static let mostBytes = 65536

    /// Throws `RelayError` `.controlUnavailable` where somebody listens there already or the path cannot be used.
    static func start(at path: String, handler: some ControlHandling) async throws -> ControlServer {
        if FileManager.default.fileExists(atPath: path) {
            if await ControlClient.answers(at: path) {
                throw RelayError(.controlUnavailable, "another relay listens on \(path)", remedy: "give --control another path")
            }
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else {
                throw RelayError(.controlUnavailable, "\(path) is there already and no socket", remedy: "give --control another path")
            }
        }
        // The socket has its owner's rights from its first moment on: nothing else makes files now.
        let previous = umask(0o177)
        defer { umask(previous) }
        do {
            let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true) { channel in
                    channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
                }
            return ControlServer(server, path: path, handler: handler)
        } catch {
            throw RelayError(.controlUnavailable, "the control socket \(path) cannot be made", cause: "\(error)")
        }
    }

    private init(_ server: NIOAsyncChannel<Connection, Never>, path: String, handler: some ControlHandling) {
        channel = server.channel
        self.path = path
        number = Self.socketNumber(path)
        task = Task {
            try? await server.executeThenClose { connections in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await connection in connections { group.addTask { await Self.serve(connection, handler) } }
                }
            }
        }
    }

    /// Closes all connections and removes the socket.
    func stop() async {
        task.cancel()
        try? await channel.close()
        await task.value
        // Somebody may have put something else there.
        if let number, Self.socketNumber(path) == number { unlink(path) }
    }

    private static func socketNumber(_ path: String) -> UInt? {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK ? UInt(status.st_ino) : nil
    }

    private static func serve(_ connection: Connection, _ handler: some ControlHandling) async {
        try? await connection.executeThenClose { input, output in
            var waiting: [UInt8] = []
            for try await buffer in input {
                waiting += Array(buffer.readableBytesView)
                while let end = waiting.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = Array(waiting[..<end])
                    waiting.removeSubrange(...end)
                    let reply = await reply(to: line, handler)
                    try await output.write(ByteBuffer(string: ControlReply.encode(reply) + "\n"))
                }
                if waiting.count > mostBytes { return }
            }
        }
    }

    private static func reply(to line: [UInt8], _ handler: some ControlHandling) async -> ControlReply {
        do {
            let command = try ControlCommand(line: line)
            return try await onOwnThread(named: "control") { handler.reply(to: command) }
        } catch {
            return ControlReply(ok: false, error: "\(error)")
        }
    }
}

/// Speaks to a running relay.
public enum ControlClient {
    /// Sends a command and waits for the answer, a minute at most.
    ///
    /// Throws `RelayError` `.controlUnavailable` where nobody listens or answers, `.badCommand` where the relay refuses.
    public static func send(_ command: ControlCommand, to path: String) async throws -> ControlReply {
        guard let answer = try? await exchange(command.line, at: path, patience: .seconds(60)) else {
            throw RelayError(
                .controlUnavailable, "no relay answers on \(path)", remedy: "start one with --control \(path)")
        }
        guard let reply = ControlReply.decode(answer) else {
            throw RelayError(.controlUnavailable, "what listens on \(path) is no relay")
        }
        guard reply.ok else { throw RelayError(.badCommand, reply.error ?? "the relay refuses") }
        return reply
    }

    static func answers(at path: String) async -> Bool {
        let channel = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(2)).connect(unixDomainSocketPath: path).get()
        try? await channel?.close()
        return channel != nil
    }

    private static func exchange(_ line: String, at path: String, patience: TimeAmount) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .connect(unixDomainSocketPath: path) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let deadline = channel.channel.eventLoop.scheduleTask(in: patience) { channel.channel.close(promise: nil) }
        defer { deadline.cancel() }
        return try await channel.executeThenClose { input, output in
            try await output.write(ByteBuffer(string: line + "\n"))
            var answer: [UInt8] = []
            for try await buffer in input {
                answer += Array(buffer.readableBytesView)
                if answer.last == UInt8(ascii: "\n") || answer.count > 1 << 20 { break }
            }
            return String(decoding: answer, as: UTF8.self)
        }
    }
}
