internal import Foundation
internal import Hummingbird
internal import Jobs
public import Logging
internal import NIOCore
internal import Synchronization

/// Serves the page, the JSON API, metrics and health over HTTP.
///
/// `run` listens until `stop` is called or its task is cancelled, and is back within about three seconds then: whoever still
/// reads an answer is cut off.
public final class WebServer: Sendable {
    private enum Phase {
        case waiting([CheckedContinuation<Int?, Never>])
        case listening(Int)
        case ended
    }

    public let configuration: WebConfiguration
    private let backend: any Backend
    private let logger: Logger
    private let access: Access
    private let page: PageFiles
    private let events: EventHub
    private let connections = Connections()
    private let counters = RequestCounters()
    private let phase = Mutex(Phase.waiting([]))
    private let stopping = StopSignal()
    /// Seconds that answers under way have to end.
    private static let graceSeconds = 2.0

    /// Throws what `WebConfiguration.validate` does, and `.pageMissing`.
    public init(configuration: WebConfiguration, backend: any Backend, logger: Logger) throws(WebError) {
        try configuration.validate()
        self.configuration = configuration
        self.backend = backend
        self.logger = logger
        access = Access(token: configuration.token, port: configuration.port)
        page = try PageFiles()
        events = EventHub(backend: backend, uploadLimit: configuration.uploadLimit, limit: configuration.eventStreamLimit)
    }

    /// Serves until stopped or cancelled; may be called once. Throws `.badAddress`, `.addressInUse`, `.notPermitted`.
    public func run() async throws(WebError) {
        defer { enter(.ended) }
        guard !stopping.isSet else { return }
        await removeLeftovers()
        let application = application()
        // A task of its own: a cancelled one would cut every answer short instead of letting it end.
        let serving = Task { try await application.run() }
        let watching = Task { [stopping, events, connections] in
            await stopping.wait()
            events.close()
            serving.cancel()
            try? await Task.sleep(for: .seconds(Self.graceSeconds))
            connections.closeAll()
        }
        let result = await withTaskCancellationHandler {
            await serving.result
        } onCancel: {
            stop()
        }
        let isStopped = stopping.isSet
        stop()
        watching.cancel()
        connections.closeAll()
        if case .failure(let error) = result, !isStopped { throw self.error(error) }
    }

    /// The port that is listened on, once `run` has got so far; nil where it ends before that.
    public func port() async -> Int? {
        await withCheckedContinuation { continuation in
            let answer: Int?? = phase.withLock { phase in
                switch phase {
                case .waiting(let others):
                    phase = .waiting(others + [continuation])
                    return nil
                case .listening(let port): return .some(port)
                case .ended: return .some(nil)
                }
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Ends `run`; may be called from any thread, more than once, and before it.
    public func stop() { stopping.set() }

    var openConnections: Int { connections.count }
    var eventStreams: Int { events.listeners }

    /// All that is served.
    var routes: [Route] {
        let service = ServiceRoutes(
            backend: backend, access: access, uploadLimit: configuration.uploadLimit, events: events, counters: counters)
        let uploads = UploadRoute(backend: backend, limit: configuration.uploadLimit, slots: Slots(configuration.uploadsAtOnce), logger: logger)
        return page.routes + service.routes + JobRoutes(backend: backend).routes + EventRoute(hub: events).routes + uploads.routes
            + DownloadRoute(backend: backend, slots: Slots(configuration.downloadsAtOnce)).routes
    }

    private func application() -> some ApplicationProtocol {
        let names = configuration.hostNames + [configuration.host, ProcessInfo.processInfo.hostName]
        let gate = Gate(access: access, hostNames: Set(names.map { HostName($0).text }), counters: counters, logger: logger)
        let timeout = TimeAmount.nanoseconds(Int64(configuration.clientTimeout * 1e9))
        let connections = connections
        // Its own words on starting, on every connection that breaks, and on having been told to stop, an error to it, are not
        // for the log; what ends it is thrown.
        var quiet = logger
        quiet.logLevel = .critical
        return Application(
            responder: Route.responder(for: routes, access: access, gate: gate),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [ConnectionGuard(connections: connections, limit: timeout)], idleTimeout: timeout,
                    httpDecoderConfiguration: .init(maxHeaderFieldSize: 16384, maxHeaderListSize: 32768, maxHeaderFieldCount: 100))),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port), serverName: "solstice",
                availableConnectionsDelegate: .maximum(configuration.connectionLimit, logger: quiet)),
            onServerRunning: { [weak self] channel in self?.started(channel) },
            logger: quiet)
    }

    private func started(_ channel: any Channel) {
        let port = channel.localAddress?.port ?? configuration.port
        let host = configuration.host.contains(":") && !configuration.host.hasPrefix("[") ? "[\(configuration.host)]" : configuration.host
        logger.info("listening on http://\(host):\(port)")
        enter(.listening(port))
    }

    private func enter(_ next: Phase) {
        let waiting: [CheckedContinuation<Int?, Never>] = phase.withLock { phase in
            defer { phase = next }
            if case .waiting(let continuations) = phase { return continuations }
            return []
        }
        var port: Int?
        if case .listening(let number) = next { port = number }
        for continuation in waiting { continuation.resume(returning: port) }
    }

    private func removeLeftovers() async {
        for folder in await backend.status().folders {
            guard let root = await backend.uploadRoot(folder: folder.name) else { continue }
            try? await DiskQueue.run { Upload.removeLeftovers(in: root) }
        }
    }

    private func error(_ error: any Error) -> WebError {
        let place = "\(configuration.host):\(configuration.port)"
        guard let failure = error as? IOError else {
            // Names that stand for no address end here.
            return WebError(.badAddress, "\(place) cannot be listened on", remedy: "give an address of this machine, such as 127.0.0.1:8080", cause: "\(error)")
        }
        let cause = String(cString: strerror(failure.errnoCode))
        switch failure.errnoCode {
        case EADDRINUSE: return WebError(.addressInUse, "\(place) is taken", remedy: "end what listens there, or choose another port", cause: cause)
        case EACCES, EPERM: return WebError(.notPermitted, "\(place) may not be listened on", remedy: "choose a port above 1023", cause: cause)
        default: return WebError(.badAddress, "\(place) cannot be listened on", remedy: "give an address of this machine", cause: cause)
        }
    }
}
