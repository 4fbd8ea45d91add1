import Foundation
import TestSupport
import Testing

@testable import MediaIO

/// Publishing to real servers: ffmpeg and GStreamer as RTSP targets, ffmpeg as an RTMP target, and peers that refuse or stall.
@Suite struct LivePeerTests {
    private static let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/live/record_server.py").path

    @Test(arguments: [LiveInput.Transport.tcp, .udp])
    func ffmpegTakesAnRTSPRecording(transport: LiveInput.Transport) throws {
        let media = try InputMedia()
        let tone = try media.make("tone.m4a", "-f lavfi -i sine=r=44100 -t 30 -c:a aac")
        let source = try LiveSource(sound: tone)
        let address = "rtsp://127.0.0.1:\(try Loopback.freePort())/night"
        let path = media.path("out.mkv")
        let peer = try Peer(
            "ffmpeg", ["-v", "error", "-nostdin", "-rtsp_flags", "listen", "-i", address, "-t", "2", "-c", "copy", path])
        let output = try openOutput(address, source.streams, transport: transport)
        #expect(output.notices == [])
        var failure: (any Error)?
        let isDone = { !peer.isRunning || failure != nil }
        // It hangs up when it has enough.
        _ = try source.play(isDone: isDone) { do { try output.write($0) } catch { failure = error } }
        if let failure = failure as? MediaError { #expect(failure.code == .unreachable) }
        #expect(peer.running.wait(limit: 10).status == 0)
        #expect(try decodedFrames(path).count >= 45)
        #expect(try Probe.packets(path, "a").count > 60)
    }

    @Test(arguments: [LiveInput.Transport.tcp, .udp])
    func gstreamerTakesAnRTSPRecording(transport: LiveInput.Transport) throws {
        let port = try Loopback.freePort()
        let peer = try Peer("/usr/bin/python3", [Self.script, "\(port)", "40"])
        try #require(peer.waitFor("ready"), "\(peer.text)")
        let source = try LiveSource()
        let output = try openOutput("rtsp://127.0.0.1:\(port)/night", source.streams, transport: transport)
        #expect(try source.play(isDone: { peer.text.contains("frames 40") }, send: output.write), "\(peer.text)")
        try output.finish()
        // The server takes the next recording, so this one has been torn down.
        let again = try openOutput("rtsp://127.0.0.1:\(port)/night", source.streams, transport: transport)
        try again.finish()
    }

    @Test func aPasswordIsAskedForAndNeverShown() throws {
        let port = try Loopback.freePort()
        let peer = try Peer("/usr/bin/python3", [Self.script, "\(port)", "10", "ann", "se:c/r@t"])
        try #require(peer.waitFor("ready"), "\(peer.text)")
        let source = try LiveSource()
        let address = try MediaAddress(parsing: "rtsp://127.0.0.1:\(port)/night")
        for wrong in [address, address.authenticated(user: "ann", password: "topsecret")] {
            let error = #expect(throws: MediaError.self) {
                try LiveOutput(wrong, streams: source.streams, interrupt: Interrupt())
            }
            #expect(error?.code == .denied)
            #expect(error.map { "\($0)".contains("topsecret") } == false)
        }
        let output = try LiveOutput(
            address.authenticated(user: "ann", password: "se:c/r@t"), streams: source.streams, interrupt: Interrupt())
        #expect(try source.play(isDone: { peer.text.contains("frames 10") }, send: output.write), "\(peer.text)")
        try output.finish()
    }

    @Test func ffmpegTakesRTMP() throws {
        let media = try InputMedia()
        let tone = try media.make("tone.ts", "-f lavfi -i sine=r=44100 -t 30 -c:a aac -f mpegts")
        let source = try LiveSource(sound: tone)
        let address = "rtmp://127.0.0.1:\(try Loopback.freePort())/live/night"
        let path = media.path("out.mkv")
        let peer = try Peer("ffmpeg", ["-v", "error", "-nostdin", "-listen", "1", "-f", "flv", "-i", address, "-c", "copy", path])
        let output = try openOutput(address, source.streams)
        for _ in 0..<60 { for packet in try source.next() { try output.write(packet) } }
        try output.finish()
        #expect(peer.running.wait(limit: 15).status == 0)
        #expect(try decodedFrames(path).count == 60)
        #expect(try Probe.packets(path, "a").count > 80)
    }

