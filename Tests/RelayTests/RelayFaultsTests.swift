import Foundation
import TestSupport
import Testing

extension RelayProgram {
    @Suite("faults of the source") struct Faults {
        /// A relay with a reader that watches all the time.
        private struct Scene {
            let relay: Running
            let watcher: Running
            let url: String

            init(_ bench: Bench, _ source: String, _ options: [String] = []) throws {
                (relay, url) = try bench.server(source, options)
                #expect(relay.waitPlaying(), relay.story)
                watcher = try bench.watcher(url)
                waitFresh()
            }

            /// Waits until the reader sees new frames.
            func waitFresh() {
                let before = watcher.rows.count
                let isFresh = watcher.wait(upTo: Bench.patience) { rows in
                    rows.dropFirst(before + 1).contains { $0.count("frames") - $0.count("repeated") > 1 && $0.number("p50") != nil }
                }
                #expect(isFresh, watcher.story)
            }

            /// The reader has been connected all the time, and time never went back for it.
            func finish() throws {
                #expect(watcher.isRunning, watcher.story)
                watcher.send(signal: SIGTERM)
                #expect(watcher.wait(limit: Bench.patience).status == 0)
                let outcome = relay.end()
                #expect(outcome.status == 0, "\(outcome.errors)")
            }
        }

        @Test("killed and restarted, and stalled without an end: readers stay, see the last picture, and then the new ones")
        func killed() throws {
            let bench = try Bench()
            defer { bench.close() }
            let port = try FreePort.next(), first = try bench.camera(port: port)
            let scene = try Scene(bench, first.url)
            first.running.discard()
            #expect(scene.relay.wait(event: "source", "lost"), scene.relay.story)
            let laps = scene.watcher.rows.count
            let isHeld = scene.watcher.wait(upTo: Bench.patience) { $0.dropFirst(laps + 1).contains { $0.count("frames") > 0 } }
            #expect(isHeld, "no picture while the source is away")
            let second = try bench.camera(port: port)
            #expect(scene.relay.waitPlaying(), scene.relay.story)
            scene.waitFresh()
            #expect((scene.relay.status?.count("reconnects") ?? 0) >= 1)

            // Its connection stays open, and nothing comes: the watchdog must see that.
            let stalls = scene.relay.stalls
            second.running.send(signal: SIGSTOP)
            #expect(scene.relay.wait(upTo: Bench.patience) { _ in scene.relay.stalls > stalls }, scene.relay.story)
            second.running.send(signal: SIGCONT)
            #expect(scene.relay.waitPlaying(), scene.relay.story)
            scene.waitFresh()
            try scene.finish()
        }

        @Test("another size, with and without a new connection: readers keep theirs")
        func resized() throws {
            let bench = try Bench()
            defer { bench.close() }
            let port = try FreePort.next()
            let camera = try bench.camera(port: port, ["--other-size", "640x360"])
            let file = bench.folder.path("night.mkv")
            let scene = try Scene(bench, camera.url, [file])
            camera.running.send(signal: SIGUSR1)
            #expect(scene.relay.wait(frames: 30), scene.relay.story)
            scene.waitFresh()
            camera.running.discard()
            _ = try bench.camera(port: port, ["--size", "480x360", "--codec", "h265"])
            #expect(scene.relay.wait(event: "source", "playing", count: 2), scene.relay.story)
            #expect(scene.relay.waitPlaying(), scene.relay.story)
            #expect(scene.relay.wait(frames: 30), scene.relay.story)
            try scene.finish()
            let sizes = Set(try Program.output(
                "ffprobe", ["-v", "error", "-select_streams", "v:0", "-show_entries", "frame=width,height", "-of", "csv=p=0", file]
            ).split(separator: "\n").map { $0.split(separator: ",").prefix(2).joined(separator: "x") })
            #expect(sizes == ["320x180"])
        }

        @Test("packets lost, late and out of order, and connections cut")
        func network() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera(["--audio", "pcmu"])
            let port = URLComponents(string: camera.url)?.port ?? 0
            let proxy = try bench.script(
                "proxy.py", ["--to", "127.0.0.1:\(port)", "--loss", "0.02", "--reorder", "0.03", "--duplicate", "0.01", "--delay", "10", "--jitter", "5", "--seed", "7"])
            let source = "rtsp://127.0.0.1:\(proxy.rows.first?.count("port") ?? 0)/camera"
            let scene = try Scene(bench, source, ["--source-transport", "udp"])
            #expect(scene.relay.wait(frames: 60), scene.relay.story)
            #expect(scene.relay.events("source", "lost").isEmpty, scene.relay.story)
            scene.waitFresh()
            try bench.tell(proxy, "cut")
            #expect(scene.relay.wait(event: "source", "playing", count: 2), scene.relay.story)
            #expect(scene.relay.waitPlaying(), scene.relay.story)
            scene.waitFresh()
            try scene.finish()
        }

