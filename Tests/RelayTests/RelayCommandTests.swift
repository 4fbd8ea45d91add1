import Foundation
import TestSupport
import Testing

extension RelayProgram {
    @Suite("the command") struct Command {
        /// A command line that cannot work: code and what its one line must name.
        struct Mistake: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let arguments: [String]
            let status: Int32
            let words: [String]
        }

        static let mistakes = [
            Mistake(testDescription: "unknown scheme", arguments: ["gopher://127.0.0.1/x", "--listen", "rtsp://127.0.0.1:18554/n"], status: 31, words: ["gopher", "rtsp"]),
            Mistake(testDescription: "unknown scheme of a target", arguments: ["rtsp://127.0.0.1:1/x", "smtp://127.0.0.1/x"], status: 31, words: ["smtp"]),
            Mistake(testDescription: "no target", arguments: ["rtsp://127.0.0.1:1/x"], status: 31, words: ["--listen"]),
            Mistake(testDescription: "open to everybody", arguments: ["rtsp://127.0.0.1:1/x", "--listen", "rtsp://0.0.0.0:18554/n"], status: 31, words: ["0.0.0.0", "--open"]),
            Mistake(testDescription: "user without a password", arguments: ["rtsp://127.0.0.1:1/x", "--listen", "rtsp://127.0.0.1:18554/n", "--user", "u"], status: 31, words: ["--password-file"]),
            Mistake(testDescription: "file that is no live source", arguments: ["/no/such.mp4", "--listen", "rtsp://127.0.0.1:18554/n"], status: 31, words: ["--realtime-file"]),
            Mistake(testDescription: "no such file", arguments: ["/no/such.mp4", "--realtime-file", "--listen", "rtsp://127.0.0.1:18554/n"], status: 10, words: ["/no/such.mp4"]),
            Mistake(testDescription: "loop of what is no file", arguments: ["rtsp://127.0.0.1:1/x", "--loop", "--listen", "rtsp://127.0.0.1:18554/n"], status: 64, words: ["--realtime-file"]),
            Mistake(testDescription: "unknown encoder", arguments: ["rtsp://127.0.0.1:1/x", "--encoder", "nonsense", "--listen", "rtsp://127.0.0.1:18554/n"], status: 30, words: ["nonsense"]),
        ]

        @Test("mistakes end it at once with one line", arguments: mistakes)
        func mistaken(_ mistake: Mistake) throws {
            let outcome = try Program.run(Program.solstice, ["relay"] + mistake.arguments, limit: Bench.patience)
            #expect(outcome.status == mistake.status, "\(outcome.errors)")
            for word in mistake.words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
            // A wrong command line is followed by its usage, and a server may already have told its address.
            #expect(mistake.status == 64 || outcome.errors.split(separator: "\n").filter { $0.hasPrefix("solstice: ") }.count == 1, "\(outcome.errors)")
        }

        @Test("a port that is taken")
        func taken() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera()
            let port = URLComponents(string: camera.url)?.port ?? 0
            let outcome = try bench.relay([camera.url, "--listen", "rtsp://127.0.0.1:\(port)/night"]).wait(limit: Bench.patience)
            #expect(outcome.status == 52, "\(outcome.errors)")
            #expect(outcome.errors.contains("\(port)") && outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        }

        @Test("a source without video")
        func soundOnly() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.script("camera.py", ["--no-video", "--audio", "pcmu"])
            let outcome = try bench.server(camera.rows.first?.text("url") ?? "").running.wait(limit: Bench.patience)
            #expect(outcome.status == 12, "\(outcome.errors)")
            #expect(outcome.errors.contains("video") && outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        }