    @Test(arguments: ["rtsp://127.0.0.1:%/night", "rtmp://127.0.0.1:%/live/night"])
    func aClosedPortIsUnreachable(pattern: String) throws {
        let address = pattern.replacing("%", with: "\(try Loopback.freePort())")
        let source = try LiveSource()
        let error = #expect(throws: MediaError.self) {
            try LiveOutput(MediaAddress(parsing: address), streams: source.streams, interrupt: Interrupt())
        }
        #expect(error?.code == .unreachable)
        #expect(error?.message == "\(try MediaAddress(parsing: address)) cannot be reached")
    }

    /// A peer that takes the connection and then says nothing.
    @Test(arguments: ["rtsp", "rtmp"])
    func aSilentPeerIsGivenUpAtTheDeadline(scheme: String) throws {
        let listener = try SilentListener()
        let source = try LiveSource()
        let address = try MediaAddress(parsing: "\(scheme)://127.0.0.1:\(listener.port)/night")
        let interrupt = Interrupt()
        interrupt.expire(after: .milliseconds(500))
        let error = #expect(throws: MediaError.self) {
            try LiveOutput(address, streams: source.streams, interrupt: interrupt)
        }
        #expect(error?.code == .unreachable)
        #expect(error?.message == "\(address) does not answer")
        let triggered = Interrupt()
        triggered.trigger()
        let cancelled = #expect(throws: MediaError.self) {
            try LiveOutput(address, streams: source.streams, interrupt: triggered)
        }
        #expect(cancelled?.code == .cancelled)
    }

    @Test(arguments: ["rtsp", "rtmp"])
    func aPeerThatStopsReadingIsGivenUpAtTheDeadline(scheme: String) throws {
        let media = try InputMedia()
        let source = try LiveSource(LiveEncoding(maxBitrate: 200_000_000), width: 640, height: 480)
        let address = "\(scheme)://127.0.0.1:\(try Loopback.freePort())/live/night"
        let listen = scheme == "rtsp" ? ["-rtsp_flags", "listen"] : ["-listen", "1", "-f", "flv"]
        let peer = try Peer("ffmpeg", ["-v", "error", "-nostdin"] + listen + ["-i", address, "-c", "copy", media.path("out.mkv")])
        let interrupt = Interrupt()
        let output = try openOutput(address, source.streams, interrupt: interrupt)
        let first = try source.next(isNoise: true)[0]
        try output.write(first)
        peer.running.send(signal: SIGSTOP)
        defer { peer.running.send(signal: SIGCONT) }
        // As much as no socket's buffers hold.
        let error = #expect(throws: MediaError.self) {
            for index in 1..<2000 {
                interrupt.expire(after: .seconds(1))
                let pts = LiveSource.start + Int64(index) * 3600
                try output.write(first.restamped(streamIndex: 0, pts: pts, dts: pts, duration: 3600, timeBase: LiveFormat.timeBase))
            }
        }
        #expect(error?.code == .stalled)
        #expect(error?.message == "\(try MediaAddress(parsing: address)) takes nothing any more")
        // Nothing waits for it any more.
        #expect(throws: MediaError.self) { try output.finish() }
    }
}

/// Takes connections, and neither reads nor writes.
private final class SilentListener {
    let port: Int
    private let descriptor: Int32

    init() throws {
        port = try Loopback.freePort()
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Loopback.address(port: port)
        let own = descriptor
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(own, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 ? listen(own, 4) : -1
            }
        }
        try #require(result == 0)
    }

    deinit { close(descriptor) }
}
