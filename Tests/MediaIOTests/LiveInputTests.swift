import Foundation
import TestSupport
import Testing

@testable import MediaIO

/// Live sources of every kind, played by programs on the loopback interface.
@Suite(.serialized) struct LiveInputTests {
    private static let picture = "-re -f lavfi -i testsrc2=s=320x180:r=25"
    private static let live = "-c:v libx264 -preset ultrafast -tune zerolatency -g 25 -pix_fmt yuv420p"
    private static let password = "p@:/ w\"dZw9kQ7"

    private static func camera(_ port: Int, _ login: [String] = []) throws -> LivePeer {
        try LivePeer("/usr/bin/python3", [fixture("rtsp_camera.py"), "\(port)"] + login)
    }

    private static func fixture(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/live/\(name)").path
    }

    private func check(_ outcome: LiveReading.Outcome, _ count: Int) throws {
        #expect(outcome.frames.count == count)
        #expect(outcome.frames.allSatisfy { $0.width == 320 && $0.height == 180 && $0.timeBase == LiveFormat.timeBase })
        let times = outcome.frames.compactMap(\.pts)
        #expect(times.count == count && zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
        // Bars of colour or a test picture, not black.
        #expect(try #require(outcome.frames.last).luma(0..<320, 0..<180) > 40)
    }

    private func failure(_ text: String, after limit: Duration = .seconds(10)) throws -> MediaError {
        let interrupt = Interrupt()
        interrupt.expire(after: limit)
        let address = try MediaAddress(parsing: text)
        return try #require(throws: MediaError.self) { try LiveInput(address, transport: .tcp, interrupt: interrupt) }
    }

    // MARK: - Cameras

    @Test(arguments: LiveInput.Transport.allCases, ["cam", "silent", "hevc"])
    func rtsp(_ transport: LiveInput.Transport, _ scene: String) throws {
        let port = try LivePeer.freePort()
        let camera = try Self.camera(port)
        let reading = try LiveReading("rtsp://127.0.0.1:\(port)/\(scene)", transport: transport)
        #expect(reading.input.containerName == "rtsp" && !reading.input.needsPacing)
        #expect(reading.input.video.frameRate?.value.map { abs($0 - 25) < 1 } == true)
        #expect((reading.input.audio != nil) == (scene == "cam"))
        let outcome = try reading.decode(50)
        try check(outcome, 50)
        #expect(outcome.longestHold == 0, "\(outcome.longestHold) packets held, \(outcome.errors) errors")
        #expect(outcome.errors == 0)
        if scene == "cam" {
            #expect(reading.input.audio?.codecName == "aac" && outcome.audioPackets > 10)
        }
        withExtendedLifetime(camera) {}
    }

    @Test func passwords() throws {
        let port = try LivePeer.freePort()
        let camera = try Self.camera(port, ["me", Self.password])
        let right = try MediaAddress(parsing: "rtsp://me@127.0.0.1:\(port)/silent").authenticated(user: nil, password: Self.password)
        try check(try LiveReading(right.url).decode(5), 5)
        let wrong = try failure("rtsp://me:Zw9kQ7wrong@127.0.0.1:\(port)/silent")
        #expect(wrong.code == .denied && wrong.description.contains("check the name and password"), "\(wrong)")
        #expect(!wrong.description.contains("Zw9kQ7"))
        let missing = try failure("rtsp://127.0.0.1:\(port)/silent")
        #expect(missing.code == .denied && missing.description.contains("give the name and password"), "\(missing)")
        withExtendedLifetime(camera) {}
    }

    @Test func whatACameraLacks() throws {
        let port = try LivePeer.freePort()
        let camera = try Self.camera(port)
        let start = try LiveReading("rtsp://127.0.0.1:\(port)/silent")
        let audio = try failure("rtsp://127.0.0.1:\(port)/audio")
        #expect(audio.code == .noVideo && audio.description.contains("only audio"), "\(audio)")
        let nothing = try failure("rtsp://127.0.0.1:\(port)/nothing")
        #expect(nothing.code == .unreachable && nothing.description.contains("nothing of that name"), "\(nothing)")
        withExtendedLifetime((camera, start)) {}
    }