        @Test("a wrong password of the source")
        func wrongPassword() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera(["--user", "lens", "--password", "right-one"])
            let file = bench.folder.path("password")
            try Data("wrong-one".utf8).write(to: URL(fileURLWithPath: file))
            let outcome = try bench.server(camera.url, ["--source-user", "lens", "--source-password-file", file]).running.wait(limit: Bench.patience)
            #expect(outcome.status == 51, "\(outcome.errors)")
            #expect(!outcome.errors.contains("wrong-one") && !outcome.output.contains("wrong-one"))
        }

        @Test("an encoder that RTSP has no packets for")
        func unusableEncoder() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera()
            let outcome = try bench.server(camera.url, ["--encoder", "ffv1"]).running.wait(limit: Bench.patience)
            #expect(outcome.status == 31, "\(outcome.errors)")
            #expect(outcome.errors.contains("ffv1") && outcome.errors.contains("RTSP"), "\(outcome.errors)")
        }

        @Test("a file that cannot be written")
        func unwritable() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera()
            let outcome = try bench.relay([camera.url, "/no/such/folder/night.mkv"]).wait(limit: Bench.patience)
            #expect(outcome.status == 22, "\(outcome.errors)")
            #expect(outcome.errors.contains("/no/such/folder"), "\(outcome.errors)")
        }

        @Test("SIGTERM ends it within seconds and leaves finished files")
        func ends() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera(["--audio", "aac"])
            let target = try bench.script("target.py", ["--audio", "aac"])
            let files = ["night.mp4", "night.mkv", "night.ts"].map { bench.folder.path($0) }
            let (relay, url) = try bench.server(camera.url, files + [target.rows.first?.text("url") ?? ""])
            #expect(relay.waitPlaying(), relay.story)
            let watcher = try bench.watcher(url)
            #expect(watcher.wait(seen: 6), watcher.story)
            let start = Date()
            relay.send(signal: SIGTERM)
            let outcome = relay.wait(limit: 20)
            #expect(outcome.status == 0, "\(outcome.errors)")
            // Five seconds are promised; the rest is for a machine that has much else to do.
            #expect(Date().timeIntervalSince(start) < 10)
            for file in files {
                let pts = try Probe.framePts(file)
                #expect(pts.count > 10 && pts == pts.sorted(), "\(file): \(pts)")
                #expect(try Probe.codecs(file).sorted() == ["aac", "h264"])
            }
            #expect(bench.folder.names.allSatisfy { !$0.hasPrefix(".") }, "\(bench.folder.names)")
            // The reader has been told, or sees the closed connection.
            #expect(watcher.wait(limit: Bench.patience).status != -1)
        }

        @Test("a source is told that the relay leaves it")
        func leaves() throws {
            let bench = try Bench()
            defer { bench.close() }
            let file = try bench.recording("drive.mp4", seconds: 2)
            let (first, url) = try bench.server(file, ["--realtime-file", "--loop", "--strength", "0"])
            #expect(first.waitPlaying(), first.story)
            let (second, _) = try bench.server(url, ["--source-transport", "udp", "--strength", "0"])
            #expect(second.waitPlaying(), second.story)
            #expect(second.end().status == 0)
            #expect(first.wait(event: "reader", "left"), first.story)
            #expect(first.events("reader", "left").first?.text("reason") == "torn down", first.story)
        }

        @Test("SIGINT ends it as well, and while it waits for a source")
        func endsEarly() throws {
            let bench = try Bench()
            defer { bench.close() }
            let (relay, _) = try bench.server("rtsp://127.0.0.1:\(try FreePort.next())/camera", [bench.folder.path("night.mkv")])
            #expect(relay.wait(event: "source", "lost"), relay.story)
            #expect(relay.end(with: SIGINT).status == 0)
            #expect(bench.folder.names.isEmpty, "\(bench.folder.names)")
        }

        @Test("the control socket changes strength and style without a gap")
        func control() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera(), socket = bench.folder.path("s"), file = bench.folder.path("night.mkv")
            let (relay, url) = try bench.server(camera.url, [file, "--control", socket, "--strength", "0"])
            #expect(relay.waitPlaying(), relay.story)
            let watcher = try bench.watcher(url)
            #expect(watcher.wait(seen: 6), watcher.story)
            let status = try Program.run(Program.solstice, ["control", "status", socket], limit: Bench.patience)
            #expect(status.status == 0 && (status.rows.first?.count("frames_out") ?? 0) > 0, "\(status.errors)")
            let dusk = bench.folder.path("dusk.png")
            try Program.output(
                "ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "gradients=size=256x128:c0=orange:c1=navy", "-frames:v", "1", dusk])
            for words in [["style", socket, dusk], ["strength", socket, "1"]] {
                let outcome = try Program.run(Program.solstice, ["control"] + words + ["--fade", "500ms"], limit: Bench.patience)
                #expect(outcome.status == 0, "\(outcome.errors)")
                #expect(relay.wait(frames: 25), relay.story)
            }
            let wrong = try Program.run(Program.solstice, ["control", "style", socket, "/no/such.style"], limit: Bench.patience)
            #expect(wrong.status != 0 && !wrong.errors.isEmpty)
            #expect(relay.wait(frames: 5), relay.story)
            watcher.send(signal: SIGTERM)
            let seen = try #require(watcher.wait(limit: Bench.patience).rows.last)
            #expect((seen.number("longest_gap") ?? 99) < 5, "\(seen)")
            #expect(relay.end().status == 0)
            let (first, last) = try Self.brightnessAtBothEnds(file)
            // By day the pattern's own brightness varies by 1.7.
            #expect(last < first - 5, "day \(first), night \(last)")
        }

        /// Mean luma over the first and the last half second of a file.
        private static func brightnessAtBothEnds(_ path: String) throws -> (Double, Double) {
            let text = try Program.output(
                "ffmpeg", ["-v", "error", "-nostdin", "-i", path, "-vf", "signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-", "-f", "null", "-"])
            let values = text.split(separator: "\n").filter { $0.contains("YAVG=") }.compactMap { $0.split(separator: "=").last.flatMap { Double($0) } }
            #expect(values.count > 20)
            let ends = (values.prefix(7), values.suffix(7))
            return (ends.0.reduce(0, +) / 7, ends.1.reduce(0, +) / 7)
        }
    }
}
