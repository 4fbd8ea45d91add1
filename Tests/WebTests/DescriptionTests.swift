import Foundation
import Jobs
import Logging
import SystemPackage
import Testing
@testable import Web

/// The OpenAPI description says what the server does, no more and no less.
@Suite struct DescriptionTests {
    private func description() throws -> [String: Any] {
        let page = try PageFiles()
        let file = try #require(page.files.first { $0.name == "openapi.json" })
        return try #require(try JSONSerialization.jsonObject(with: Data(file.bytes)) as? [String: Any])
    }

    private func schema(_ name: String) throws -> [String: Any] {
        let components = try #require(try description()["components"] as? [String: Any])
        return try #require((components["schemas"] as? [String: Any])?[name] as? [String: Any], "\(name)")
    }

    @Test func everyRouteIsThere() throws {
        let server = try WebServer(configuration: WebConfiguration(), backend: FakeBackend(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let page = Set(try PageFiles().files.map(\.path))
        let served = Set(
            server.routes.filter { !page.contains($0.path) || $0.path.hasSuffix("openapi.json") }
                .map { "\($0.method.rawValue) \($0.path.replacingOccurrences(of: "**", with: "{path}"))" })
        let paths = try #require(try description()["paths"] as? [String: [String: Any]])
        let described = Set(paths.flatMap { path, operations in operations.keys.map { "\($0.uppercased()) \(path)" } })
        #expect(served == described)
        // What needs no token is said to need none.
        for route in server.routes where served.contains("\(route.method.rawValue) \(route.path)") {
            let operation = paths[route.path]?[route.method.rawValue.lowercased()] as? [String: Any]
            #expect((operation?["security"] != nil) == (route.access == .open), "\(route.path)")
            let answers = (operation?["responses"] as? [String: Any] ?? [:]).keys
            #expect(answers.contains("401") == (route.access == .token), "\(route.path)")
        }
    }

    @Test func everyFieldOfAJobIsThere() throws {
        let full = Job.sample(1, .running) { job in
            job.source = FilePath(bytes: [0x2F, 0xFF]) ?? job.source
            job.target = FilePath(bytes: [0x2F, 0xFE]) ?? job.target
            job.hold = .disk
            job.note = "n"
            job.notBefore = Date()
            job.failure = JobFailure(code: "c", text: "t", mayPass: true)
            job.request = .pause
            job.framesTotal = 5
            job.framesPerSecond = 5
            job.outputBytes = 1
            job.identity.contentHash = "h"
            job.notices = ["n"]
            job.copyOf = 2
            job.replacedBy = 3
            job.started = Date()
            job.finished = Date()
        }
        try check(JobList(jobs: [JobView(full)], next: 1), against: "JobList", isFull: true)
        try check(JobList(jobs: [JobView(.sample(1, .queued))], next: nil), against: "JobList", isFull: false)
    }

    @Test func everyFieldOfTheStatusIsThere() throws {
        var relay = RelayState(name: "r", state: "lost", reason: "x", source: "s", starts: 1, hasPicture: true)
        (relay.fpsIn, relay.fpsOut, relay.latencyP50, relay.latencyP95, relay.dropped, relay.reconnects, relay.readers) = (1, 1, 1, 1, 1, 1, 1)
        let full = ServiceStatus(
            version: "1", uptime: 1, isReady: false, reason: "r", folders: [FolderStatus(name: "n", input: "i", output: "o", state: "paused", reason: "r", settling: 1)],
            relays: [relay], disks: [DiskStatus(path: "p", use: "u", free: 1, total: 2, floor: 1)], cpu: CPUStatus(), throughput: [ThroughputPoint(time: 1, framesPerSecond: 1)])
        try check(StatusView(full, counts: [.done: 1], uploadLimit: 1), against: "Status", isFull: true)
        try check(StatusView(ServiceStatus(version: "1", uptime: 1, isReady: true), counts: [:], uploadLimit: 1), against: "Status", isFull: false)
    }

    @Test func theSmallOnes() throws {
        try check(UploadView(folder: "f", file: "x", bytes: 1), against: "Upload", isFull: true)
        try check(SessionView(needsToken: true, isAllowed: false), against: "Session", isFull: true)
        try check(ProblemView(error: .init(code: "c", message: "m", remedy: "r")), against: "Problem", isFull: true)
    }

    /// `isFull`: the value has every field that there is.
    private func check(_ value: some Encodable, against name: String, isFull: Bool) throws {
        try compare(try JSONSerialization.jsonObject(with: Data(JSONAnswer.encode(value))), with: ["$ref": "#/components/schemas/\(name)"], at: name, isFull)
    }

    private func compare(_ value: Any, with given: [String: Any], at place: String, _ isFull: Bool) throws {
        var schema = given
        if let name = (given["$ref"] as? String)?.split(separator: "/").last { schema = try self.schema(String(name)) }
        switch try #require(schema["type"] as? String, "\(place)") {
        case "object":
            let object = try #require(value as? [String: Any], "\(place)")
            guard let properties = schema["properties"] as? [String: [String: Any]] else { return }
            let required = Set(schema["required"] as? [String] ?? [])
            #expect(Set(object.keys).isSubset(of: properties.keys), "\(place): \(Set(object.keys).subtracting(properties.keys))")
            #expect(required.isSubset(of: object.keys), "\(place): \(required.subtracting(object.keys))")
            if isFull { #expect(Set(object.keys) == Set(properties.keys), "\(place): \(Set(properties.keys).subtracting(object.keys))") }
            for (key, field) in object { if let property = properties[key] { try compare(field, with: property, at: "\(place).\(key)", isFull) } }
        case "array":
            let items = try #require(schema["items"] as? [String: Any])
            for item in try #require(value as? [Any], "\(place)") { try compare(item, with: items, at: "\(place)[]", isFull) }
        case "string":
            let text = try #require(value as? String, "\(place)")
            if let allowed = schema["enum"] as? [String] { #expect(allowed.contains(text), "\(place)") }
        default: #expect(value is NSNumber, "\(place)")
        }
    }
}