        @Test("--on-loss end ends the relay, and finishes its file")
        func ends() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera(), file = bench.folder.path("night.mp4")
            let relay = try bench.relay([camera.url, file, "--on-loss", "end"])
            #expect(relay.wait(frames: 30), relay.story)
            camera.running.discard()
            let outcome = relay.wait(limit: Bench.patience)
            #expect(outcome.status == 50, "\(outcome.errors)")
            #expect(try Probe.framePts(file).count >= 20)
        }

        @Test("--on-loss black shows black")
        func black() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera()
            let (relay, url) = try bench.server(camera.url, ["--on-loss", "black", "--strength", "0"])
            #expect(relay.waitPlaying(), relay.story)
            func brightness() throws -> Double {
                // The middle of the picture: marks are small and at its edges.
                let text = try Program.output(
                    "ffmpeg",
                    ["-v", "error", "-nostdin", "-threads", "1", "-fflags", "nobuffer", "-flags", "low_delay", "-analyzeduration", "300000",
                     "-rtsp_transport", "tcp", "-i", url, "-frames:v", "2", "-vf",
                     "crop=iw/4:ih/4,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-",
                     "-f", "null", "-"])
                let values = text.split(separator: "\n").compactMap { $0.split(separator: "=").last.flatMap { Double($0) } }
                return try #require(values.last)
            }
            #expect(try brightness() > 40)
            camera.running.discard()
            #expect(relay.wait(event: "source", "lost"), relay.story)
            let held = relay.status?.count("held") ?? 0
            #expect(relay.wait(upTo: Bench.patience) { _ in (relay.status?.count("held") ?? 0) > held + 2 }, relay.story)
            #expect(try brightness() < 20)
            #expect(relay.end().status == 0)
        }

        @Test("time that jumps by hours either way leaves the result's going on evenly")
        func jumps() throws {
            let bench = try Bench()
            defer { bench.close() }
            // Three pieces of one transport stream: two hours on, and then back to before the start.
            let whole = bench.folder.path("jump.ts")
            var bytes = Data()
            for (part, offset) in [("a.ts", 5000.0), ("b.ts", 12200), ("c.ts", 3)] {
                let path = try bench.recording(part, seconds: 1.5, ["-output_ts_offset", "\(offset)", "-muxdelay", "0"])
                bytes += try Data(contentsOf: URL(fileURLWithPath: path))
            }
            try bytes.write(to: URL(fileURLWithPath: whole))
            let output = bench.folder.path("out.mkv")
            let outcome = try bench.relay([whole, output, "--realtime-file", "--strength", "0"]).wait(limit: 120)
            #expect(outcome.status == 0, "\(outcome.errors)")
            let pts = try Probe.framePts(output)
            let gaps = zip(pts.dropFirst(), pts).map { $0 - $1 }
            #expect(pts.count > 55 && gaps.allSatisfy { $0 > 0 && $0 < 3 }, "\(pts)")
            #expect((pts.last ?? 0) - (pts.first ?? 0) < 15, "\(pts.last ?? 0)")
        }

        @Test("--loop plays a file over and over as one stream")
        func loops() throws {
            let bench = try Bench()
            defer { bench.close() }
            let input = try bench.recording("in.mp4", seconds: 2, sound: ["-c:a", "aac"]), output = bench.folder.path("out.mkv")
            let relay = try bench.relay([input, output, "--realtime-file", "--loop", "--strength", "0"])
            #expect(relay.wait(frames: 100, limit: 120), relay.story)
            #expect(relay.end().status == 0)
            let pts = try Probe.framePts(output), sound = try Probe.packets(output, "a").compactMap(\.pts)
            #expect(zip(pts.dropFirst(), pts).allSatisfy { $0 - $1 > 0 && $0 - $1 < 3 }, "\(pts)")
            #expect(zip(sound.dropFirst(), sound).allSatisfy { $0 > $1 })
            #expect((pts.last ?? 0) > 3 && (pts.last ?? 0) < 60)
        }
    }
}
