import Foundation
import Testing
import TestSupport

@testable import RTSP

/// Players that others have written, reading real H.264.
@Suite(.serialized) struct PlayerTests {
    /// Serves the film in real time while a player runs.
    private func watch(_ program: String, password: Bool = false, _ arguments: (String) -> [String]) async throws -> Program.Outcome {
        let film = try TestStream.Film()
        let test = try await TestServer(describing: film.description) {
            if password { $0.credentials = .init(user: "night", password: "owl") }
        }
        let folder = try TemporaryFolder()
        let account = password ? "night:owl@" : ""
        let player = try Program.start(program, arguments("rtsp://\(account)127.0.0.1:\(test.port)/night"), in: folder.url)
        let outcome = await serve(film, from: test.server, to: player)
        await test.server.stop()
        return outcome
    }

    /// On a thread of its own: tests that run at the same time may keep Swift's pool busy for long.
    private func serve(_ film: TestStream.Film, from server: RTSPServer, to player: Running) async -> Program.Outcome {
        await withCheckedContinuation { continuation in
            Thread {
                let start = Date()
                var (number, sequence) = (0, 65000)
                while player.process.isRunning, Date().timeIntervalSince(start) < 120 {
                    let moment = Duration.seconds(1_700_000_000) + .milliseconds(40 * number)
                    server.send(film.unit(number, sequence: &sequence, wallClock: moment))
                    server.send(TestStream.audio(number))
                    number += 1
                    Thread.sleep(until: start.addingTimeInterval(0.04 * Double(number)))
                }
                continuation.resume(returning: player.wait(limit: 1))
            }.start()
        }
    }

    @Test(arguments: ["tcp", "udp"], [false, true]) func ffmpegReads(_ transport: String, _ password: Bool) async throws {
        let outcome = try await watch("ffmpeg", password: password) { address in
            ["-v", "error", "-rtsp_transport", transport, "-i", address, "-map", "0:v", "-frames:v", "30", "-f", "framemd5", "-"]
        }
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.split(separator: "\n").filter { !$0.hasPrefix("#") }.count == 30)
    }

    @Test func ffprobeSeesBothTracksTogether() async throws {
        let outcome = try await watch("ffprobe") { address in
            ["-v", "error", "-rtsp_transport", "tcp", "-read_intervals", "%+2", "-show_entries", "packet=stream_index,pts_time", "-of",
             "csv=p=0", address]
        }
        #expect(outcome.status == 0, "\(outcome.errors)")
        var first: [String: Double] = [:]
        for line in outcome.output.split(separator: "\n") {
            let fields = line.split(separator: ",").map(String.init)
            if fields.count == 2, first[fields[0]] == nil { first[fields[0]] = Double(fields[1]) }
        }
        let (video, audio) = (try #require(first["0"]), try #require(first["1"]))
        #expect(abs(video - audio) < 0.1)
    }

    @Test(arguments: ["tcp", "udp"]) func gstreamerReads(_ transport: String) async throws {
        let outcome = try await watch("gst-launch-1.0", password: true) { address in
            ["-q", "rtspsrc", "location=\(address)", "protocols=\(transport)", "latency=200", "!", "rtph264depay", "!", "h264parse", "!",
             "avdec_h264", "!", "identity", "eos-after=30", "!", "fakesink", "sync=false"]
        }
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    }
}
