internal import Foundation

/// One JSON object that a program has printed on a line of its own.
public struct JSONRow: CustomStringConvertible, @unchecked Sendable {
    // Safe to share: the values are immutable Foundation objects made by JSONSerialization.
    private let values: [String: Any]
    public let description: String

    public init?(line: Substring) {
        guard let values = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else { return nil }
        self.values = values
        description = String(line)
    }

    /// The objects of a text that has one a line; a last line without an end is left out.
    public static func lines(of text: String) -> [JSONRow] {
        guard let end = text.lastIndex(of: "\n") else { return [] }
        return text[..<end].split(separator: "\n").compactMap { JSONRow(line: $0) }
    }

    public func text(_ key: String) -> String? { values[key] as? String }
    public func number(_ key: String) -> Double? { (values[key] as? NSNumber)?.doubleValue }
    public func count(_ key: String) -> Int { number(key).map { Int($0) } ?? 0 }
    /// The object that a key holds.
    public func row(_ key: String) -> JSONRow? {
        (values[key] as? [String: Any]).flatMap { try? JSONSerialization.data(withJSONObject: $0) }
            .flatMap { JSONRow(line: Substring(decoding: $0, as: UTF8.self)) }
    }
    public func rows(_ key: String) -> [JSONRow] {
        (values[key] as? [[String: Any]] ?? []).compactMap { value in
            (try? JSONSerialization.data(withJSONObject: value)).flatMap { JSONRow(line: Substring(decoding: $0, as: UTF8.self)) }
        }
    }
}

extension Program.Outcome {
    /// The JSON lines on standard output.
    public var rows: [JSONRow] { JSONRow.lines(of: output) }
}

extension Running {
    /// Everything on standard output, or on standard error, until now.
    public var printed: String { Self.text(output) }
    public var complaints: String { Self.text(errors) }

    public var isRunning: Bool { process.isRunning }

    /// The JSON lines on standard output until now; a line that is still being written is left out.
    public var rows: [JSONRow] { JSONRow.lines(of: printed) }

    /// Waits until `condition` holds; false where it does not within `limit` seconds or the program ends first.
    public func wait(upTo limit: Double, for condition: ([JSONRow]) throws -> Bool) rethrows -> Bool {
        let end = Date().addingTimeInterval(limit)
        while true {
            let wasRunning = isRunning
            if try condition(rows) { return true }
            if !wasRunning || Date() > end { return false }
            usleep(50_000)
        }
    }

    /// Kills it where it still runs, and forgets what it printed.
    public func discard() {
        // A stopped program does not see signals other than these two.
        send(signal: SIGKILL)
        send(signal: SIGCONT)
        process.waitUntilExit()
        for file in [output, errors] { try? FileManager.default.removeItem(at: file) }
    }
}

/// Ports of this machine that nothing listens on.
public enum FreePort {
    /// A port that was free for TCP and UDP a moment ago.
    public static func next() throws -> Int {
        for _ in 0..<50 {
            let stream = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            let datagram = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            defer { for descriptor in [stream, datagram] where descriptor >= 0 { close(descriptor) } }
            if let port = bound(stream, to: 0), bound(datagram, to: port) != nil { return Int(port) }
        }
        throw Program.Failure(description: "no port is free")
    }

    private static func bound(_ descriptor: Int32, to port: UInt16) -> UInt16? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        return isBound ? UInt16(bigEndian: address.sin_port) : nil
    }
}
