import Foundation
import Jobs
import SystemPackage
import Testing
@testable import Web

@Suite struct JobRoutesTests {
    @Test func pagesOfTheList() async throws {
        let backend = FakeBackend { state in state.jobs = (1...25).map { .sample(Int64($0), $0.isMultiple(of: 2) ? .done : .failed, folder: $0 > 20 ? "bike" : "dashcam") } }
        try await TestServer.run(backend) { (server) async throws in
            func page(_ query: String) async throws -> (ids: [Int], next: Int?) {
                let json = try await server.client.get("/api/v1/jobs?\(query)").json()
                return ((json["jobs"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? Int }, json["next"] as? Int)
            }
            let first = try await page("limit=10")
            #expect(first.ids == Array((16...25).reversed()) && first.next == 16)
            let last = try await page("limit=10&before=6")
            #expect(last.ids == [5, 4, 3, 2, 1] && last.next == nil)
            #expect(try await page("state=failed&folder=bike").ids == [25, 23, 21])
            #expect(try await page("state=failed,done&limit=2").ids == [25, 24])
            #expect(try await page("folder=none").ids.isEmpty)
        }
    }

    @Test(arguments: ["limit=0", "limit=501", "limit=x", "before=-1", "state=running,lost", "state=", "status=done", "limit=5&limit=6", "folder=%ff"])
    func whatIsNotAParameter(query: String) async throws {
        try await TestServer.run { (server) async throws in
            let answer = try await server.client.get("/api/v1/jobs?\(query)")
            #expect(answer.status == 400 && answer.code == "badRequest")
        }
    }

    @Test func oneJob() async throws {
        let backend = FakeBackend { state in
            state.jobs = [
                .sample(7, .running, path: "a/Stra\u{df}e.mp4") { job in
                    (job.framesDone, job.framesRendered) = (200, 250)
                    job.framesTotal = 1000
                    job.framesPerSecond = 12.5
                    job.relativePath = FilePath(bytes: Array("odd".utf8) + [0xff] + Array("\n.mp4".utf8))!
                }
            ]
        }
        try await TestServer.run(backend) { (server) async throws in
            let json = try await server.client.get("/api/v1/jobs/7").json()
            #expect(json["state"] as? String == "running")
            #expect(json["progress"] as? Double == 0.25)
            #expect(json["seconds_left"] as? Double == 60)
            #expect(json["file"] as? String == "odd\\xFF\\x0A.mp4")
            #expect(json["actions"] as? [String] == ["pause", "cancel"])
            #expect(json["created"] as? String == "2026-09-21T14:13:20Z")
            #expect(json["failure"] == nil)
            #expect(try await server.client.get("/api/v1/jobs/8").code == "noSuchJob")
            for odd in ["0", "-1", "x", "7.0", "99999999999999999999"] { #expect(try await server.client.get("/api/v1/jobs/\(odd)").status == 400) }
        }
    }

    @Test func requestsReachTheDaemon() async throws {
        let backend = FakeBackend { $0.jobs = [.sample(1, .failed), .sample(2, .running), .sample(3, .queued)] }
        try await TestServer.run(backend) { (server) async throws in
            for (asked, state) in [("1/retry", "queued"), ("2/pause", "queued"), ("3/cancel", "cancelled"), ("2/resume", "queued")] {
                let answer = try await server.client.send("POST", "/api/v1/jobs/\(asked)")
                #expect(try answer.status == 200 && answer.json()["state"] as? String == state)
            }
            #expect(backend.read { $0.requests } == ["retry 1", "pause 2", "cancel 3", "resume 2"])
            let refused = try await server.client.send("POST", "/api/v1/jobs/2/retry")
            #expect(refused.status == 409 && refused.code == "notPossible")
            #expect(try await server.client.send("POST", "/api/v1/jobs/9/retry").status == 404)
        }
    }

    @Test func picturesOfJobsAndRelays() async throws {
        let backend = FakeBackend { state in
            state.jobs = [.sample(3, .running), .sample(4, .running)]
            state.status.relays = [RelayState(name: "back", state: "lost", source: "x")]
            state.pictures = { subject, side in
                switch subject {
                case .job(3): side == .before ? [1, 2, 3] : [4]
                case .relay("front door"): [5, 6]
                default: nil
                }
            }
        }
        try await TestServer.run(backend) { (server) async throws in
            let before = try await server.client.get("/api/v1/jobs/3/before.jpg")
            #expect(before.body == [1, 2, 3] && before.headers["content-type"] == "image/jpeg" && before.headers["cache-control"] == "no-store")
            #expect(try await server.client.get("/api/v1/jobs/3/after.jpg").body == [4])
            // None now is not an error: the page asks again and again.
            #expect(try await server.client.get("/api/v1/jobs/4/after.jpg").status == 204)
            #expect(try await server.client.get("/api/v1/relays/back/after.jpg").status == 204)
            #expect(try await server.client.get("/api/v1/jobs/5/after.jpg").status == 404)
            #expect(try await server.client.get("/api/v1/relays/front%20door/after.jpg").body == [5, 6])
            #expect(try await server.client.get("/api/v1/relays/%2e%2e/after.jpg").status == 404)
        }
    }
}