    /// A camera that stops without a word, and one that dies: the reader is not left waiting.
    @Test(arguments: LiveInput.Transport.allCases, [SIGSTOP, SIGKILL])
    func aCameraThatGoes(_ transport: LiveInput.Transport, _ signal: Int32) throws {
        let port = try LivePeer.freePort()
        let camera = try Self.camera(port)
        let reading = try LiveReading("rtsp://127.0.0.1:\(port)/silent", transport: transport)
        _ = try reading.decode(5)
        camera.send(signal: signal)
        reading.interrupt.expire(after: .seconds(1))
        let end = ContinuousClock.now + .seconds(15)
        do throws(MediaError) {
            while try reading.input.next() != nil, ContinuousClock.now < end {}
            #expect(signal == SIGKILL)
        } catch {
            #expect(error.code == .stalled || (signal == SIGKILL && error.code == .unreachable), "\(error)")
        }
        #expect(ContinuousClock.now < end)
    }

    // MARK: - Other kinds

    @Test func datagrams() throws {
        let port = try LivePeer.freePort(SOCK_DGRAM)
        let sender = try LivePeer.ffmpeg("\(Self.picture) -f lavfi -i sine \(Self.live) -c:a aac -f mpegts udp://127.0.0.1:\(port)?pkt_size=1316")
        let reading = try LiveReading("udp://127.0.0.1:\(port)")
        #expect(reading.input.containerName == "mpegts" && reading.input.audio?.codecName == "aac")
        let outcome = try reading.decode(30)
        try check(outcome, 30)
        #expect(outcome.audioPackets > 0)
        withExtendedLifetime(sender) {}
    }

    @Test(arguments: ["mpegts", "flv", "mpjpeg"])
    func http(_ container: String) throws {
        let port = try LivePeer.freePort()
        let codec = container == "mpjpeg" ? "-c:v mjpeg" : Self.live
        let server = try LivePeer.ffmpeg("\(Self.picture) \(codec) -f \(container) -listen 1 http://127.0.0.1:\(port)/x")
        let reading = try LiveReading("http://127.0.0.1:\(port)/x")
        #expect(reading.input.containerName == container && !reading.input.needsPacing)
        let outcome = try reading.decode(20)
        try check(outcome, 20)
        #expect(outcome.longestHold == 0)
        withExtendedLifetime(server) {}
    }

    @Test func srt() throws {
        let port = try LivePeer.freePort(SOCK_DGRAM)
        let server = try LivePeer.ffmpeg("\(Self.picture) \(Self.live) -f mpegts srt://127.0.0.1:\(port)?mode=listener&passphrase=Zw9kQ7canary")
        do {
            try check(try LiveReading("srt://127.0.0.1:\(port)?passphrase=Zw9kQ7canary").decode(20), 20)
        } catch let error as MediaError where error.code == .unsupported {
            #expect(error.description.contains("srt"))
        }
        withExtendedLifetime(server) {}
    }

    @Test func rtmp() throws {
        let media = try InputMedia()
        let path = try media.make("a.flv", "-f lavfi -i testsrc2=s=320x180:r=25 -f lavfi -i sine -t 4 \(Self.live) -c:a aac")
        let port = try LivePeer.freePort()
        let server = try LivePeer("/usr/bin/python3", [Self.fixture("rtmp_camera.py"), "\(port)", path])
        let reading = try LiveReading("rtmp://127.0.0.1:\(port)/live/cam?key=Zw9kQ7")
        #expect(reading.input.audio?.codecName == "aac" && !reading.input.needsPacing)
        let outcome = try reading.decode(80)
        try check(outcome, 80)
        #expect(outcome.longestHold == 0 && outcome.audioPackets > 80)
        withExtendedLifetime(server) {}
    }

    @Test func playlists() throws {
        let folder = try TemporaryFolder()
        let port = try LivePeer.freePort()
        let writer = try LivePeer.ffmpeg(
            "\(Self.picture) -f lavfi -i sine \(Self.live) -c:a aac -f hls -hls_time 1 -hls_list_size 4 -hls_flags delete_segments+temp_file \(folder.path("live.m3u8"))")
        let server = try LivePeer("/usr/bin/python3", ["-m", "http.server", "\(port)", "--bind", "127.0.0.1", "--directory", folder.url.path])
        let reading = try LiveReading("http://127.0.0.1:\(port)/live.m3u8")
        #expect(reading.input.containerName.hasPrefix("hls") && reading.input.needsPacing)
        let outcome = try reading.decode(60)
        try check(outcome, 60)
        #expect(outcome.audioPackets > 0)
        withExtendedLifetime((writer, server)) {}
    }

