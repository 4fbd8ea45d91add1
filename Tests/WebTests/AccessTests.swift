import Foundation
import Testing
@testable import Web

@Suite struct AccessTests {
    static let token = "0123456789abcdefXYZ"

    @Test(arguments: [
        ("127.0.0.1", true), ("127.9.9.9", true), ("localhost", true), ("LOCALHOST", true), ("::1", true), ("[::1]", true), ("0.0.0.0", false), ("::", false),
        ("192.168.1.5", false), ("127.0.0.1.example.com", false), ("localhost.example.com", false), ("::ffff:127.0.0.1", true), ("example.com", false),
    ])
    func whatIsLoopback(host: String, isLoopback: Bool) {
        #expect(HostName(host).isLoopback == isLoopback)
    }

    @Test func otherAddressesDemandAToken() {
        func code(_ host: String, _ token: String?) -> WebError.Code? {
            do throws(WebError) { try WebConfiguration(host: host, token: token).validate() } catch { return error.code }
            return nil
        }
        #expect(code("0.0.0.0", nil) == .tokenRequired)
        #expect(code("::", nil) == .tokenRequired)
        #expect(code("0.0.0.0", Self.token) == nil)
        #expect(code("127.0.0.1", nil) == nil)
        #expect(code("127.0.0.1", "short") == .badToken)
        #expect(code("127.0.0.1", "has a space and is long enough") == .badToken)
        #expect(code("", nil) == .badAddress)
    }

    @Test(arguments: ["/api/v1/status", "/api/v1/jobs", "/api/v1/jobs/1", "/api/v1/jobs/1/result", "/api/v1/events", "/metrics", "/api/v1/jobs/1/before.jpg"])
    func nothingIsToldWithoutTheToken(path: String) async throws {
        try await TestServer.run(FakeBackend { $0.jobs = [.sample(1, .done)] }, { $0.token = Self.token }) { (server) async throws in
            for headers in [
                [:], ["Authorization": "Bearer \(Self.token)x"], ["Authorization": "Bearer"], ["Authorization": "Basic \(Self.token)"],
                ["Authorization": "Bearer \(Self.token.dropLast())"], ["Cookie": "solstice-0=\(Self.token)"], ["Cookie": "solstice-0=9999999999.\(String(repeating: "0", count: 64))"],
            ] {
                let answer = try await server.client.get(path, headers: headers)
                #expect(answer.status == 401)
                #expect(answer.code == "unauthorized")
                #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
            }
        }
    }

    @Test func theTokenOpensEverything() async throws {
        try await TestServer.run(FakeBackend(), { $0.token = Self.token }) { (server) async throws in
            #expect(try await server.client.get("/api/v1/status", headers: ["Authorization": "Bearer \(Self.token)"]).status == 200)
            #expect(try await server.client.get("/api/v1/status", headers: ["Authorization": "bearer \(Self.token)"]).status == 200)
            for path in ["/", "/app.js", "/healthz", "/readyz", "/api/v1/openapi.json", "/api/v1/session"] {
                #expect(try await server.client.get(path).status == 200, "\(path)")
            }
        }
    }

    @Test func theFormGivesACookie() async throws {
        try await TestServer.run(FakeBackend(), { $0.token = Self.token }) { (server) async throws in
            let type = ["Content-Type": "application/json"]
            let wrong = try await server.client.send("POST", "/api/v1/session", headers: type, body: Array(#"{"token":"0123456789abcdefXYy"}"#.utf8))
            #expect(wrong.status == 403)
            #expect(wrong.headers["set-cookie"] == nil)
            let untyped = try await server.client.send("POST", "/api/v1/session", body: Array(#"{"token":"\#(Self.token)"}"#.utf8))
            #expect(untyped.status == 415)
            let long = try await server.client.send("POST", "/api/v1/session", headers: type, body: Array(repeating: 32, count: 5000))
            #expect(long.status == 413)

            let right = try await server.client.send("POST", "/api/v1/session", headers: type, body: Array(#"{"token":"\#(Self.token)"}"#.utf8))
            let cookie = try #require(right.headers["set-cookie"])
            #expect(right.status == 200)
            #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains(Self.token))
            let pair = String(cookie.prefix { $0 != ";" })
            #expect(try await server.client.get("/api/v1/status", headers: ["Cookie": "other=1; \(pair)"]).status == 200)
            #expect(try await server.client.get("/api/v1/status", headers: ["Cookie": String(pair.dropLast()) + (pair.hasSuffix("0") ? "1" : "0")]).status == 401)
        }
    }

    @Test func sessionsEnd() {
        let access = Access(token: Self.token, port: 8080)
        let now = Date()
        let pair = String(access.sessionCookie(isSecure: false, now: now).prefix { $0 != ";" })
        func isAllowed(_ after: Double, _ access: Access = access) -> Bool { access.allows([.cookie: pair], now: now + after) }
        #expect(isAllowed(1))
        #expect(isAllowed(Access.sessionSeconds - 10))
        #expect(!isAllowed(Access.sessionSeconds + 10))
        // Another token, another port: another session.
        #expect(!isAllowed(1, Access(token: "another token here", port: 8080)))
        #expect(!isAllowed(1, Access(token: Self.token, port: 8081)))
        #expect(isAllowed(1, Access(token: Self.token, port: 8080)))
    }
}
