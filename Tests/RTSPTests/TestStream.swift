import Foundation
import Synchronization
import TestSupport

@testable import RTSP

/// A server with a stream in it, and what it said.
final class TestServer: Sendable {
    let server: RTSPServer
    let port: Int

    init(describing: StreamDescription? = TestStream.plain, _ change: (inout RTSPServerConfiguration) -> Void = { _ in }) async throws {
        var configuration = RTSPServerConfiguration(port: 0, path: "/night")
        change(&configuration)
        let log = EventLog()
        server = RTSPServer(configuration) { event in log.events.withLock { $0.append(event) } }
        self.log = log
        port = try await server.start()
        if let describing { server.describe(describing) }
    }

    private final class EventLog: Sendable { let events = Mutex<[RTSPServer.Event]>([]) }
    private let log: EventLog

    var events: [RTSPServer.Event] { log.events.withLock { $0 } }

    /// Waits, with a generous limit.
    static func until(_ limit: Double = 10, _ condition: () -> Bool) async -> Bool {
        let end = Date().addingTimeInterval(limit)
        while Date() < end {
            if condition() { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return condition()
    }
}

enum TestStream {
    private static let videoSSRC: UInt32 = 0xAABB_0001, audioSSRC: UInt32 = 0xAABB_0002

    static let plain = description(parameters: "")

    static func description(parameters: String) -> StreamDescription {
        let sdp = """
            v=0\no=- 0 0 IN IP4 127.0.0.1\ns=night\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000
            a=fmtp:96 packetization-mode=1\(parameters)\nm=audio 0 RTP/AVP 0\n
            """
        guard let description = try? StreamDescription(
            sdp: sdp,
            tracks: [
                .init(payloadType: 96, clockRate: 90000, ssrc: videoSSRC), .init(payloadType: 0, clockRate: 8000, ssrc: audioSSRC),
            ])
        else { fatalError("the SDP of the test is wrong") }
        return description
    }

    private static func header(_ type: UInt8, _ sequence: Int, _ time: UInt32, _ ssrc: UInt32, isLast: Bool) -> [UInt8] {
        [0x80, type | (isLast ? 0x80 : 0), UInt8(truncatingIfNeeded: sequence >> 8), UInt8(truncatingIfNeeded: sequence)]
            + [time, ssrc].flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) } }
    }

    /// One packet that means nothing.
    static func video(_ number: Int, key: Bool = false, size: Int = 200) -> MediaUnit {
        let time = UInt32(number * 3600)
        let body = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size)
        return MediaUnit(
            track: 0, isKeyframe: key, packets: [header(96, number, time, videoSSRC, isLast: true) + body], rtpTime: time,
            wallClock: .seconds(1_700_000_000) + .milliseconds(40 * number))
    }

    static func audio(_ number: Int) -> MediaUnit {
        let time = UInt32(number * 320)
        return MediaUnit(
            track: 1, isKeyframe: false,
            packets: [header(0, number, time, audioSSRC, isLast: false) + [UInt8](repeating: 0xD5, count: 320)], rtpTime: time,
            wallClock: .seconds(1_700_000_000) + .milliseconds(40 * number))
    }

    /// Frames of real H.264 (RFC 6184, packetisation mode 1), one every 40 ms, a key frame every 25.
    struct Film {
        let description: StreamDescription
        private let frames: [[[UInt8]]]

        init() throws {
            let folder = try TemporaryFolder()
            let file = folder.path("film.h264")
            try Program.output(
                "ffmpeg",
                ["-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=2", "-c:v", "libx264", "-preset", "ultrafast",
                 "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "25", "-x264-params", "slices=1:aud=1:repeat-headers=1", file])
            let data = try Data(contentsOf: URL(fileURLWithPath: file))
            var frames: [[[UInt8]]] = []
            for unit in Self.units(Array(data)) {
                if unit[0] & 31 == 9 { frames.append([]) } else { frames[frames.count - 1].append(unit) }
            }
            self.frames = frames
            let sets = frames[0].filter { [7, 8].contains($0[0] & 31) }.map { Data($0).base64EncodedString() }
            description = TestStream.description(parameters: ";sprop-parameter-sets=" + sets.joined(separator: ","))
        }

        private static func units(_ bytes: [UInt8]) -> [[UInt8]] {
            var starts: [(at: Int, from: Int)] = []
            var at = 0
            while at + 3 <= bytes.count {
                if bytes[at] == 0, bytes[at + 1] == 0, bytes[at + 2] == 1 {
                    starts.append((at > 0 && bytes[at - 1] == 0 ? at - 1 : at, at + 3))
                    at += 3
                } else {
                    at += 1
                }
            }
            return starts.indices.map { Array(bytes[starts[$0].from..<($0 + 1 < starts.count ? starts[$0 + 1].at : bytes.count)]) }
        }

        func isKey(_ number: Int) -> Bool { frames[number % frames.count].contains { $0[0] & 31 == 5 } }

        /// - Parameter sequence: of the first packet; that of the next frame afterwards.
        func unit(_ number: Int, sequence: inout Int, wallClock: Duration) -> MediaUnit {
            let time = UInt32(truncatingIfNeeded: number * 3600)
            let parts = frames[number % frames.count].flatMap(Self.fragments)
            let packets = parts.enumerated().map { index, part in
                TestStream.header(96, sequence + index, time, TestStream.videoSSRC, isLast: index == parts.count - 1) + part
            }
            sequence += packets.count
            return MediaUnit(track: 0, isKeyframe: isKey(number), packets: packets, rtpTime: time, wallClock: wallClock)
        }

        /// FU-A (RFC 6184, 5.8).
        private static func fragments(_ unit: [UInt8]) -> [[UInt8]] {
            let most = 1300
            guard unit.count > most else { return [unit] }
            let indicator = unit[0] & 0xE0 | 28
            return stride(from: 1, to: unit.count, by: most).map { at in
                let end = min(at + most, unit.count)
                let flags: UInt8 = (at == 1 ? 0x80 : 0) | (end == unit.count ? 0x40 : 0)
                return [indicator, flags | unit[0] & 31] + unit[at..<end]
            }
        }
    }
}
