/// Where and how a stream is served.
public struct RTSPServerConfiguration: Sendable {
    /// The one account that readers log in with. Printing it never shows the password.
    public struct Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
        public let user: String
        let password: String

        public init(user: String, password: String) {
            self.user = user
            self.password = password
        }

        public var description: String { "\(user):***" }
        public var debugDescription: String { description }
        public var customMirror: Mirror { Mirror(self, children: ["user": user]) }
    }

    /// An IP address or a name of this host.
    public var host: String
    /// 0 for any that is free.
    public var port: Int
    /// As in the address, with or without slashes around it: `/night`.
    public var path: String
    /// The even port that RTP leaves from over UDP, RTCP using the next one; 0 for any pair that is free.
    public var mediaPort = 0
    /// Nil: everybody may read.
    public var credentials: Credentials?
    /// Sessions at once; one more is answered 453.
    public var readerLimit = 32
    /// Connections at once, with and without a session; one more is answered 503 and closed.
    public var connectionLimit = 128
    /// A session over UDP ends when no request and no RTCP came for so long, one over TCP when nothing could be sent for so
    /// long; a connection without a session ends when no request came for so long.
    public var sessionTimeout: Duration = .seconds(60)
    /// How old the oldest frame that waits for one reader may become before frames are dropped.
    public var readerDelay: Duration = .seconds(2)
    /// How many bytes may wait for one reader.
    public var readerBytes = 4 << 20
    /// Between two sender reports of RTCP (RFC 3550, 6.2: five seconds at least on average).
    public var reportInterval: Duration = .seconds(5)

    public init(host: String = "127.0.0.1", port: Int = 8554, path: String, credentials: Credentials? = nil) {
        self.host = host
        self.port = port
        self.path = path
        self.credentials = credentials
    }
}
