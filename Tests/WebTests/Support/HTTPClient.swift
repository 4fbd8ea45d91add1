import Foundation

/// A client that says exactly what a test wants to be said. It blocks, on threads of its own.
struct HTTPClient: Sendable {
    struct Answer: Sendable {
        var status = 0
        /// Names in lower case.
        var headers: [String: String] = [:]
        var body: [UInt8] = []

        var text: String { String(decoding: body, as: UTF8.self) }
        func json() throws -> [String: Any] { try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] ?? [:] }
        /// The code of a refusal.
        var code: String? { ((try? json())?["error"] as? [String: Any])?["code"] as? String }
    }

    struct Trouble: Error { let text: String }

    let port: Int

    /// Runs what blocks on a thread of its own: Dispatch's threads are those that the server needs.
    static func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
        }
    }

    func send(_ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8]? = nil) async throws -> Answer {
        try await Self.blocking {
            let connection = try Connection(port: port)
            var lines = ["\(method) \(path) HTTP/1.1"]
            var all = ["Host": "127.0.0.1:\(port)", "Connection": "close"].merging(headers) { $1 }
            if let body, all["Content-Length"] == nil { all["Content-Length"] = String(body.count) }
            lines += all.map { "\($0): \($1)" }
            try connection.write(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? []))
            return try connection.answer()
        }
    }

    func get(_ path: String, headers: [String: String] = [:]) async throws -> Answer { try await send("GET", path, headers: headers) }
}

/// One connection, used by one thread at a time.
final class Connection: Sendable {
    let number: Int32

    /// `timeout`: seconds that a read waits before it gives up.
    init(port: Int, timeout: Int = 30, receiveBuffer: Int32? = nil) throws {
        number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard number >= 0 else { throw HTTPClient.Trouble(text: "socket: \(errno)") }
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if var receiveBuffer { setsockopt(number, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size)) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard result == 0 else { throw HTTPClient.Trouble(text: "connect: \(errno)") }
    }

    deinit { close(number) }

    func write(_ bytes: [UInt8]) throws {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { part in Foundation.send(number, part.baseAddress, part.count, Int32(MSG_NOSIGNAL)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw HTTPClient.Trouble(text: "send: \(errno)") }
            done += count
        }
    }

    func write(_ text: String) throws { try write(Array(text.utf8)) }

    /// What has come, at least one byte; empty at the end.
    func read() throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65536)
        var count: Int
        // A process that is stopped and goes on finds its calls with a time limit interrupted (signal(7)).
        repeat { count = recv(number, &buffer, buffer.count, 0) } while count < 0 && errno == EINTR
        if count < 0 && errno == ECONNRESET { return [] }
        guard count >= 0 else { throw HTTPClient.Trouble(text: "recv: \(errno)") }
        return Array(buffer[..<count])
    }

    /// Reads on until `text` has come; throws where the connection ends before.
    func read(until text: String, seen: [UInt8] = []) throws -> String {
        var bytes = seen
        while true {
            let all = String(decoding: bytes, as: UTF8.self)
            if all.contains(text) { return all }
            let part = try read()
            guard !part.isEmpty else { throw HTTPClient.Trouble(text: "ended before \(text): \(all.suffix(300))") }
            bytes += part
        }
    }

    /// Reads to the end of the connection.
    func rest() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let part = try read()
            if part.isEmpty { return bytes }
            bytes += part
        }
    }

    /// The answer, up to the end of the connection or of the length that it names.
    func answer() throws -> HTTPClient.Answer {
        var bytes: [UInt8] = []
        var answer: HTTPClient.Answer?
        while true {
            if answer == nil, let end = Data(bytes).range(of: Data("\r\n\r\n".utf8)) {
                answer = Self.head(bytes[..<end.lowerBound])
                bytes.removeFirst(end.upperBound)
            }
            if let length = answer?.headers["content-length"].flatMap({ Int($0) }), bytes.count >= length { break }
            let part = try read()
            if part.isEmpty { break }
            bytes += part
        }
        guard var answer else { throw HTTPClient.Trouble(text: "no answer") }
        answer.body = bytes
        return answer
    }

    private static func head(_ bytes: ArraySlice<UInt8>) -> HTTPClient.Answer {
        var lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
        var answer = HTTPClient.Answer()
        answer.status = lines.removeFirst().split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { answer.headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
        }
        return answer
    }
}
