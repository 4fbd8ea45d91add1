import CFFmpeg
import Foundation
import TestSupport
import Testing

@testable import MediaIO

/// A relay's encoder with pictures that move, and where asked for the sound of a file.
final class LiveSource {
    let format: LiveFormat
    let encoder: VideoEncoder
    let streams: LiveStreams
    private let pool = FramePool()
    private let sound: [Packet]
    private var soundIndex = 0
    private var soundStart: Int64 { sound.first?.pts ?? 0 }
    private(set) var frames = 0
    /// The relay's time of its first frame, in ticks of 1/90000: outputs must not count on 0.
    static let start: Int64 = 987_654_321

    init(
        _ encoding: LiveEncoding = LiveEncoding(), width: Int = 160, height: Int = 112, rate: Rational = Rational(25, 1),
        sound path: String? = nil
    ) throws {
        format = try LiveFormat(width: width, height: height, frameRate: rate)
        encoder = try VideoEncoder(live: encoding, format: format)
        var track: AudioTrack?
        var sound: [Packet] = []
        if let path {
            (track, sound) = try Self.readSound(path)
        }
        self.sound = sound
        streams = try LiveStreams(encoder: encoder, audio: track)
    }

    /// The first stream of a file without video, which `Demuxer` refuses.
    private static func readSound(_ path: String) throws -> (AudioTrack, [Packet]) {
        var context: UnsafeMutablePointer<AVFormatContext>?
        try AV.check(avformat_open_input(&context, path, nil, nil), .unreadable, path)
        defer { avformat_close_input(&context) }
        try AV.check(avformat_find_stream_info(context, nil), .unreadable, path)
        let stream = try #require(context?.pointee.streams[0])
        let track = try AudioTrack(stream)
        var packets: [Packet] = []
        while true {
            let packet = try Packet()
            guard av_read_frame(context, packet.raw) >= 0 else { return (track, packets) }
            packet.raw.pointee.time_base = stream.pointee.time_base
            packets.append(packet)
        }
    }

    /// A picture of diagonal stripes that move, or with `isNoise` one that no encoder makes small.
    func frame(isNoise: Bool = false) throws -> Frame {
        let frame = try pool.frame(width: format.width, height: format.height, format: AV_PIX_FMT_YUV420P)
        var noise = SeededRandom(seed: UInt64(frames + 1))
        let lines = [frame.raw.pointee.linesize.0, frame.raw.pointee.linesize.1, frame.raw.pointee.linesize.2]
        let planes = [frame.raw.pointee.data.0, frame.raw.pointee.data.1, frame.raw.pointee.data.2]
        for (plane, (data, stride)) in zip(planes, lines).enumerated() {
            let data = try #require(data)
            let shift = plane == 0 ? 0 : 1
            for y in 0..<format.height >> shift {
                for x in 0..<format.width >> shift {
                    let value = isNoise ? UInt8.random(in: 16...235, using: &noise) : UInt8(16 + (x + y + frames * 3 + plane * 40) % 200)
                    data[y * Int(stride) + x] = value
                }
            }
        }
        frame.timeBase = LiveFormat.timeBase
        frame.pts = Self.start + time(frames)
        return frame
    }

    private func time(_ frame: Int) -> Int64 { format.frameRate.inverse.rescale(Int64(frame), to: LiveFormat.timeBase) }

    /// The packets of the next frame, and the sound up to it.
    func next(asKeyframe: Bool = false, isNoise: Bool = false) throws -> [Packet] {
        var packets: [Packet] = []
        let frame = try frame(isNoise: isNoise)
        frames += 1
        try encoder.encode(frame, asKeyframe: asKeyframe) { packets.append($0) }
        let end = time(frames)
        while let next = sound.indices.contains(soundIndex) ? sound[soundIndex] : nil, let pts = next.pts,
            next.timeBase.rescale(pts - soundStart, to: LiveFormat.timeBase) < end
        {
            let own = LiveFormat.timeBase.rescale(Self.start, to: next.timeBase) + pts - soundStart
            packets.append(
                try next.restamped(streamIndex: 1, pts: own, dts: own, duration: next.duration, timeBase: next.timeBase))
            soundIndex += 1
        }
        return packets
    }

