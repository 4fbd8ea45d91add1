/// One header line. Names are compared without case.
struct Header: Sendable, Equatable {
    let name: String
    var value: String

    init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A request as it was sent, complete with its body.
struct Request: Sendable, Equatable {
    let method: String
    let uri: String
    var headers: [Header] = []
    var body: [UInt8] = []

    /// The first header of this name.
    subscript(_ name: String) -> String? { headers.first { $0.name.equalsIgnoringCase(name) }?.value }

    func all(_ name: String) -> [String] { headers.filter { $0.name.equalsIgnoringCase(name) }.map(\.value) }

    /// The number that the answer repeats (RFC 2326, 12.17); nil where it is missing or no number.
    var sequence: UInt32? { self["CSeq"].flatMap { UInt32($0) } }

    /// The session without its parameters (RFC 2326, 12.37).
    var sessionID: String? {
        self["Session"].map { $0.prefix { $0 != ";" }.trimmed }
    }
}

/// What the client sends on its connection.
enum ClientMessage: Sendable, Equatable {
    case request(Request)
    case interleaved(channel: UInt8, data: [UInt8])
}

/// An answer.
struct Response: Sendable, Equatable {
    var status: Status
    var headers: [Header] = []
    var body = ""
    /// The connection is of no further use.
    var closes = false

    init(_ status: Status, _ headers: [Header] = [], body: String = "", closes: Bool = false) {
        self.status = status
        self.headers = headers
        self.body = body
        self.closes = closes
    }

    /// - Parameter sequence: of the request, nil where it could not be read.
    func text(sequence: UInt32?) -> String {
        var lines = ["RTSP/1.0 \(status.rawValue) \(status.reason)"]
        if let sequence { lines.append("CSeq: \(sequence)") }
        lines.append("Server: solstice")
        lines += headers.map { "\($0.name): \($0.value)" }
        if closes { lines.append("Connection: close") }
        if !body.isEmpty { lines.append("Content-Length: \(body.utf8.count)") }
        return lines.map { $0 + "\r\n" }.joined() + "\r\n" + body
    }
}

extension StringProtocol {
    /// ASCII only, as protocol words are.
    func equalsIgnoringCase(_ other: some StringProtocol) -> Bool {
        utf8.count == other.utf8.count && zip(utf8, other.utf8).allSatisfy { $0.asciiLowercase == $1.asciiLowercase }
    }

    /// Without spaces and tabs around it, whatever they are next to: a mark that combines with a space makes one character of both.
    var trimmed: String {
        let isBlank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        let rest = Array(utf8).drop(while: isBlank)
        guard let last = rest.lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(decoding: rest[...last], as: UTF8.self)
    }
}

extension UInt8 {
    var asciiLowercase: UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self + 32 : self }

    /// RFC 2326, 15.1: what names of methods and headers consist of.
    var isToken: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }
}
