import Foundation
import Logging
import TestSupport
import Testing

@testable import Daemon
@testable import Web

/// A supervisor of relays that are a script.
private struct Stage {
    let folder: TemporaryFolder
    let supervisor: RelaySupervisor
    let log = Collected()
    private let queue: LogQueue

    /// Does what `--norm` says; tells its starts in a file.
    private static let script = """
        #!/bin/sh
        for word; do
          case $word in
            --preview-folder=*) folder=${word#*=} ;;
            --norm=*) mode=${word#*=} ;;
          esac
        done
        echo "$*" >> "$folder/starts"
        trap 'exit 0' TERM
        echo '{"event":"listening","address":"rtsp://127.0.0.1:1/x"}'
        echo 'no JSON'
        case $mode in
          crash) kill -SEGV $$ ;;
          fail) echo '{"event":"failed","error":"the lens cap is on","code":50}'; exit 50 ;;
          words) echo 'solstice: out of film' >&2; exit 51 ;;
          ended) echo '{"event":"source","state":"ended"}'; exit 0 ;;
          lost) echo '{"event":"source","state":"lost","reason":"no answer","retry_in":1.5}' ;;
          *) echo '{"event":"source","state":"playing","description":"h264 64x64"}' ;;
        esac
        if [ "$mode" != lost ]; then
          echo '{"event":"status","source":"playing","fps_in":25.5,"fps_out":24,"latency_p50":0.04,"latency_p95":0.09,"dropped":3,"reconnects":2,"readers":[{"address":"a","transport":"tcp","frames":1,"dropped":0}],"targets":[]}'
          echo x > "$folder/after.jpg"
        fi
        sleep 600 & wait
        """

    init(_ relays: [RelaySettings]) throws {
        folder = try TemporaryFolder()
        let program = folder.path("relay.sh"), place = folder.url.path
        try Data(Self.script.utf8).write(to: URL(fileURLWithPath: program))
        chmod(program, 0o755)
        queue = LogQueue(LineSink { [log] in log.add($0) })
        let logger = Logger(label: "test") { [queue] _ in ServiceLogHandler(queue: queue) { .debug } }
        supervisor = RelaySupervisor(relays, pictures: { "\(place)/\($0)" }, log: logger, onChange: {}, program: program)
    }

    static func relay(_ name: String, _ mode: String = "plays", source: String = "rtsp://c/1") -> RelaySettings {
        RelaySettings(name: name, source: source, targets: ["udp://t:1"], arguments: ["--norm=\(mode)"])
    }

