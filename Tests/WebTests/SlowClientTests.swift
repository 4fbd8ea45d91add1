import Foundation
import Jobs
import SystemPackage
import TestSupport
import Testing
@testable import Web

@Suite struct SlowClientTests {
    /// Seconds until the server ends a connection on which `text` was sent.
    private func secondsUntilEnd(_ server: TestServer, _ text: String, drip: Bool = false) async throws -> Double {
        let port = server.port
        return try await HTTPClient.blocking {
            let connection = try Connection(port: port, timeout: 20)
            let start = Date()
            try connection.write(text)
            if drip {
                // A byte now and then of a header that never ends.
                while Date().timeIntervalSince(start) < 15, (try? connection.write("x")) != nil { usleep(100_000) }
            } else {
                _ = try connection.rest()
            }
            return Date().timeIntervalSince(start)
        }
    }

    @Test(arguments: ["", "GET / HTTP/1.1\r\nHost: localh", "PUT /api/v1/folders/a/files/x.mp4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc"])
    func whoSendsHalfARequest(text: String) async throws {
        let folder = try TemporaryFolder()
        try await TestServer.run(FakeBackend { $0.roots = ["a": folder.url.path] }, { $0.clientTimeout = 1 }) { (server) async throws in
            #expect(try await secondsUntilEnd(server, text) < 15)
            #expect(await eventually { folder.names.isEmpty })
        }
    }

    @Test func whoDripsAHeader() async throws {
        try await TestServer.run(FakeBackend(), { $0.clientTimeout = 1 }) { (server) async throws in
            #expect(try await secondsUntilEnd(server, "GET / HTTP/1.1\r\nX-Slow: ", drip: true) < 14)
        }
    }

    @Test func whoDoesNotRead() async throws {
        let folder = try TemporaryFolder()
        #expect(FileManager.default.createFile(atPath: folder.path("big.mp4"), contents: nil))
        #expect(truncate(folder.path("big.mp4"), 1 << 30) == 0)
        let backend = FakeBackend { $0.jobs = [.sample(1, .done) { $0.target = FilePath(folder.path("big.mp4")) }] }
        try await TestServer.run(backend, { $0.clientTimeout = 1 }) { (server) async throws in
            let port = server.port
            let connection = try await HTTPClient.blocking {
                let connection = try Connection(port: port, receiveBuffer: 4096)
                try connection.write("GET /api/v1/jobs/1/result HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return connection
            }
            #expect(await eventually { server.server.openConnections == 1 })
            #expect(await eventually(within: 60) { server.server.openConnections == 0 })
            withExtendedLifetime(connection) {}
        }
    }

    @Test func headersHaveAnEnd() async throws {
        try await TestServer.run { (server) async throws in
            let port = server.port
            for text in [
                "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: \(String(repeating: "x", count: 200_000))\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: localhost\r\n" + String(repeating: "A: b\r\n", count: 5000) + "\r\n", "nonsense\r\n\r\n",
            ] {
                let status = try await HTTPClient.blocking {
                    let connection = try Connection(port: port)
                    // The server may be gone before all of it is sent.
                    try? connection.write(text)
                    return (try? connection.answer().status) ?? 0
                }
                #expect([0, 400, 431].contains(status))
            }
            #expect(try await server.client.get("/healthz").status == 200)
        }
    }
}
