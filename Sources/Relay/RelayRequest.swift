public import MediaIO
public import Pipeline

/// What to relay, to where, and how. The defaults are those of `solstice relay`.
public struct RelayRequest: Sendable {
    /// What readers see while the source gives nothing.
    public enum OnLoss: String, Sendable, CaseIterable {
        /// The last picture, with a mark.
        case hold
        /// A black picture, with a mark.
        case black
        /// The relay ends.
        case end
    }

    /// The server that is part of the relay.
    public struct Listener: Sendable {
        public var host: String
        public var port: Int
        public var path: String
        public var credentials: (user: String, password: String)?
        public var readerLimit = 32

        public init(host: String, port: Int, path: String) {
            self.host = host
            self.port = port
            self.path = path
        }
    }

    public var source: MediaAddress
    public var sourceTransport = LiveInput.Transport.tcp
    /// For a file: it is played as fast as it was recorded, over and over where `loops`.
    public var loops = false
    public var targets: [MediaAddress] = []
    public var listener: Listener?
    /// Model, style, strength, network size, detail and precision; its input, output and encoder are not looked at.
    public var translation = ConvertRequest(input: "", output: "")
    public var encoding = LiveEncoding()
    /// Nil: as the first source is.
    public var format: LiveFormat?
    /// Seconds that anything may wait before it is dropped.
    public var maxLatency = 0.5
    /// Lowers the network's size before the frame rate.
    public var adapts = false
    public var onLoss = OnLoss.hold
    /// Seconds of each of a file target's rolling files; nil for one file.
    public var segment: Double?
    /// Seconds after which rolling files are removed; nil for never.
    public var keep: Double?
    /// Path of the control socket.
    public var control: String?
    /// A folder for pictures of the frame that the relay is at, `before.jpg` and `after.jpg`; nil for none.
    public var previewFolder: String?
    /// Seconds between two status reports.
    public var statusInterval = 10.0

    public init(source: MediaAddress) { self.source = source }
}
