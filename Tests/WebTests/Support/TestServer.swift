import Foundation
import Logging
import Web

/// A server on a free port for one test.
struct TestServer: Sendable {
    let server: WebServer
    let client: HTTPClient
    var port: Int { client.port }

    /// Runs `body` against a server that is stopped afterwards.
    static func run<Value: Sendable>(
        _ backend: FakeBackend = FakeBackend(), _ configure: (inout WebConfiguration) -> Void = { _ in },
        _ body: @Sendable (TestServer) async throws -> Value
    ) async throws -> Value {
        var configuration = WebConfiguration(port: 0)
        configure(&configuration)
        let server = try WebServer(configuration: configuration, backend: backend, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        async let running: Void = server.run()
        guard let port = await server.port() else {
            try await running
            throw HTTPClient.Trouble(text: "the server did not start")
        }
        do {
            let value = try await body(TestServer(server: server, client: HTTPClient(port: port)))
            server.stop()
            try await running
            return value
        } catch {
            server.stop()
            try? await running
            throw error
        }
    }
}

/// Waits without holding a thread until `condition` holds; false where it does not within `seconds`.
func eventually(within seconds: Double = 60, _ condition: @Sendable () async throws -> Bool) async rethrows -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if try await condition() { return true }
        try? await Task.sleep(for: .milliseconds(20))
    }
    return try await condition()
}
