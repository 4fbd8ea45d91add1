import Foundation
import TestSupport
import Testing

extension RelayProgram {
    @Suite("readers of the embedded server") struct Readers {
        @Test("ffmpeg and GStreamer, over TCP and UDP, two of them at once")
        func kinds() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera()
            let (relay, url) = try bench.server(camera.url)
            #expect(relay.wait(event: "listening"), relay.story)
            #expect(relay.events("listening").first?.text("address") == url)
            #expect(relay.waitPlaying(), relay.story)
            let watcher = try bench.watcher(url)
            #expect(watcher.wait(seen: 1), watcher.story)
            // All at once: each is to get everything, whatever the others do.
            let readers = try ["ffmpeg", "gst"].flatMap { reader in
                try ["tcp", "udp"].map { (reader, $0, try bench.watcher(url, ["--with", reader, "--transport", $0])) }
            }
            for (reader, transport, running) in readers {
                let isFed = running.wait(upTo: Bench.patience) { rows in
                    rows.map { $0.count("frames") - $0.count("unreadable") }.reduce(0, +) >= 30
                }
                #expect(isFed, "\(reader) over \(transport): \(running.story)")
            }
            for (reader, transport, running) in readers + [("gst", "tcp, first", watcher)] {
                running.send(signal: SIGTERM)
                let outcome = running.wait(limit: Bench.patience)
                let seen = try #require(outcome.rows.last)
                #expect(outcome.status == 0 && seen.count("backward") == 0, "\(reader) over \(transport): \(seen) \(outcome.errors)")
                #expect(seen.count("unreadable") * 2 < seen.count("frames"), "\(reader) over \(transport): \(seen)")
            }
            // Every reader but the last, whose leaving may be on its way, has left.
            #expect(relay.wait(event: "reader", "left", count: 4), relay.story)
            #expect(relay.end().status == 0)
        }

        @Test("one that stops reading loses frames, and costs nobody else any")
        func stuck() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera(["--size", "640x360"])
            // Bits enough to fill the buffers of a socket within seconds.
            let (relay, url) = try bench.server(camera.url, ["--crf", "1", "--max-bitrate", "40M"])
            #expect(relay.waitPlaying(), relay.story)
            let stuck = try bench.script("stuck_reader.py", [url])
            let watcher = try bench.watcher(url)
            let isNoticed = relay.wait(upTo: 90) { _ in
                !relay.events("reader", "slow").isEmpty || (relay.status?.rows("readers").contains { $0.count("dropped") > 0 } ?? false)
            }
            #expect(isNoticed, relay.story)
            #expect(relay.wait(frames: 45), relay.story)
            // One warning a second at most, however many frames are lost.
            let elapsed = relay.status?.number("elapsed") ?? 0
            #expect(Double(relay.events("reader", "slow").count) <= elapsed + 2)
            watcher.send(signal: SIGTERM)
            let seen = try #require(watcher.wait(limit: Bench.patience).rows.last)
            #expect(seen.count("frames") > 45 && (seen.number("longest_gap") ?? 99) < 5, "\(seen)")
            #expect(stuck.isRunning)
            #expect(relay.end().status == 0)
        }

        @Test("a password lets in who has it, and is told nobody")
        func passwords() throws {
            let bench = try Bench()
            defer { bench.close() }
            let secret = "k8-sesam-öffne", source = "lens-cap-33"
            let camera = try bench.camera(["--user", "lens", "--password", source])
            let file = bench.folder.path("password")
            try Data("\(secret)\n".utf8).write(to: URL(fileURLWithPath: file))
            let (relay, url) = try bench.server(
                camera.url, ["--user", "guard", "--password-file", file, "--source-user", "lens"], environment: ["SOLSTICE_SOURCE_PASSWORD": source])
            #expect(relay.waitPlaying(), relay.story)
            let address = url.dropFirst("rtsp://".count)
            let escaped = secret.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            for (credentials, isRight) in [("", false), ("guard:wrong@", false), ("other:\(escaped)@", false), ("guard:\(escaped)@", true)] {
                let outcome = try Program.run(
                    "ffmpeg",
                    ["-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", "rtsp://\(credentials)\(address)", "-frames:v", "5", "-f", "null", "-"],
                    limit: Bench.patience)
                #expect((outcome.status == 0) == isRight, "\(credentials): \(outcome.errors)")
                #expect(isRight || outcome.errors.contains("401"), "\(outcome.errors)")
            }
            let outcome = relay.end()
            #expect(outcome.status == 0)
            for word in [secret, source, escaped] {
                #expect(!outcome.output.contains(word) && !outcome.errors.contains(word))
            }
        }

        @Test("before the source is known DESCRIBE answers 503; later comers are served, no more than --max-readers at once")
        func early() throws {
            let bench = try Bench()
            defer { bench.close() }
            let port = try FreePort.next()
            let (relay, url) = try bench.server("rtsp://127.0.0.1:\(port)/camera", ["--max-readers", "1"])
            #expect(relay.wait(event: "source", "lost", count: 2), relay.story)
            let probed = try Program.run("ffprobe", ["-v", "error", "-rtsp_transport", "tcp", url], limit: Bench.patience)
            #expect(probed.status != 0 && (probed.errors.contains("503") || probed.errors.contains("5XX")), "\(probed.errors)")
            _ = try bench.camera(port: port)
            #expect(relay.waitPlaying(), relay.story)
            let watcher = try bench.watcher(url)
            #expect(watcher.wait(seen: 6), watcher.story)

            let arguments = ["-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", url, "-frames:v", "3", "-f", "null", "-"]
            #expect(try Program.run("ffmpeg", arguments, limit: Bench.patience).status != 0)
            watcher.discard()
            let end = Date().addingTimeInterval(Bench.patience)
            var outcome = try Program.run("ffmpeg", arguments, limit: Bench.patience)
            while outcome.status != 0 && Date() < end { outcome = try Program.run("ffmpeg", arguments, limit: Bench.patience) }
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(relay.end().status == 0)
        }
    }
}
