import Foundation
import Jobs
import TestSupport
import Testing

@testable import Daemon

/// A validator that knows no commands: it refuses what holds `wrong`, and its identity is the arguments.
let lenient = OptionValidator(
    convert: { try refuse($0) }, relay: { try refuse($0) }, identity: { $0.joined(separator: " ") })

private func refuse(_ arguments: [String]) throws {
    struct Refusal: Error, CustomStringConvertible { let description: String }
    if let argument = arguments.first(where: { $0.contains("wrong") }) { throw Refusal(description: "\(argument.prefix { $0 != "=" }) is refused") }
}

/// A configuration file with its folder.
struct ConfigurationFile {
    let folder: TemporaryFolder
    let path: String

    init(_ text: String) throws {
        folder = try TemporaryFolder()
        path = folder.path("solstice.yaml")
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    func load(_ environment: [String: String] = ["HOME": "/home/somebody"]) throws(ConfigurationError) -> Configuration {
        // The folder goes with its object.
        defer { withExtendedLifetime(folder) {} }
        return try Configuration.load(path: path, environment: environment, validate: lenient)
    }
}

@Suite("configuration") struct ConfigurationTests {
    static let least = "folders: [{name: a, in: /in, out: /out}]\n"

    @Test("defaults")
    func defaults() throws {
        let configuration = try ConfigurationFile(Self.least).load()
        #expect(configuration == Configuration(
            state: "/home/somebody/.local/state/solstice", folders: [WatchFolder(name: "a", input: "/in", output: "/out", identity: "")]))
        #expect(configuration.work == "/home/somebody/.local/state/solstice/work")
        #expect(configuration.jobs == 1 && configuration.checkpoint == 10 && configuration.diskFloor == 2 << 30)
        #expect(configuration.web == WebSettings() && configuration.logLevel == .info)
        let folder = try #require(configuration.folders.first)
        #expect(folder.settle == 2 && folder.scan == 60 && folder.after == .keep && folder.shared == .auto && folder.include.isEmpty)
    }

    @Test("where the state is by default", arguments: [
        (["STATE_DIRECTORY": "/var/lib/solstice:/var/lib/other", "HOME": "/h"], "/var/lib/solstice"),
        (["XDG_STATE_HOME": "/h/state", "HOME": "/h"], "/h/state/solstice"),
        (["XDG_STATE_HOME": "relative", "HOME": "/h"], "/h/.local/state/solstice"),
        ([:], nil),
    ] as [([String: String], String?)])
    func state(_ environment: [String: String], _ expected: String?) {
        #expect(Configuration.defaultState(environment: environment) == expected)
    }

    @Test("every key")
    func everything() throws {
        let file = try ConfigurationFile("""
            state: /var/lib/x/../solstice
            work: work
            jobs: 3
            checkpoint: 5s
            disk-floor: 500MB
            log-level: debug
            web:
              listen: "[::1]:9000"
              host-names: [videos.example]
              upload-limit: 1GiB
            folders:
              - name: dashcam
                in: ~/in
                out: out
                include: ["*.mp4", "*.mkv"]
                exclude: "rear/**"
                settle: 500ms
                scan: 5min
                after: move
                move-to: done
                shared: yes
                to: winter
                model: models/m.safetensors
                crf: 22.5
                strength-at: 0:00=0,0:10=1
                salvage: yes
            relays:
              - name: gate
                source: rtsp://camera.example/1
                targets: rtmp://target.example/live
                listen: rtsp://127.0.0.1:8554/gate
                source-password-file: secret
                adapt: on
                loop: no
                to: night
            """)
        let configuration = try file.load()
        let base = file.folder.url.path
        #expect(configuration.state == "/var/lib/solstice" && configuration.work == base + "/work")
        #expect(configuration.jobs == 3 && configuration.checkpoint == 5 && configuration.diskFloor == 500_000_000 && configuration.logLevel == .debug)
        #expect(configuration.web == WebSettings(host: "::1", port: 9000, hostNames: ["videos.example"], uploadLimit: 1 << 30))
        let folder = try #require(configuration.folders.first)
        let arguments = ["--model=\(base)/models/m.safetensors", "--to=winter", "--strength-at=0:00=0,0:10=1", "--crf=22.5", "--salvage"]
        #expect(folder == WatchFolder(
            name: "dashcam", input: "/home/somebody/in", output: base + "/out", include: ["*.mp4", "*.mkv"], exclude: ["rear/**"],
            settle: 0.5, scan: 300, after: .move, moveTo: base + "/done", shared: .yes, arguments: arguments,
            identity: arguments.joined(separator: " ")))
        #expect(configuration.relays == [RelaySettings(
            name: "gate", source: "rtsp://camera.example/1", targets: ["rtmp://target.example/live"],
            arguments: ["--listen=rtsp://127.0.0.1:8554/gate", "--source-password-file=\(base)/secret", "--adapt", "--to=night"])])
    }

    @Test("no page", arguments: ["off", "no", "false"])
    func noPage(_ word: String) throws {
        #expect(try ConfigurationFile("web: \(word)\n" + Self.least).load().web == nil)
    }

    @Test("a page for the network has a token", arguments: [("short", false), ("0123456789abcdef\nrest", true), ("with a space inside!", false)])
    func token(_ text: String, _ isFine: Bool) throws {
        let file = try ConfigurationFile("web: {listen: 0.0.0.0:80, token-file: token}\n" + Self.least)
        #expect { try file.load() } throws: { ("\($0)").contains(":1:39: ") && "\($0)".contains("cannot be read") }
        try Data(text.utf8).write(to: URL(fileURLWithPath: file.folder.path("token")))
        if isFine {
            #expect(try file.load().web?.webConfiguration().token == "0123456789abcdef")
        } else {
            #expect(throws: ConfigurationError.self) { try file.load() }
        }
    }

    @Test("addresses to listen at", arguments: [
        ("127.0.0.1:8080", "127.0.0.1", 8080), ("[::1]:0", "::1", 0), ("8080", "127.0.0.1", 8080), ("localhost:1", "localhost", 1),
        ("127.0.0.1", nil, 0), ("::1:80", nil, 0), ("host:65536", nil, 0), ("host:", nil, 0), (":80", nil, 0), ("a b:80", nil, 0), ("", nil, 0),
    ] as [(String, String?, Int)])
    func addresses(_ text: String, _ host: String?, _ port: Int) {
        let web = WebSettings(parsing: text)
        #expect(web?.host == host && (web?.port ?? 0) == port)
    }

    @Test("lengths of time and sizes")
    func measures() {
        let times: [(String, Double?)] = [
            ("500ms", 0.5), ("10s", 10), ("10", 10), ("1.5h", 5400), ("2min", 120), ("2m", 120), ("1d", 86400), ("10 s", 10),
            ("ten", nil), ("-1s", nil), ("nan", nil), ("0x10", nil), ("", nil), ("s", nil), ("1e9h", nil),
        ]
        for (text, expected) in times { #expect(Measure.seconds(text) == expected, "\(text)") }
        let sizes: [(String, Int64?)] = [
            ("2GiB", 2 << 30), ("2G", 2 << 30), ("1.5k", 1536), ("500MB", 500_000_000), ("3kB", 3000), ("7", 7), ("7B", 7), ("1TiB", 1 << 40),
            ("-1", nil), ("99999999999TiB", nil), ("GiB", nil), ("1 GiB", 1 << 30),
        ]
        for (text, expected) in sizes { #expect(Measure.bytes(text) == expected, "\(text)") }
    }

    @Test("what may have been meant")
    func nearest() {
        let words = ["settle", "scan", "after", "move-to"]
        #expect(Nearest.of("setle", in: words) == "settle" && Nearest.of("moveto", in: words) == "move-to")
        #expect(Nearest.of("Sacn", in: words) == "scan" && Nearest.of("quite-else", in: words) == nil)
        #expect(Nearest.of("", in: words) == nil && Nearest.of(String(repeating: "s", count: 10_000), in: words) == nil)
    }

    @Test("the service's own folders are not watched")
    func ignored() {
        var folder = WatchFolder(name: "a", input: "/v", output: "/v/out", after: .move, moveTo: "/elsewhere", identity: "")
        let configuration = Configuration(state: "/v/state", folders: [folder])
        #expect(folder.ignoredFolders(in: configuration) == ["/v/out", "/v/state", "/v/state/work"])
        folder.input = "/v2"
        #expect(folder.ignoredFolders(in: configuration).isEmpty)
    }
}
