import Foundation
import Jobs
import Testing
@testable import Web

@Suite struct MetricsTests {
    private static func sampleStatus() -> ServiceStatus {
        var relay = RelayState(name: "front \"door\"\n", state: "playing", source: "rtsp://camera", starts: 2)
        relay.fpsIn = 25
        relay.fpsOut = 24.5
        relay.latencyP50 = 0.08
        relay.dropped = 3
        return ServiceStatus(
            version: "1.2.3", uptime: 12.5, isReady: true, folders: [FolderStatus(name: "dash\\cam", input: "/in", output: "/out", state: "paused", settling: 2)],
            relays: [relay, RelayState(name: "back", state: "starting", source: "x")],
            disks: [DiskStatus(path: "/srv", use: "results", free: 5_000_000_000_000, total: 9, floor: 1)], cpu: CPUStatus(own: 1.5, machine: 2, cores: 4),
            throughput: [ThroughputPoint(time: 1, framesPerSecond: 3.25)], counters: ["frames": 1234, "worker_deaths": 1, "odd name-total": 2, "x_total": 5])
    }

    /// As Prometheus reads it: every line is a comment of a metric or a sample of the metric above; no sample comes twice.
    @Test func theFormatIsKept() throws {
        let text = MetricsPage.text(status: Self.sampleStatus(), counts: [.done: 5], eventStreams: 1, answers: [("2xx", 7)])
        #expect(text.hasSuffix("\n"))
        let sample = /([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*")*\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|NaN|[+-]Inf)/
        var current = "", seen: Set<String> = [], names: Set<String> = []
        for line in text.split(separator: "\n") {
            if let help = line.wholeMatch(of: /# HELP ([a-z_:0-9]+) .+/) {
                current = String(help.1)
                #expect(names.insert(current).inserted, "\(current) comes twice")
            } else if let type = line.wholeMatch(of: /# TYPE ([a-z_:0-9]+) (counter|gauge)/) {
                #expect(String(type.1) == current)
                #expect((type.2 == "counter") == current.hasSuffix("_total"), "\(current)")
            } else {
                let match = try #require(line.wholeMatch(of: sample), "\(line)")
                #expect(String(match.1) == current && current.hasPrefix("solstice_"))
                #expect(seen.insert(String(match.1) + String(match.2 ?? "")).inserted)
            }
        }
        #expect(seen.count > 30)
    }

    @Test func theValuesAreThere() {
        let text = MetricsPage.text(status: Self.sampleStatus(), counts: [.done: 5, .running: 1], eventStreams: 1, answers: [("2xx", 7)])
        for line in [
            "solstice_build_info{version=\"1.2.3\"} 1", "solstice_uptime_seconds 12.5", "solstice_jobs{state=\"done\"} 5", "solstice_jobs{state=\"queued\"} 0",
            "solstice_frames_total 1234", "solstice_worker_deaths_total 1", "solstice_odd_name_total_total 2", "solstice_x_total 5",
            "solstice_disk_free_bytes{path=\"/srv\",use=\"results\"} 5000000000000", "solstice_cpu_busy_cores{scope=\"own\"} 1.5",
            "solstice_folder_watching{folder=\"dash\\\\cam\"} 0", "solstice_folder_settling_files{folder=\"dash\\\\cam\"} 2",
            "solstice_relay_frames_per_second{relay=\"front \\\"door\\\"\\n\",direction=\"out\"} 24.5", "solstice_relay_playing{relay=\"back\"} 0",
            "solstice_relay_latency_seconds{relay=\"front \\\"door\\\"\\n\",quantile=\"0.5\"} 0.08", "solstice_throughput_frames_per_second 3.25",
            "solstice_http_responses_total{code=\"2xx\"} 7",
        ] { #expect(text.contains(line + "\n"), "\(line)") }
        #expect(!text.contains("solstice_relay_latency_seconds{relay=\"back\""))
    }

    @Test func servedAsSuch() async throws {
        try await TestServer.run { (server) async throws in
            let answer = try await server.client.get("/metrics")
            #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(answer.text.contains("solstice_ready 1\n"))
        }
    }
}