    /// How a relay was started, the first time first.
    func starts(_ name: String) -> [String] {
        ((try? String(contentsOfFile: folder.path("\(name)/starts"), encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }

    func state(_ name: String) -> RelayState? { supervisor.states.first { $0.name == name } }

    func finish() {
        supervisor.stop()
        supervisor.waitUntilStopped()
        // The log is written by a thread of its own.
        #expect(queue.finish(patience: 30))
    }
}

/// Waits for what other processes bring about, 20 s at most.
func eventually(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<2000 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return condition()
}

@Suite("relays of the daemon") struct RelaySupervisorTests {
    @Test("what a relay tells is its state, and its end is in order")
    func plays() async throws {
        let stage = try Stage([Stage.relay("gate")])
        #expect(stage.state("gate")?.state == "starting" && stage.supervisor.processes.isEmpty)
        stage.supervisor.start()
        #expect(await eventually { stage.state("gate")?.readers == 1 && stage.state("gate")?.hasPicture == true })
        let state = try #require(stage.state("gate"))
        #expect(state.state == "playing" && state.reason == nil && state.starts == 1 && state.source == "rtsp://c/1")
        #expect(state.fpsIn == 25.5 && state.fpsOut == 24 && state.latencyP50 == 0.04 && state.latencyP95 == 0.09)
        #expect(state.dropped == 3 && state.reconnects == 2)
        #expect(stage.supervisor.processes.count == 1)
        let words = stage.starts("gate").first?.split(separator: " ").map(String.init) ?? []
        #expect(words.first == "relay" && words.contains("--json") && words.contains("--until-input-ends"))
        #expect(words.suffix(3) == ["--norm=plays", "rtsp://c/1", "udp://t:1"])
        stage.finish()
        #expect(stage.supervisor.processes.isEmpty)
        #expect(stage.state("gate")?.state == "stopped")
        #expect(stage.log.all.contains { $0.contains("relay listens") && $0.contains("relay=gate") })
    }

    @Test("one that dies is started again, and its reason is told", arguments: [("crash", "signal 11"), ("fail", "the lens cap is on"), ("words", "out of film")])
    func restarts(_ mode: String, _ reason: String) async throws {
        let stage = try Stage([Stage.relay("gate", mode)])
        stage.supervisor.start()
        #expect(await eventually { stage.starts("gate").count >= 2 })
        var found: RelayState?
        #expect(await eventually {
            found = stage.state("gate")
            return found?.state == "restarting"
        })
        let state = try #require(found)
        #expect(state.reason?.contains(reason) == true, "\(state)")
        #expect(state.starts >= 2)
        stage.finish()
        // The same reason is told once.
        #expect(stage.log.all.filter { $0.contains("relay failed") }.count == 1, "\(stage.log.all)")
        let starts = stage.starts("gate").count
        try await Task.sleep(for: .milliseconds(100))
        #expect(stage.starts("gate").count == starts && stage.supervisor.processes.isEmpty)
    }

    @Test("one that has ended by itself stays so until it is wanted again")
    func ends() async throws {
        let stage = try Stage([Stage.relay("gate", "ended")])
        stage.supervisor.start()
        #expect(await eventually { stage.state("gate")?.state == "stopped" })
        #expect(stage.state("gate")?.reason == "the source has ended")
        stage.supervisor.update([Stage.relay("gate", "ended")])
        #expect(await eventually { stage.starts("gate").count == 2 })
        stage.finish()
    }

    @Test("a source that is lost is no reason to start anew")
    func lost() async throws {
        let stage = try Stage([Stage.relay("gate", "lost")])
        stage.supervisor.start()
        #expect(await eventually { stage.state("gate")?.state == "lost" })
        #expect(stage.state("gate")?.reason == "no answer" && stage.starts("gate").count == 1)
        stage.finish()
    }

    @Test("new settings concern only the relays that they are about")
    func updates() async throws {
        let stage = try Stage([Stage.relay("same"), Stage.relay("other"), Stage.relay("gone")])
        stage.supervisor.start()
        #expect(await eventually { stage.supervisor.states.allSatisfy { $0.state == "playing" } })
        let before = stage.supervisor.processes
        stage.supervisor.update([Stage.relay("new"), Stage.relay("same"), Stage.relay("other", source: "rtsp://c/2")])
        #expect(await eventually { stage.starts("other").count == 2 && stage.starts("new").count == 1 && stage.supervisor.processes.count == 3 })
        #expect(await eventually { stage.supervisor.states.allSatisfy { $0.state == "playing" } })
        #expect(stage.supervisor.states.map(\.name) == ["new", "same", "other"])
        #expect(stage.supervisor.processes.contains(before[0]) && !stage.supervisor.processes.contains(before[1]))
        #expect(!stage.supervisor.processes.contains(before[2]) && stage.starts("same").count == 1)
        #expect(stage.state("other")?.source == "rtsp://c/2" && stage.starts("other").last?.contains("rtsp://c/2") == true)
        stage.finish()
        #expect(stage.supervisor.processes.isEmpty)
    }

    @Test("a program that cannot be started is told, and tried again")
    func missing() async throws {
        let folder = try TemporaryFolder()
        let place = folder.url.path
        let log = Logger(label: "test") { _ in ServiceLogHandler(queue: LogQueue(LineSink { _ in })) { .debug } }
        let supervisor = RelaySupervisor(
            [Stage.relay("gate")], pictures: { "\(place)/\($0)" }, log: log, onChange: {}, program: folder.path("none"))
        supervisor.start()
        #expect(supervisor.states.first?.state == "restarting" && supervisor.states.first?.reason?.contains("cannot be started") == true)
        supervisor.stop()
        supervisor.waitUntilStopped()
    }

    @Test("pauses grow to a limit, and begin anew after a run that worked")
    func pauses() {
        var random = SeededRandom(seed: 3)
        var pause = RelayPause()
        let first = (0..<12).map { _ in pause.next(afterRunning: 0.1, using: &random) }
        #expect((0.75...1).contains(first[0]) && (1.5...2).contains(first[1]) && (45...60).contains(first[8]) && first.max()! <= 60)
        for _ in 0..<100 { #expect(pause.next(afterRunning: 1, using: &random) <= 60) }
        #expect(pause.next(afterRunning: 61, using: &random) <= 1)
    }

    @Test("a real relay is seen, shows its frame, and ends with its parent")
    func real() async throws {
        let folder = try TemporaryFolder()
        let clip = folder.path("clip.mp4"), place = folder.url.path
        try Program.output("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x96:r=10", "-t", "2", "-pix_fmt", "yuv420p", "-g", "10", clip])
        let settings = RelaySettings(
            name: "real", source: clip, targets: [folder.path("out.mkv")],
            arguments: ["--realtime-file", "--loop", "--network-size=256x128", "--threads=1"])
        let log = Logger(label: "test") { _ in ServiceLogHandler(queue: LogQueue(LineSink { _ in })) { .info } }
        let supervisor = RelaySupervisor([settings], pictures: { "\(place)/\($0)" }, log: log, onChange: {}, program: Program.solstice)
        supervisor.start()
        // It may be between two rounds of the clip for a moment.
        var state = supervisor.states[0]
        for _ in 0..<3 where await !eventually({
            state = supervisor.states[0]
            return state.state == "playing" && state.hasPicture && (state.fpsOut ?? 0) > 0
        }) {}
        #expect(state.state == "playing" && state.hasPicture && state.reason == nil, "\(state)")
        for side in ["before", "after"] {
            let picture = try #require(FileManager.default.contents(atPath: "\(place)/real/\(side).jpg"))
            #expect(picture.starts(with: [0xFF, 0xD8]) && picture.suffix(2) == Data([0xFF, 0xD9]))
        }
        let mode = try FileManager.default.attributesOfItem(atPath: "\(place)/real/control")[.type] as? FileAttributeType
        #expect(mode == .typeSocket)
        supervisor.stop()
        supervisor.waitUntilStopped()
        #expect(supervisor.processes.isEmpty && !supervisor.states[0].hasPicture)

        let child = try ChildProcess.start(ChildOrder(
            Program.solstice, ["relay", "--json", "--until-input-ends", "--network-size=256x128", "--realtime-file", "--loop", clip, folder.path("two.mkv")]))
        child.closeInput()
        let end = await child.ended()
        // 143 where it was still getting ready.
        #expect([.exited(0), .exited(143), .signalled(SIGTERM)].contains(end.cause), "\(end)")
    }
}
