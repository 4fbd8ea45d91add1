internal import Foundation
public import Logging
internal import Jobs
internal import Synchronization
internal import Web

/// The watch-folder daemon: folders that are watched, jobs that are done in worker processes, relays, and a page to see it all.
///
/// `run()` returns when `stop()` was called and everything has come to rest, within 10 s.
public final class Service: Sendable {
    private let configuration: Mutex<Configuration>
    private let reloading: @Sendable () throws -> Configuration
    private let version: String
    private let log: Logger
    private let mailbox = Mailbox<ServiceLoop.Message>(capacity: 1024)

    /// - Parameters:
    ///   - version: the program's.
    ///   - reloading: reads the configuration anew, for `reload()`.
    public init(
        _ configuration: Configuration, version: String, log: Logger, reloading: @escaping @Sendable () throws -> Configuration
    ) {
        self.configuration = Mutex(configuration)
        self.version = version
        self.log = log
        self.reloading = reloading
    }

    /// Checkpoints what runs, and ends.
    public func stop() { mailbox.postFirst(.stop) }

    /// Reads the configuration again and goes on by it; one that is wrong changes nothing.
    public func reload() { mailbox.post(.reload) }

    /// Throws `ServiceError`, `JobError`, `WebError`.
    public func run() async throws {
        let configuration = configuration.withLock { $0 }
        let state = try StateFolder(configuration)
        let token = state.token
        let store = try JobStore(path: state.databasePath)
        for notice in store.notices { log.warning("\(notice)") }
        let board = StatusBoard(ServiceStatus(version: version, uptime: 0, isReady: false, reason: "starting"))
        let server = try server(configuration, board, store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            if let server { group.addTask { try await server.run() } }
            group.addTask { [self] in try await onThread("service") { try self.loop(configuration, token, store, board).run() } }
            // Whichever ends first ends the other: the loop because it was told to, the server because it cannot listen.
            let first = await group.nextResult()
            mailbox.postFirst(.stop)
            server?.stop()
            while let next = await group.nextResult() { if case .success = first { try next.get() } }
            try first?.get()
        }
        withExtendedLifetime(state) {}
    }

    /// Nil where the configuration wants no page. Throws `WebError`, `ConfigurationError` for what can be told without listening.
    private func server(_ configuration: Configuration, _ board: StatusBoard, _ store: JobStore) throws -> WebServer? {
        guard let settings = configuration.web else { return nil }
        let backend = ServiceBackend(
            board: board, store: store, configuration: { [self] in self.configuration.withLock { $0 } },
            poke: { [mailbox] in mailbox.post(.poke) })
        return try WebServer(configuration: try settings.webConfiguration(), backend: backend, logger: log)
    }

    private func loop(_ configuration: Configuration, _ token: String, _ store: JobStore, _ board: StatusBoard) -> ServiceLoop {
        let relays = RelaySupervisor(
            configuration.relays, pictures: { configuration.pictureFolder(ofRelay: $0) }, log: log,
            onChange: { [mailbox] in mailbox.post(.poke) })
        return ServiceLoop(
            configuration, version: version, token: token, store: store, mailbox: mailbox, board: board, relays: relays, notify: Notify.fromEnvironment(), log: log,
            reloading: reloading, onReload: { [self] next in self.configuration.withLock { $0 = next } })
    }
}

/// Runs `body`, which blocks, on a thread of its own.
func onThread<Result: Sendable>(_ name: String, _ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Swift.Result(catching: body)) }
        thread.name = name
        thread.start()
    }
}
