import Foundation
import Logging
import Testing
@testable import Web
@testable import Jobs

@Suite(.enabled(if: ProcessInfo.processInfo.environment["WEB_DEMO"] != nil)) struct DemoScratch {
    @Test func demo() async throws {
        let env = ProcessInfo.processInfo.environment
        let backend = FakeBackend { $0 = SampleService.state() }
        let folder = env["WEB_PICTURES"] ?? "/tmp/web-pictures"
        func load(_ n: String) -> [UInt8]? { FileManager.default.contents(atPath: "\(folder)/\(n)").map(Array.init) }
        backend.change { s in
            s.roots = ["dashcam": "/tmp/web-in", "bike": "/tmp/web-in"]
            s.pictures = { subject, side in
                switch subject {
                case .job(30): load("a-\(side.rawValue).jpg")
                case .job(31): load("b-\(side.rawValue).jpg")
                case .relay("front-camera"): load("c-\(side.rawValue).jpg")
                default: nil
                }
            }
        }
        let server = try WebServer(configuration: .init(port: Int(env["WEB_DEMO"]!)!, token: env["WEB_TOKEN"]), backend: backend, logger: Logger(label: "demo"))
        let t = Task { try await server.run() }
        for i in 0..<(Int(env["WEB_SECONDS"] ?? "600")!) {
            try await Task.sleep(for: .seconds(1))
            if i % 2 == 0 { backend.change { s in for k in s.jobs.indices where s.jobs[k].state == .running { s.jobs[k].framesDone += 20 } } }
        }
        t.cancel()
        _ = await t.result
    }
}