    /// A playlist from the network must not open files of this machine.
    @Test func aPlaylistDoesNotReachFiles() throws {
        let folder = try TemporaryFolder()
        try Program.output("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180", "-t", "1", folder.path("own.ts")])
        let port = try LivePeer.freePort()
        let server = try LivePeer("/usr/bin/python3", ["-m", "http.server", "\(port)", "--bind", "127.0.0.1", "--directory", folder.url.path])
        for (name, place) in [("near", "own.ts"), ("file", "file://\(folder.path("own.ts"))"), ("bare", "file:\(folder.path("own.ts"))")] {
            try Data("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n\(place)\n#EXT-X-ENDLIST\n".utf8).write(to: folder.url.appendingPathComponent("\(name).m3u8"))
        }
        #expect(try LiveReading("http://127.0.0.1:\(port)/near.m3u8").decode(5).frames.count == 5)
        for name in ["file", "bare"] {
            let error = try failure("http://127.0.0.1:\(port)/\(name).m3u8")
            #expect([.unreachable, .noVideo].contains(error.code), "\(error)")
        }
        withExtendedLifetime(server) {}
    }

    @Test func filesAndDevices() throws {
        let media = try InputMedia()
        let path = try media.make("a.mkv", "-f lavfi -i testsrc2=s=320x180:r=25 -f lavfi -i sine -t 1 -c:v libx264 -c:a aac")
        let reading = try LiveReading(path)
        #expect(reading.input.needsPacing)
        let outcome = try reading.decode(1000)
        #expect(outcome.frames.count >= 23 && outcome.audioPackets > 10)
        #expect(try failure(media.path("none.mkv")).code == .noSuchFile)
        let device = try failure("/dev/video99")
        #expect(device.code == .noSuchFile && device.description.contains("/dev/video99"), "\(device)")
    }

    // MARK: - Nobody there

    @Test(arguments: ["rtsp", "rtsps", "rtmp", "http", "https"])
    func aPeerThatSaysNothing(_ scheme: String) throws {
        let silent = try LiveSocket(listens: true)
        let start = ContinuousClock.now
        let error = try failure("\(scheme)://me:Zw9kQ7canary@127.0.0.1:\(silent.port)/x/y", after: .milliseconds(300))
        #expect(error.code == .unreachable && !error.description.contains("Zw9kQ7"), "\(error)")
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test func cancelling() throws {
        let silent = try LiveSocket(listens: true)
        let interrupt = Interrupt()
        let address = try MediaAddress(parsing: "rtsp://127.0.0.1:\(silent.port)/x")
        Thread.detachNewThread {
            usleep(200_000)
            interrupt.trigger()
        }
        let error = try #require(throws: MediaError.self) { try LiveInput(address, transport: .tcp, interrupt: interrupt) }
        #expect(error.code == .cancelled)
    }

    @Test(arguments: ["udp", "srt"])
    func datagramsThatDoNotCome(_ scheme: String) throws {
        let port = try LivePeer.freePort(SOCK_DGRAM)
        let error = try failure("\(scheme)://127.0.0.1:\(port)", after: .milliseconds(300))
        #expect(error.code == .unreachable, "\(error)")
    }

    @Test(arguments: ["rtsp", "rtmp", "http"])
    func aPortThatRefuses(_ scheme: String) throws {
        let port = try LivePeer.freePort()
        let error = try failure("\(scheme)://me:Zw9kQ7canary@127.0.0.1:\(port)/x/y")
        #expect(error.code == .unreachable && !error.description.contains("Zw9kQ7"), "\(error)")
        #expect(error.description.contains("127.0.0.1:\(port)") && error.description.contains("refused"), "\(error)")
    }

    @Test func aNameThatIsNone() throws {
        let error = try failure("rtsp://camera.invalid/x", after: .seconds(30))
        #expect(error.code == .unreachable, "\(error)")
    }

    @Test func aPageInsteadOfVideo() throws {
        let folder = try TemporaryFolder()
        try Data("<html><body>login</body></html>".utf8).write(to: folder.url.appendingPathComponent("index.html"))
        let port = try LivePeer.freePort()
        let server = try LivePeer("/usr/bin/python3", ["-m", "http.server", "\(port)", "--bind", "127.0.0.1", "--directory", folder.url.path])
        usleep(1_000_000)
        let error = try failure("http://127.0.0.1:\(port)/")
        #expect(error.code == .unreachable, "\(error)")
        withExtendedLifetime(server) {}
    }
}
