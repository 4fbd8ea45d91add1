import Foundation

/// A client that speaks RTSP byte by byte, so that tests see what is on the wire.
final class RawClient {
    struct Answer {
        let status: Int
        let text: String

        func header(_ name: String) -> String? {
            text.components(separatedBy: "\r\n").first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
                .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
        }

        var session: String? { header("Session")?.components(separatedBy: ";").first }
    }

    struct Failure: Error {}

    let descriptor: Int32
    private let port: Int
    private var sequence = 0
    private var received: [UInt8] = []
    /// Interleaved data that came between answers: channel and bytes.
    private(set) var media: [(channel: UInt8, data: [UInt8])] = []

    init(port: Int, receiveBuffer: Int32? = nil) throws {
        self.port = port
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if var size = receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) }
        var address = RawClient.loopback(port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard result == 0 else { throw Failure() }
    }

    deinit { Glibc.close(descriptor) }

    static func loopback(_ port: Int) -> sockaddr_in {
        sockaddr_in(
            sin_family: sa_family_t(AF_INET), sin_port: UInt16(port).bigEndian, sin_addr: in_addr(s_addr: UInt32(0x7F00_0001).bigEndian),
            sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
    }

    func send(_ bytes: [UInt8]) { _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    @discardableResult
    func ask(_ method: String, _ path: String = "/night", _ headers: [String] = [], body: String = "") throws -> Answer {
        sequence += 1
        var lines = ["\(method) rtsp://127.0.0.1:\(port)\(path) RTSP/1.0", "CSeq: \(sequence)"] + headers
        if !body.isEmpty { lines.append("Content-Length: \(body.utf8.count)") }
        send(Array((lines.map { $0 + "\r\n" }.joined() + "\r\n" + body).utf8))
        let answer = try answer()
        guard answer.header("CSeq") == "\(sequence)" else { throw Failure() }
        return answer
    }

    func answer() throws -> Answer {
        while true {
            if try takeMedia() { continue }
            if let end = received.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: received[..<end.upperBound], as: UTF8.self)
                let status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
                let length = Answer(status: status, text: head).header("Content-Length").flatMap { Int($0) } ?? 0
                while received.count < end.upperBound + length { try fill() }
                let text = String(decoding: received[..<(end.upperBound + length)], as: UTF8.self)
                received.removeFirst(end.upperBound + length)
                return Answer(status: status, text: text)
            }
            try fill()
        }
    }

    /// Waits until so many interleaved packets have come.
    func awaitMedia(_ count: Int) throws {
        while media.count < count { if try !takeMedia() { try fill() } }
    }

    private func takeMedia() throws -> Bool {
        guard received.first == 36 else { return false }
        while received.count < 4 { try fill() }
        let length = Int(received[2]) << 8 | Int(received[3])
        while received.count < 4 + length { try fill() }
        media.append((received[1], Array(received[4..<(4 + length)])))
        received.removeFirst(4 + length)
        return true
    }

    private func fill() throws {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { throw Failure() }
        received += buffer[..<count]
    }

    /// True once the other end has closed; false where nothing happens for so long.
    func isClosed(within seconds: Int) -> Bool {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 || count < 0 && errno == ECONNRESET { return true }
            if count < 0 { return false }
        }
    }
}

/// A UDP socket of a player.
final class RawPort {
    let descriptor: Int32
    let port: Int

    init() {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = RawClient.loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(descriptor, $0, size)
                _ = getsockname(descriptor, $0, &size)
            }
        }
        self.descriptor = descriptor
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { Glibc.close(descriptor) }

    func receive() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    func send(_ bytes: [UInt8], to port: Int) {
        var address = RawClient.loopback(port)
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
