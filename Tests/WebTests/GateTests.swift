import Foundation
import Testing
@testable import Web

@Suite struct GateTests {
    @Test(arguments: [
        ("localhost:8080", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("192.168.7.7:8080", 200), ("attacker.example", 421), ("attacker.example:8080", 421),
        ("localhost.attacker.example", 421), ("my-host.test:1", 200), ("a b", 400), ("user@localhost", 400), ("localhost:x", 400),
    ])
    func anOpenServerAnswersToItsOwnNamesOnly(host: String, status: Int) async throws {
        try await TestServer.run(FakeBackend(), { $0.hostNames = ["My-Host.test"] }) { (server) async throws in
            #expect(try await server.client.get("/api/v1/status", headers: ["Host": host]).status == status)
        }
    }

    @Test func pagesOfOtherSitesCanDoNothing() async throws {
        let backend = FakeBackend { $0.jobs = [.sample(1, .failed)] }
        try await TestServer.run(backend) { (server) async throws in
            let here = "127.0.0.1:\(server.port)"
            for headers in [
                ["Origin": "https://attacker.example"], ["Origin": "null"], ["Origin": "http://127.0.0.1:1"], ["Sec-Fetch-Site": "cross-site"],
                ["Sec-Fetch-Site": "same-site", "Origin": "http://\(here)"], ["Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"],
            ] {
                let answer = try await server.client.send("POST", "/api/v1/jobs/1/retry", headers: headers)
                #expect(answer.status == 403 && answer.code == "otherOrigin", "\(headers)")
            }
            #expect(backend.read { $0.requests }.isEmpty)
            #expect(try await server.client.get("/api/v1/events", headers: ["Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"]).status == 403)
            // A link from elsewhere may lead here.
            #expect(try await server.client.get("/", headers: ["Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"]).status == 200)

            let own = try await server.client.send("POST", "/api/v1/jobs/1/retry", headers: ["Origin": "http://\(here)"])
            #expect(own.status == 200)
            #expect(backend.read { $0.requests } == ["retry 1"])
        }
    }

    @Test(arguments: ["/", "/api/v1/status", "/nowhere", "/api/v1/jobs/x"])
    func everyAnswerIsProtected(path: String) async throws {
        try await TestServer.run { (server) async throws in
            let headers = try await server.client.get(path).headers
            let policy = headers["content-security-policy"] ?? ""
            #expect(policy.hasPrefix("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"))
            #expect(headers["x-content-type-options"] == "nosniff")
            #expect(headers["referrer-policy"] == "no-referrer")
            #expect(headers["access-control-allow-origin"] == nil)
        }
    }

    @Test func whatDoesNotFitIsSaidSo() async throws {
        try await TestServer.run { (server) async throws in
            let missing = try await server.client.get("/api/v2/status")
            #expect(missing.status == 404 && missing.code == "notFound")
            let method = try await server.client.send("DELETE", "/api/v1/jobs/1/retry")
            #expect(method.status == 405 && method.headers["allow"] == "POST")
            let head = try await server.client.send("HEAD", "/api/v1/status")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(try await server.client.send("HEAD", "/api/v1/events").status == 405)
        }
    }

    @Test func inTheMiddleOfTrouble() async throws {
        let backend = FakeBackend { $0.failure = .init(.databaseUnavailable, "the database is away", remedy: "wait") }
        try await TestServer.run(backend) { (server) async throws in
            let answer = try await server.client.get("/api/v1/jobs")
            #expect(answer.status == 503 && answer.code == "databaseUnavailable")
            let metrics = try await server.client.get("/metrics")
            #expect(metrics.status == 200 && metrics.text.contains("solstice_ready 1") && !metrics.text.contains("solstice_jobs{"))
        }
    }

    @Test func healthAndReadiness() async throws {
        let backend = FakeBackend()
        try await TestServer.run(backend) { (server) async throws in
            #expect(try await server.client.get("/readyz").status == 200)
            backend.change {
                $0.status.isReady = false
                $0.status.reason = "the database is away"
            }
            let answer = try await server.client.get("/readyz")
            #expect(answer.status == 503 && answer.text == "not ready\n")
            #expect(try await server.client.get("/healthz").status == 200)
        }
    }
}
