/// Requests and interleaved data out of the bytes of a connection, in whatever pieces they come.
///
/// Memory is bounded by `Limits` and the size of one piece. After a failure nothing more is read.
struct RequestParser {
    struct Limits: Sendable {
        var line = 8192
        var uri = 2048
        /// The whole of a request's header.
        var header = 16384
        var headerCount = 64
        var body = 16384
        /// Empty lines before a request.
        var blankLines = 8
    }

    enum Failure: Error, Equatable {
        /// A handshake of TLS: nothing that this server says would be understood.
        case tls
        /// HTTP, or no text of a protocol at all.
        case notRTSP
        case badRequest
        case uriTooLarge
        case headerTooLarge
        case bodyTooLarge
        case badVersion

        /// Nil where the connection is best closed without a word.
        var status: Status? {
            switch self {
            case .tls: nil
            case .notRTSP, .badRequest: .badRequest
            case .uriTooLarge: .requestURITooLarge
            case .headerTooLarge, .bodyTooLarge: .requestEntityTooLarge
            case .badVersion: .versionNotSupported
            }
        }
    }

    private enum State {
        case start
        case headers(Request)
        case body(Request, length: Int)
        case failed(Failure)
    }

    let limits: Limits
    private var state = State.start
    private var buffer: [UInt8] = []
    private var head = 0
    /// Where the search for the end of the line goes on.
    private var scanned = 0
    private var headerBytes = 0
    private var blankLines = 0

    init(limits: Limits = Limits()) { self.limits = limits }

    /// Bytes held.
    var bufferedBytes: Int { buffer.count - head }
    /// The number of the request that failed, where that was read already.
    private(set) var failedSequence: UInt32?

    mutating func append(_ bytes: some Sequence<UInt8>) {
        if case .failed = state { return }
        if head > 0 {
            buffer.removeFirst(head)
            scanned -= head
            head = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next message that is complete, nil where more bytes are needed.
    mutating func next() throws(Failure) -> ClientMessage? {
        do throws(Failure) {
            while true {
                switch state {
                case .failed(let failure): throw failure
                case .start:
                    if bufferedBytes > 0, buffer[head] == Interleaving.mark { return takeInterleaved() }
                    guard try startRequest() else { return nil }
                case .headers(let request):
                    guard try readHeader(of: request) else { return nil }
                case .body(let request, let length):
                    return takeBody(of: request, length: length)
                }
            }
        } catch {
            if case .headers(let request) = state { failedSequence = request.sequence }
            state = .failed(error)
            buffer = []
            (head, scanned) = (0, 0)
            throw error
        }
    }

    private mutating func takeInterleaved() -> ClientMessage? {
        guard bufferedBytes >= Interleaving.headerSize else { return nil }
        let length = Int(buffer[head + 2]) << 8 | Int(buffer[head + 3])
        guard bufferedBytes >= Interleaving.headerSize + length else { return nil }
        let start = head + Interleaving.headerSize
        let message = ClientMessage.interleaved(channel: buffer[head + 1], data: Array(buffer[start..<start + length]))
        advance(to: start + length)
        return message
    }

    private mutating func takeBody(of request: Request, length: Int) -> ClientMessage? {
        guard bufferedBytes >= length else { return nil }
        var request = request
        request.body = Array(buffer[head..<head + length])
        advance(to: head + length)
        state = .start
        return .request(request)
    }

    private mutating func advance(to position: Int) {
        head = position
        scanned = position
    }

    /// False where more bytes are needed.
    private mutating func startRequest() throws(Failure) -> Bool {
        try checkMethod()
        guard let line = try takeLine() else { return false }
        if line.isEmpty {
            blankLines += 1
            guard blankLines <= limits.blankLines else { throw .badRequest }
            return true
        }
        blankLines = 0
        state = .headers(try requestLine(line))
        return true
    }

    /// Tells garbage apart by its first bytes, as it may never have an end of line.
    private func checkMethod() throws(Failure) {
        let longestMethod = 32
        let start = buffer[head...]
        guard let first = start.first, first != UInt8(ascii: "\r"), first != UInt8(ascii: "\n") else { return }
        if first == 0x16 { throw .tls }
        let method = start.prefix(longestMethod + 1).prefix { $0 != UInt8(ascii: " ") }
        guard method.allSatisfy(\.isToken), (1...longestMethod).contains(method.count) else { throw .notRTSP }
    }

    private func requestLine(_ line: ArraySlice<UInt8>) throws(Failure) -> Request {
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 3 else { throw .badRequest }
        let version = words[2]
        guard version.starts(with: "RTSP/".utf8) else { throw version.starts(with: "HTTP/".utf8) ? .notRTSP : .badRequest }
        guard words[1].count <= limits.uri else { throw .uriTooLarge }
        guard !words[1].isEmpty, words[1].allSatisfy({ (0x21...0x7E).contains($0) }) else { throw .badRequest }
        guard version.elementsEqual("RTSP/1.0".utf8) else { throw .badVersion }
        return Request(method: String(decoding: words[0], as: UTF8.self), uri: String(decoding: words[1], as: UTF8.self))
    }

    private mutating func readHeader(of request: Request) throws(Failure) -> Bool {
        guard let line = try takeLine() else { return false }
        var request = request
        if line.isEmpty {
            headerBytes = 0
            state = .body(request, length: try bodyLength(of: request))
            return true
        }
        guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == UInt8(ascii: "\t") }) else { throw .badRequest }
        if let first = line.first, first == UInt8(ascii: " ") || first == UInt8(ascii: "\t") {
            // A long value may go on in the next line (RFC 2326, 15.1).
            guard let last = request.headers.indices.last else { throw .badRequest }
            request.headers[last].value += " " + String(decoding: line, as: UTF8.self).trimmed
        } else {
            guard request.headers.count < limits.headerCount else { throw .headerTooLarge }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
                line[..<colon].allSatisfy(\.isToken)
            else { throw .badRequest }
            let value = String(decoding: line[(colon + 1)...], as: UTF8.self).trimmed
            request.headers.append(Header(String(decoding: line[..<colon], as: UTF8.self), value))
        }
        state = .headers(request)
        return true
    }

    private func bodyLength(of request: Request) throws(Failure) -> Int {
        let values = request.all("Content-Length")
        guard let value = values.first else { return 0 }
        guard values.allSatisfy({ $0 == value }), !value.isEmpty, value.utf8.allSatisfy({ (48...57).contains($0) }) else {
            throw .badRequest
        }
        guard let length = Int(value), length <= limits.body else { throw .bodyTooLarge }
        return length
    }

    /// A line without its end (CR LF, or LF alone), nil where its end has not come.
    private mutating func takeLine() throws(Failure) -> ArraySlice<UInt8>? {
        let end = buffer[scanned...].firstIndex(of: UInt8(ascii: "\n"))
        let size = (end ?? buffer.count) - head
        guard size <= limits.line, headerBytes + size <= limits.header else { throw .headerTooLarge }
        guard let end else {
            scanned = buffer.count
            return nil
        }
        var line = buffer[head..<end]
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        headerBytes += size + 1
        advance(to: end + 1)
        return line
    }
}
