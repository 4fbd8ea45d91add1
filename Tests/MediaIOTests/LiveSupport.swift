import CFFmpeg
import Foundation
import Glibc
import TestSupport
import Testing

@testable import MediaIO

/// A program that plays the part of a camera or server; it ends with this object.
final class LivePeer: Sendable {
    private let running: Running
    private let folder: TemporaryFolder

    init(_ program: String, _ arguments: [String]) throws {
        folder = try TemporaryFolder()
        running = try Program.start(program, arguments, in: folder.url)
    }

    /// `ffmpeg` with words separated by spaces.
    static func ffmpeg(_ words: String) throws -> LivePeer {
        try LivePeer("ffmpeg", ["-v", "error", "-nostdin", "-y"] + words.split(separator: " ").map(String.init))
    }

    func send(signal: Int32) { running.send(signal: signal) }

    deinit {
        running.send(signal: SIGKILL)
        _ = running.wait(limit: 5)
    }

    /// A port of the loopback interface that nothing uses.
    static func freePort(_ type: __socket_type = SOCK_STREAM) throws -> Int {
        let socket = try LiveSocket(type)
        return socket.port
    }
}

/// A socket on the loopback interface; listening, it accepts connections in the kernel's queue and says nothing.
final class LiveSocket: Sendable {
    private let descriptor: Int32
    let port: Int

    init(_ type: __socket_type = SOCK_STREAM, listens: Bool = false) throws {
        descriptor = socket(AF_INET, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound, !listens || listen(descriptor, 8) == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}

/// A live source opened as soon as it is there, read on the calling thread.
struct LiveReading {
    var input: LiveInput
    let interrupt: Interrupt

    /// Tries again while nobody answers, for as long as a peer may take to start.
    init(_ text: String, transport: LiveInput.Transport = .tcp, limit: Duration = .seconds(40)) throws {
        let address = try MediaAddress(parsing: text)
        let end = ContinuousClock.now + limit
        while true {
            let interrupt = Interrupt()
            interrupt.expire(after: .seconds(15))
            do throws(MediaError) {
                input = try LiveInput(address, transport: transport, interrupt: interrupt)
                self.interrupt = interrupt
                return
            } catch {
                guard error.code == .unreachable, ContinuousClock.now < end else { throw error }
                usleep(100_000)
            }
        }
    }

    struct Outcome {
        var frames: [Frame] = []
        var audioPackets = 0
        /// Most packets that the decoder took before a frame came, beyond one each.
        var longestHold = 0
        var decodedSize: (width: Int, height: Int)?
        var errors = 0
    }

    /// Decodes until `count` frames are there or the source ends.
    func decode(_ count: Int, as format: LiveFormat? = nil, threads: Int = 2) throws -> Outcome {
        let decoder = try LiveDecoder(input: input, format: try format ?? LiveFormat(showing: input.video), threads: threads)
        var outcome = Outcome()
        var packets = 0
        while outcome.frames.count < count {
            interrupt.expire(after: .seconds(15))
            guard let packet = try input.next() else { break }
            guard packet.streamIndex == input.video.streamIndex else {
                outcome.audioPackets += packet.streamIndex == input.audioIndex ? 1 : 0
                continue
            }
            let base = packet.timeBase
            let live = try packet.restamped(
                streamIndex: 0, pts: packet.pts.map { base.rescale($0, to: LiveFormat.timeBase) },
                dts: packet.dts.map { base.rescale($0, to: LiveFormat.timeBase) }, duration: 0, timeBase: LiveFormat.timeBase)
            if packet.pts != nil, !outcome.frames.isEmpty || packet.isKey { packets += 1 }
            try decoder.decode(live) { outcome.frames.append($0) }
            if !outcome.frames.isEmpty { outcome.longestHold = max(outcome.longestHold, packets - outcome.frames.count) }
        }
        outcome.decodedSize = decoder.decodedSize
        outcome.errors = decoder.errors
        return outcome
    }
}

extension Packet {
    /// Overwrites some bytes of a payload of its own, and cuts it.
    func scramble(_ random: inout SeededRandom) {
        guard av_packet_make_writable(raw) >= 0, size > 8 else { return }
        for _ in 0..<8 { raw.pointee.data[Int.random(in: 4..<size, using: &random)] = UInt8.random(in: 0...255, using: &random) }
        if Bool.random(using: &random) { av_shrink_packet(raw, Int32(Int.random(in: 4...size, using: &random))) }
    }
}

extension Frame {
    var isMarkedInterlaced: Bool { shim_frame_is_interlaced(raw) != 0 }

    /// One sample of a planar 8-bit frame.
    func sample(_ plane: Int, _ x: Int, _ y: Int) throws -> Int {
        try withPlanes { planes in Int(planes.pointers[plane]![y * Int(planes.strides[plane]) + x]) }
    }

    /// Mean of the luma samples of a rectangle.
    func luma(_ x: Range<Int>, _ y: Range<Int>) throws -> Double {
        var sum = 0
        for row in y { for column in x { sum += try sample(0, column, row) } }
        return Double(sum) / Double(x.count * y.count)
    }
}