    /// Sends frames at their own pace until `isDone`; false where it takes longer than `limit` seconds.
    func play(limit: Double = 30, isDone: () -> Bool, send: (Packet) throws -> Void) throws -> Bool {
        let start = Date()
        let first = frames
        let interval = 1 / (format.frameRate.value ?? 25)
        while !isDone() {
            guard Date().timeIntervalSince(start) < limit else { return false }
            for packet in try next() { try send(packet) }
            let wait = Double(frames - first) * interval - Date().timeIntervalSince(start)
            if wait > 0 { usleep(UInt32(wait * 1e6)) }
        }
        return true
    }
}

extension Packet {
    var bytes: [UInt8] { Array(UnsafeBufferPointer(start: raw.pointee.data, count: size)) }
}

/// Loopback, for tests with real peers.
enum Loopback {
    /// A port that was free a moment ago.
    static func freePort(_ type: __socket_type = SOCK_STREAM) throws -> Int {
        let descriptor = socket(AF_INET, Int32(type.rawValue), 0)
        defer { close(descriptor) }
        var address = self.address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
            }
        }
        try #require(result == 0)
        return Int(UInt16(bigEndian: address.sin_port))
    }

    static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return address
    }

    /// Sends datagrams.
    final class Sender {
        private let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        private var target: sockaddr_in
        init(port: Int) { target = Loopback.address(port: port) }
        deinit { close(descriptor) }

        func send(_ bytes: [UInt8]) {
            _ = withUnsafePointer(to: &target) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
    }
}

/// A program that is ended with its test.
final class Peer {
    let running: Running
    private let folder: TemporaryFolder

    init(_ program: String, _ arguments: [String]) throws {
        folder = try TemporaryFolder()
        running = try Program.start(program, arguments, in: folder.url)
    }

    var isRunning: Bool { running.process.isRunning }

    /// What it has printed so far.
    var text: String {
        folder.names.compactMap { try? String(contentsOfFile: folder.path($0), encoding: .utf8) }.joined()
    }

    func waitFor(_ word: String, limit: Double = 20) -> Bool {
        let end = Date().addingTimeInterval(limit)
        while !text.contains(word) {
            guard Date() < end, isRunning else { return text.contains(word) }
            usleep(20_000)
        }
        return true
    }

    deinit {
        if isRunning {
            running.send(signal: SIGKILL)
            _ = running.wait(limit: 5)
        }
    }
}

/// Opens an output as soon as its peer listens.
func openOutput(
    _ address: String, _ streams: LiveStreams, transport: LiveInput.Transport = .tcp, interrupt: Interrupt = Interrupt(),
    limit: Double = 20
) throws -> LiveOutput {
    let end = Date().addingTimeInterval(limit)
    let target = try MediaAddress(parsing: address)
    while true {
        do {
            return try LiveOutput(target, streams: streams, transport: transport, interrupt: interrupt)
        } catch {
            guard error.code == .unreachable, Date() < end else { throw error }
            usleep(50_000)
        }
    }
}

/// Frames that decode, by ffmpeg's count; what it complains of is returned too.
func decodedFrames(_ path: String, _ options: [String] = []) throws -> (count: Int, complaints: String) {
    let outcome = try Program.run(
        "ffmpeg", ["-v", "error", "-nostdin"] + options + ["-i", path, "-map", "0:v", "-f", "framemd5", "-"])
    let lines = outcome.output.split(separator: "\n").filter { !$0.hasPrefix("#") }
    return (lines.count, outcome.status == 0 ? outcome.errors : "status \(outcome.status): \(outcome.errors)")
}
