import Foundation
import TestSupport
import Testing

/// `solstice relay` run against real peers: GStreamer's RTSP server as camera and as target, ffmpeg and GStreamer as readers. One at a time, as each takes
/// the machine's cores.
@Suite("solstice relay", .serialized) struct RelayProgram {}

/// A relay with its peers, for one test. Everything that it started is gone after `close`.
final class Bench {
    let folder: TemporaryFolder
    private let logs: TemporaryFolder
    private var programs: [Running] = []

    static let python = "/usr/bin/python3"
    static let scripts = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/relay").path
    /// Small pictures and a small network: what is tested here is what happens around the translation.
    static let quick = ["--network-size", "256x128", "--json", "--status-interval", "0.5s"]
    /// Seconds that a step may take on a slow machine.
    static let patience = 90.0

    init() throws {
        folder = try TemporaryFolder()
        logs = try TemporaryFolder()
    }

    func close() {
        for program in programs { program.discard() }
        programs = []
    }

    @discardableResult
    func start(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws -> Running {
        let running = try Program.start(program, arguments, environment: environment, in: logs.url)
        programs.append(running)
        return running
    }

    /// Starts one of the Python peers and waits for its first line.
    func script(_ name: String, _ arguments: [String]) throws -> Running {
        let running = try start(Self.python, ["\(Self.scripts)/\(name)"] + arguments)
        guard running.wait(upTo: Self.patience, for: { !$0.isEmpty }) else {
            throw Program.Failure(description: "\(name) does not start: \(running.complaints)")
        }
        return running
    }

    /// A camera with numbered frames, 320x180 at 15 frames a second unless `options` say otherwise, and its address.
    func camera(port: Int = 0, _ options: [String] = []) throws -> (running: Running, url: String) {
        let running = try script(
            "camera.py", ["--pattern", "--size", "320x180", "--fps", "15", "--gop", "15", "--bitrate", "600", "--port", "\(port)"] + options)
        return (running, running.rows.first?.text("url") ?? "")
    }

    func relay(_ arguments: [String], environment: [String: String] = [:]) throws -> Running {
        try start(Program.solstice, ["relay"] + arguments + Self.quick, environment: environment)
    }

    /// A relay of `source` that readers connect to.
    func server(_ source: String, _ options: [String] = [], environment: [String: String] = [:]) throws -> (running: Running, url: String) {
        let url = "rtsp://127.0.0.1:\(try FreePort.next())/night"
        return (try relay([source, "--listen", url] + options, environment: environment), url)
    }

    /// A reader that stays and prints a line twice a second.
    func watcher(_ url: String, _ options: [String] = ["--with", "gst"]) throws -> Running {
        try start(Self.python, ["\(Self.scripts)/pattern.py", "read", url, "--every", "0.5"] + options)
    }

    /// Tells a proxy something.
    func tell(_ proxy: Running, _ words: String...) throws {
        let control = proxy.rows.first?.count("control") ?? 0
        try Program.output(Self.python, ["\(Self.scripts)/proxy.py", "send", "\(control)"] + words)
    }

    /// A file of numbered frames, with sound where wanted.
    func recording(_ name: String, seconds: Double, size: String = "320x180", fps: Int = 25, sound: [String] = [], _ options: [String] = []) throws -> String {
        let raw = folder.path(".\(name).yuv"), path = folder.path(name)
        defer { try? FileManager.default.removeItem(atPath: raw) }
        let drawing = try Program.start(
            "/bin/sh", ["-c", "exec \"$0\" \"$1\" draw --size \(size) --fps \(fps) --seconds \(seconds) > \"$2\"", Self.python, "\(Self.scripts)/pattern.py", raw],
            in: logs.url
        ).wait(limit: Self.patience)
        guard drawing.status == 0 else { throw Program.Failure(description: "pattern.py: \(drawing.errors)") }
        let tone = sound.isEmpty ? [] : ["-f", "lavfi", "-i", "sine=frequency=440:duration=\(seconds)"]
        try Program.output(
            "ffmpeg", ["-v", "error", "-nostdin", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", "\(fps)", "-i", raw] + tone
                + ["-c:v", "libx264", "-preset", "ultrafast", "-g", "\(fps)"] + sound + options + [path])
        return path
    }

    /// The numbers that are drawn in a file's frames, in order; nil for one that cannot be read.
    static func numbers(_ path: String) throws -> [Int?] {
        let text = try Program.output(python, ["\(scripts)/pattern.py", "read", path, "--frames"])
        return JSONRow.lines(of: text).filter { $0.text("end") == nil && $0.number("frames") == nil }
            .map { $0.number("frame").map { Int($0) } }
    }
}

extension Running {
    /// The events of one kind, and where given in one state.
    func events(_ event: String, _ state: String? = nil) -> [JSONRow] {
        rows.filter { $0.text("event") == event && (state == nil || $0.text("state") == state) }
    }

    /// Waits for the `count`th event of a kind.
    func wait(event: String, _ state: String? = nil, count: Int = 1, limit: Double = Bench.patience) -> Bool {
        wait(upTo: limit) { _ in events(event, state).count >= count }
    }

    var status: JSONRow? { rows.last { $0.text("event") == "status" } }

    /// Waits until a watcher has seen so many pictures.
    func wait(seen frames: Int) -> Bool {
        wait(upTo: Bench.patience) { rows in rows.map { $0.count("frames") }.reduce(0, +) >= frames }
    }

    /// How often the watchdog has found a source that gave nothing.
    var stalls: Int { events("source", "lost").filter { $0.text("reason")?.contains("no frame has come") ?? false }.count }

    /// Waits for `frames` more frames sent.
    func wait(frames: Int, limit: Double = Bench.patience) -> Bool {
        let before = status?.count("frames_out") ?? 0
        return wait(upTo: limit) { _ in (status?.count("frames_out") ?? 0) >= before + frames }
    }

    /// Waits until the source plays and its frames arrive.
    func waitPlaying(limit: Double = Bench.patience) -> Bool {
        let before = status?.count("frames_in") ?? 0
        return wait(upTo: limit) { _ in status?.text("source") == "playing" && (status?.count("frames_in") ?? 0) > before + 5 }
    }

    /// SIGTERM, and how it ended.
    func end(with signal: Int32 = SIGTERM) -> Program.Outcome {
        send(signal: signal)
        return wait(limit: 20)
    }

    /// What a program said, for a test that failed: of a relay what happened, and how it stands.
    var story: Comment {
        let lines = printed.split(separator: "\n")
        let told = lines.filter { !$0.contains("\"event\":\"status\"") }.suffix(60) + lines.suffix(1)
        return Comment(rawValue: String((complaints + told.joined(separator: "\n")).suffix(8000)))
    }
}
