import Foundation
import Jobs
import SystemPackage
import TestSupport
import Testing
@testable import Web

@Suite struct DownloadTests {
    private static let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }

    private func withResult(_ name: String = "clip.mp4", _ body: @Sendable (TestServer, TemporaryFolder) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        try Data(Self.content).write(to: folder.url.appendingPathComponent(name))
        let backend = FakeBackend { state in
            state.jobs = [.sample(1, .done) { $0.target = FilePath(folder.path(name)) }, .sample(2, .running), .sample(3, .done) { $0.target = FilePath(folder.path("gone.mp4")) }]
        }
        try await TestServer.run(backend) { server in try await body(server, folder) }
    }

    @Test func theWholeFile() async throws {
        try await withResult { (server, _) async throws in
            let answer = try await server.client.get("/api/v1/jobs/1/result")
            #expect(answer.status == 200 && answer.body == Self.content)
            #expect(answer.headers["content-type"] == "video/mp4" && answer.headers["accept-ranges"] == "bytes")
            #expect(answer.headers["content-disposition"] == "attachment; filename=\"clip.mp4\"; filename*=UTF-8''clip.mp4")
            let tag = try #require(answer.headers["etag"])
            #expect(try await server.client.get("/api/v1/jobs/1/result", headers: ["If-None-Match": tag]).status == 304)
            let head = try await server.client.send("HEAD", "/api/v1/jobs/1/result")
            #expect(head.status == 200 && head.body.isEmpty && head.headers["content-length"] == "300000")
        }
    }

    @Test(arguments: [
        ("bytes=0-0", 0, 0), ("bytes=100-299", 100, 299), ("bytes=299990-", 299_990, 299_999), ("bytes=-5", 299_995, 299_999), ("bytes=-999999999", 0, 299_999),
        ("bytes=299999-99999999999999999999", 299_999, 299_999),
    ])
    func partsOfIt(range: String, first: Int, last: Int) async throws {
        try await withResult { (server, _) async throws in
            let answer = try await server.client.get("/api/v1/jobs/1/result", headers: ["Range": range])
            #expect(answer.status == 206 && answer.body == Array(Self.content[first...last]))
            #expect(answer.headers["content-range"] == "bytes \(first)-\(last)/300000")
        }
    }

    @Test func partsOfAnotherVersion() async throws {
        try await withResult { (server, folder) async throws in
            let tag = try #require(try await server.client.get("/api/v1/jobs/1/result").headers["etag"])
            func status() async throws -> Int { try await server.client.get("/api/v1/jobs/1/result", headers: ["Range": "bytes=1-2", "If-Range": tag]).status }
            #expect(try await status() == 206)
            try Data([1, 2, 3]).write(to: folder.url.appendingPathComponent("clip.mp4"))
            #expect(try await status() == 200)
        }
    }

    @Test func rangesInWords() {
        func range(_ header: String?, _ size: Int64 = 10) -> ByteRange { ByteRange(header: header, size: size) }
        #expect(range(nil) == .whole)
        #expect(range("bytes=2-4") == .part(2...4))
        #expect(range("bytes=10-") == .unsatisfiable)
        #expect(range("bytes=-0") == .unsatisfiable)
        #expect(range("bytes=0-", 0) == .unsatisfiable)
        for odd in ["bytes=4-2", "bytes=a-b", "bytes=-", "bytes=1-2,4-5", "lines=1-2", "bytes=--1", "bytes=1", "bytes=+1-2"] { #expect(range(odd) == .whole, "\(odd)") }
    }

    /// Whoever may write to the output folder can put a link in a result's place.
    @Test(.enabled(if: geteuid() == 0, "only root can give links away")) func noLinkLeadsToWhatIsAnothersFile() async throws {
        try await withResult { (server, folder) async throws in
            let result = folder.path("clip.mp4"), secret = folder.path("secret")
            #expect(rename(result, secret) == 0 && symlink(secret, result) == 0)
            #expect(chown(secret, 54_322, 54_322) == 0 && lchown(result, 54_321, 54_321) == 0)
            #expect(try await server.client.get("/api/v1/jobs/1/result").code == "resultGone")
            #expect(lchown(result, 54_322, 54_322) == 0)
            #expect(try await server.client.get("/api/v1/jobs/1/result").body == Self.content)
        }
    }

    @Test func whatIsNotThere() async throws {
        try await withResult { (server, _) async throws in
            #expect(try await server.client.get("/api/v1/jobs/1/result", headers: ["Range": "bytes=300000-"]).status == 416)
            #expect(try await server.client.get("/api/v1/jobs/2/result").code == "noResult")
            #expect(try await server.client.get("/api/v1/jobs/3/result").code == "resultGone")
            #expect(try await server.client.get("/api/v1/jobs/9/result").code == "noSuchJob")
        }
    }

    @Test(arguments: [
        ("/o/a b.mp4", "a b.mp4", "a%20b.mp4"), ("/o/Straße \"1\".mkv", "Stra_e _1_.mkv", "Stra%C3%9Fe%20%221%22.mkv"), ("/o/a%0d;b.ts", "a_0d;b.ts", "a%250d%3Bb.ts"),
        ("/o/line\r\nX: y.mp4", "line_x0D_x0AX: y.mp4", "line%5Cx0D%5Cx0AX%3A%20y.mp4"),
    ])
    func namesOfDownloads(path: String, plain: String, encoded: String) {
        #expect(DownloadRoute.disposition(FilePath(path)) == "attachment; filename=\"\(plain)\"; filename*=UTF-8''\(encoded)")
    }

    @Test func aPipeInItsPlaceIsNotWaitedFor() async throws {
        try await withResult { (server, folder) async throws in
            try #require(mkfifo(folder.path("gone.mp4"), 0o600) == 0)
            #expect(try await server.client.get("/api/v1/jobs/3/result").code == "resultGone")
        }
    }
}
