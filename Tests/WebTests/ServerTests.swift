import Foundation
import Logging
import Testing
@testable import Web

@Suite struct ServerTests {
    private func server(_ configuration: WebConfiguration) throws -> WebServer {
        try WebServer(configuration: configuration, backend: FakeBackend(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func aTakenPort() async throws {
        try await TestServer.run { (first) async throws in
            let second = try server(WebConfiguration(port: first.port))
            let error = await #expect(throws: WebError.self) { try await second.run() }
            #expect(error?.code == .addressInUse)
            #expect(error?.message.contains(String(first.port)) == true)
            #expect(await second.port() == nil)
        }
    }

    @Test(arguments: ["192.0.2.1", "a..b"])
    func anAddressOfSomebodyElse(host: String) async throws {
        let server = try server(WebConfiguration(host: host, port: 0, token: AccessTests.token))
        let error = await #expect(throws: WebError.self) { try await server.run() }
        #expect(error?.code == .badAddress)
    }

    /// Streams that are open, and clients that sit and wait, do not keep it.
    @Test(arguments: [true, false]) func stopping(byCancelling: Bool) async throws {
        // Were it to wait for its clients, that would take ten minutes.
        let server = try server(WebConfiguration(port: 0, clientTimeout: 600))
        let running = Task { try await server.run() }
        let port = try #require(await server.port())
        let connections = try await HTTPClient.blocking {
            let stream = try Connection(port: port), idle = try Connection(port: port), half = try Connection(port: port)
            try stream.write("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            _ = try stream.read(until: "event: throughput")
            try half.write("POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
            return [stream, idle, half]
        }
        #expect(await eventually { server.openConnections == 3 })
        let start = ContinuousClock.now
        if byCancelling { running.cancel() } else { server.stop() }
        try await running.value
        #expect(ContinuousClock.now - start < .seconds(60))
        #expect(server.openConnections == 0)
        withExtendedLifetime(connections) {}
        #expect(throws: HTTPClient.Trouble.self) { _ = try Connection(port: port) }
    }

    @Test func stoppedBeforeItRan() async throws {
        let server = try server(WebConfiguration(port: 0))
        server.stop()
        try await server.run()
        #expect(await server.port() == nil)
    }

    @Test func thePageIsWhole() async throws {
        try await TestServer.run { (server) async throws in
            let page = try await server.client.get("/")
            #expect(page.headers["content-type"] == "text/html; charset=utf-8")
            let tag = try #require(page.headers["etag"])
            #expect(try await server.client.get("/", headers: ["If-None-Match": tag]).status == 304)
            // What is named by the page and its scripts is served, and nothing comes from elsewhere.
            var waiting = ["/"], seen: Set<String> = []
            while let path = waiting.popLast() {
                guard seen.insert(path).inserted else { continue }
                let answer = try await server.client.get(path)
                #expect(answer.status == 200, "\(path)")
                if path.hasSuffix(".svg") { continue }
                #expect(!answer.text.contains("//cdn") && !answer.text.contains("https://"), "\(path)")
                waiting += answer.text.matches(of: /(?:src|href)="(\/[a-z.]+)"/).map { String($0.1) }
                waiting += answer.text.matches(of: /from "\.(\/[a-z.]+)"/).map { String($0.1) }
            }
            #expect(seen.count == 11)
        }
    }

    @Test func aPageThatIsMissing() {
        let error = #expect(throws: WebError.self) { _ = try PageFiles(folders: ["/nowhere"]) }
        #expect(error?.code == .pageMissing)
    }
}
