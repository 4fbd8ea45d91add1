import Foundation
import TestSupport
import Testing

extension RelayProgram {
    @Suite("targets") struct Targets {
        @Test("sound passes untouched and stays with the picture")
        func sound() throws {
            let bench = try Bench()
            defer { bench.close() }
            let input = try bench.recording("in.mkv", seconds: 4, sound: ["-c:a", "aac", "-b:a", "96k"])
            let output = bench.folder.path("out.mkv")
            let outcome = try bench.relay([input, output, "--realtime-file"]).wait(limit: 120)
            #expect(outcome.status == 0, "\(outcome.errors)")

            let before = try Probe.packets(input, "a"), after = try Probe.packets(output, "a")
            let first = try #require(after.first?.hash), offset = try #require(before.firstIndex { $0.hash == first })
            #expect(after.count > before.count * 8 / 10, "\(after.count) of \(before.count)")
            #expect(before[offset...].prefix(after.count).map(\.hash) == after.map(\.hash))
            let shift = try #require(after.first?.pts) - (try #require(before[offset].pts))
            for (a, b) in zip(before[offset...], after) { #expect(abs((b.pts ?? 0) - (a.pts ?? 0) - shift) < 0.03) }

            // What the picture with the number n shows was recorded at n / 25 s.
            let shown = zip(try Bench.numbers(output), try Probe.framePts(output)).compactMap { number, pts in
                number.map { pts - Double($0) / 25 }
            }
            #expect(shown.count > 20)
            for pictureShift in shown { #expect(abs(pictureShift - shift) < 0.06, "\(pictureShift) \(shift)") }
        }

        @Test("a file, a playlist, RTSP RECORD and UDP at once")
        func several() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera(["--audio", "aac"])
            let target = try bench.script("target.py", ["--audio", "aac"])
            let recordURL = target.rows.first?.text("url") ?? ""
            let udp = "udp://127.0.0.1:\(try FreePort.next())"
            let listener = try bench.start(
                "ffmpeg", ["-v", "error", "-nostdin", "-y", "-i", udp, "-map", "0", "-c", "copy", "-t", "4", bench.folder.path("udp.ts")])
            let file = bench.folder.path("night.mkv"), playlist = bench.folder.path("night.m3u8")
            let relay = try bench.relay([camera.url, file, playlist, recordURL, udp])
            #expect(relay.wait(event: "target", "running", count: 4), relay.story)
            #expect(target.wait(upTo: Bench.patience) { ($0.last?.count("frames") ?? 0) > 45 }, relay.story)
            #expect(target.rows.last?.count("width") == 320 && target.rows.last?.count("height") == 180)
            #expect((target.rows.last?.count("audio") ?? 0) > 45, "\(target.rows.last?.description ?? "")")
            #expect(listener.wait(limit: Bench.patience).status == 0)
            #expect(try Probe.codecs(bench.folder.path("udp.ts")).sorted() == ["aac", "h264"])

            // While it runs, the playlist is one that players can follow.
            let isListed = relay.wait(upTo: Bench.patience) { _ in
                (try? String(contentsOfFile: playlist, encoding: .utf8))?.contains("#EXTINF") ?? false
            }
            #expect(isListed, relay.story)
            #expect(try Probe.codecs(playlist).contains("h264"))
            let outcome = relay.end()
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(try Probe.framePts(file).count > 45)
            #expect(try Probe.codecs(file).sorted() == ["aac", "h264"])
        }

        @Test("rolling files are each playable, none is partial, and --keep removes old ones but no other file")
        func rolling() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera(), stranger = bench.folder.path("short-other.ts")
            try Data("mine".utf8).write(to: URL(fileURLWithPath: stranger))
            try FileManager.default.setAttributes([.modificationDate: Date().addingTimeInterval(-9000)], ofItemAtPath: stranger)
            let cut = ["--keyframe-interval", "1s", "--strength", "0"]
            let relay = try bench.relay([
                camera.url, bench.folder.path("kept.mkv"), bench.folder.path("night.mp4"), "--segment", "2s", "--keep", "1h",
            ] + cut)
            let forgetful = try bench.relay([camera.url, bench.folder.path("short.ts"), "--segment", "1s", "--keep", "3s"] + cut)
            var names: Set<String> = []
            func finished(_ ending: String) -> [String] { bench.folder.names.filter { $0.hasSuffix(ending) && !$0.hasPrefix(".") } }
            let isLong = forgetful.wait(upTo: Bench.patience) { _ in
                names.formUnion(finished(".ts"))
                return names.count >= 8
            }
            #expect(isLong, forgetful.story)
            let left = finished(".ts")
            // Slow machines finish a file late, and remove it late.
            #expect(left.count < names.count && left.contains("short-other.ts"), "\(left) of \(names)")
            #expect(forgetful.end().status == 0)
            #expect(relay.wait(upTo: Bench.patience) { _ in finished(".mkv").count >= 3 && finished(".mp4").count >= 3 }, relay.story)
            // A finished file never changes again, while its successor grows.
            for name in finished(".mkv") + finished(".mp4") { #expect(try Probe.framePts(bench.folder.path(name)).count > 5, "\(name)") }
            let outcome = relay.end()
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(bench.folder.names.allSatisfy { !$0.hasPrefix(".") }, "\(bench.folder.names)")
            let sent = outcome.rows.last { $0.text("event") == "status" }?.count("frames_out") ?? 0
            for ending in [".mkv", ".mp4"] {
                var total = 0
                for name in finished(ending) {
                    let pts = try Probe.framePts(bench.folder.path(name))
                    #expect(!pts.isEmpty && (pts.first ?? 9) < 0.5 && pts == pts.sorted() && (pts.last ?? 0) < 6, "\(name): \(pts)")
                    total += pts.count
                }
                #expect(total > sent - 30 && total > 45, "\(total) of \(sent) frames")
            }
        }

        @Test("a target that goes away is found again, and the others do not notice")
        func restart() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera(), port = try FreePort.next(), file = bench.folder.path("night.mkv")
            let first = try bench.script("target.py", ["--port", "\(port)"])
            let relay = try bench.relay([camera.url, file, first.rows.first?.text("url") ?? "", "--strength", "0"])
            #expect(first.wait(upTo: Bench.patience) { ($0.last?.count("frames") ?? 0) > 15 }, relay.story)
            first.discard()
            #expect(relay.wait(event: "target", "lost"), relay.story)
            #expect(relay.wait(frames: 15), relay.story)
            let second = try bench.script("target.py", ["--port", "\(port)"])
            #expect(second.wait(upTo: Bench.patience) { ($0.last?.count("frames") ?? 0) > 15 }, relay.story)
            #expect(relay.end().status == 0)
            let pts = try Probe.framePts(file)
            let gap = zip(pts.dropFirst(), pts).map { $0 - $1 }.max() ?? 99
            #expect(pts.count > 30 && gap < 5, "\(pts.count) frames, \(gap) s")
        }

        @Test("one that refuses the password says so at once")
        func refused() throws {
            let bench = try Bench()
            defer { bench.close() }
            let camera = try bench.camera()
            let target = try bench.script("target.py", ["--user", "drop", "--password", "right-one"])
            let url = (target.rows.first?.text("url") ?? "").replacingOccurrences(of: "rtsp://", with: "rtsp://drop:wrong-one@")
            let outcome = try bench.relay([camera.url, url]).wait(limit: Bench.patience)
            #expect(outcome.status == 51, "\(outcome.errors)")
            #expect(outcome.errors.contains("127.0.0.1") && !outcome.errors.contains("wrong-one") && !outcome.output.contains("wrong-one"))

            let right = url.replacingOccurrences(of: "wrong-one", with: "right-one")
            let relay = try bench.relay([camera.url, right])
            #expect(target.wait(upTo: Bench.patience) { ($0.last?.count("frames") ?? 0) > 15 }, relay.story)
            let end = relay.end()
            #expect(end.status == 0 && !end.output.contains("right-one") && !end.errors.contains("right-one"))
        }
    }
}
