/// Where the page is served, to whom, and within which limits.
public struct WebConfiguration: Sendable, Equatable {
    /// An address, or a name that stands for one; loopback unless a token is set.
    public var host: String
    /// 0: any free one.
    public var port: Int
    /// What everyone must show, as `Authorization: Bearer` or through the page's form; nil: nothing, on loopback only.
    public var token: String?
    /// Bytes of one uploaded file.
    public var uploadLimit: Int64
    /// Names besides `localhost` and plain addresses that a browser may call an open server by. What is called by another name
    /// is refused: a page elsewhere could have had its own name resolve to this machine (DNS rebinding).
    public var hostNames: [String]
    /// Event streams at once; the next one is told to come again later.
    public var eventStreamLimit: Int
    /// Connections at once; further ones wait to be accepted.
    public var connectionLimit: Int
    /// Uploads at once.
    public var uploadsAtOnce: Int
    /// Downloads at once.
    public var downloadsAtOnce: Int
    /// Seconds that a client may keep a connection without sending a whole header, the next part of a body, or taking the next
    /// part of an answer.
    public var clientTimeout: Double

    public init(
        host: String = "127.0.0.1", port: Int = 8080, token: String? = nil, uploadLimit: Int64 = 8 << 30, hostNames: [String] = [],
        eventStreamLimit: Int = 256, connectionLimit: Int = 640, uploadsAtOnce: Int = 8, downloadsAtOnce: Int = 32, clientTimeout: Double = 30
    ) {
        self.host = host
        self.port = port
        self.token = token
        self.uploadLimit = uploadLimit
        self.hostNames = hostNames
        self.eventStreamLimit = eventStreamLimit
        self.connectionLimit = connectionLimit
        self.uploadsAtOnce = uploadsAtOnce
        self.downloadsAtOnce = downloadsAtOnce
        self.clientTimeout = clientTimeout
    }

    /// Fewest characters of a token: so many cannot be guessed over a network.
    public static let tokenLength = 16

    /// What can be told without listening: throws `.badAddress`, `.tokenRequired`, `.badToken`.
    public func validate() throws(WebError) {
        guard !host.isEmpty, (0...65535).contains(port) else {
            throw WebError(.badAddress, "\(host):\(port): not an address to listen on", remedy: "give one such as 127.0.0.1:8080")
        }
        guard let token else {
            guard HostName(host).isLoopback else {
                throw WebError(
                    .tokenRequired, "\(host):\(port) can be reached from other machines, and no token is set",
                    remedy: "set token-file, or listen on 127.0.0.1")
            }
            return
        }
        guard token.utf8.allSatisfy({ (33...126).contains($0) }) else {
            throw WebError(.badToken, "the token holds characters that cannot be sent", remedy: "take letters, digits and signs of ASCII")
        }
        guard token.utf8.count >= Self.tokenLength else {
            throw WebError(
                .badToken, "the token has fewer than \(Self.tokenLength) characters",
                remedy: "make one with: head -c 24 /dev/urandom | base64")
        }
    }
}
