import Foundation
import Jobs
import Testing
@testable import Web

@Suite struct EventTests {
    private static let request = "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"

    @Test func firstEverythingThenWhatChanged() async throws {
        let backend = FakeBackend { state in
            state.jobs = [.sample(1, .done), .sample(2, .running), .sample(3, .failed)]
            state.status.throughput = [ThroughputPoint(time: 1, framesPerSecond: 2)]
        }
        try await TestServer.run(backend) { (server) async throws in
            let port = server.port
            let connection = try await HTTPClient.blocking { try Connection(port: port) }
            let first = try await HTTPClient.blocking {
                try connection.write(Self.request)
                return try connection.read(until: "event: throughput\ndata: [{\"frames_per_second\":2,\"time\":1}]\n\n")
            }
            #expect(first.contains("200 OK") && first.lowercased().contains("content-type: text/event-stream"))
            for name in ["status", "active", "queued", "failed", "finished"] { #expect(first.contains("event: \(name)\ndata: {")) }
            backend.change { $0.jobs[0].state = .failed }
            // The status holds the counts and comes first, what did not change does not come at all.
            let second = try await HTTPClient.blocking { try connection.read(until: "event: finished\ndata: {\"jobs\":[]}\n\n") }
            #expect(second.contains("event: status") && second.contains("event: failed"))
            #expect(!second.contains("event: active") && !second.contains("event: queued") && !second.contains("event: throughput"))
        }
    }

    @Test func twoHundredListeners() async throws {
        let backend = FakeBackend { $0.jobs = [.sample(1, .running)] }
        try await TestServer.run(backend) { (server) async throws in
            let port = server.port
            let connections = try await HTTPClient.blocking {
                try (0..<200).map { _ in
                    let connection = try Connection(port: port)
                    try connection.write(Self.request)
                    return connection
                }
            }
            try await HTTPClient.blocking { for connection in connections { _ = try connection.read(until: "event: throughput") } }
            backend.change { $0.jobs[0].framesDone = 4711 }
            let got = try await HTTPClient.blocking { try connections.filter { try $0.read(until: "\"frames_done\":4711").contains("event: active") }.count }
            #expect(got == 200)
            #expect(try await server.client.get("/metrics").text.contains("solstice_http_event_streams 200\n"))
            for connection in connections { shutdown(connection.number, Int32(SHUT_RDWR)) }
            #expect(try await eventually { try await server.client.get("/metrics").text.contains("solstice_http_event_streams 0\n") })
            // Nobody listens: the daemon is not asked for changes any more.
            #expect(await eventually { backend.read { $0.listeners.isEmpty } })
        }
    }

    @Test func oneTooManyIsToldSo() async throws {
        try await TestServer.run(FakeBackend(), { $0.eventStreamLimit = 2 }) { (server) async throws in
            let port = server.port
            let connections = try await HTTPClient.blocking {
                try (0..<2).map { _ in
                    let connection = try Connection(port: port)
                    try connection.write(Self.request)
                    _ = try connection.read(until: "event: throughput")
                    return connection
                }
            }
            let refused = try await server.client.get("/api/v1/events")
            #expect(refused.status == 503 && refused.code == "tooManyStreams" && refused.headers["retry-after"] != nil)
            shutdown(connections[0].number, Int32(SHUT_RDWR))
            #expect(await eventually { server.events == 1 })
            let third = try await HTTPClient.blocking {
                let connection = try Connection(port: port)
                try connection.write(Self.request)
                return try connection.read(until: "event: throughput")
            }
            #expect(third.contains("200 OK"))
            withExtendedLifetime(connections) {}
        }
    }

    @Test func troubleIsToldAndEnds() async throws {
        let backend = FakeBackend { $0.failure = .init(.databaseUnavailable, "the database is away") }
        try await TestServer.run(backend) { (server) async throws in
            let port = server.port
            let connection = try await HTTPClient.blocking {
                let connection = try Connection(port: port)
                try connection.write(Self.request)
                _ = try connection.read(until: "event: trouble\ndata: {\"code\":\"databaseUnavailable\",\"message\":\"the database is away\"}")
                return connection
            }
            backend.change { $0.failure = nil }
            _ = try await HTTPClient.blocking { try connection.read(until: "event: status") }
        }
    }

    /// One that does not read keeps one state, however many there were, and does not hold the others up.
    @Test func aSlowListenerSkips() async throws {
        let backend = FakeBackend { $0.jobs = [.sample(1, .running)] }
        let hub = EventHub(backend: backend, uploadLimit: 1, limit: 4, pace: .zero)
        let slow = try #require(hub.subscribe()), quick = try #require(hub.subscribe())
        @Sendable func sees(_ frames: Int) async -> Bool {
            for await sections in quick.states where sections.contains(where: { Self.tells($0, frames) }) { return true }
            return false
        }
        let reader = Task { await sees(300) }
        for frames in 1...300 {
            backend.change { $0.jobs[0].framesDone = frames }
            await Task.yield()
        }
        #expect(await reader.value)
        // Who is told of a state first is not laid down: once the quick one has heard of the next, the slow one has heard of this.
        backend.change { $0.jobs[0].framesDone = 301 }
        #expect(await sees(301))
        hub.close()
        var states: [[EventHub.Section]] = []
        for await sections in slow.states { states.append(sections) }
        #expect(states.count == 1)
        let active = try #require(states.first?.first { $0.name == "active" })
        #expect(Self.tells(active, 300) || Self.tells(active, 301))
    }

    private static func tells(_ section: EventHub.Section, _ frames: Int) -> Bool {
        String(decoding: section.bytes, as: UTF8.self).contains("\"frames_done\":\(frames),")
    }
}

extension TestServer {
    var events: Int { server.eventStreams }
}
