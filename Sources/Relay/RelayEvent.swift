/// What a relay tells while it runs.
public enum RelayEvent: Sendable {
    public enum SourceState: Sendable, Equatable {
        /// The attempt that is made, from 1.
        case connecting(attempt: Int)
        case playing(description: String)
        /// Why, and in how many seconds the next attempt is made.
        case lost(reason: String, retryIn: Double)
        case ended
    }

    public enum TargetState: Sendable, Equatable {
        case connecting(attempt: Int)
        case running
        case lost(reason: String, retryIn: Double)
        /// Too slow: so many packets have been lost since the last word.
        case slow(packets: Int)
        case finished
    }

    public enum ReaderState: Sendable, Equatable {
        case playing
        case left(reason: String)
        case slow(frames: Int)
        case refused(reason: String)
    }

    case listening(address: String)
    case source(SourceState)
    case target(address: String, TargetState)
    case reader(address: String, ReaderState)
    case status(RelayStatus)
    case notice(String)
}

/// How a relay is doing. Times are seconds.
public struct RelayStatus: Sendable, Codable, Equatable {
    public struct Reader: Sendable, Codable, Equatable {
        public var address: String
        public var transport: String
        public var frames: Int
        public var dropped: Int
    }

    public struct Target: Sendable, Codable, Equatable {
        public var address: String
        public var state: String
        public var dropped: Int
        public var reconnects: Int
    }

    /// Since the relay began.
    public var elapsed = 0.0
    /// `connecting`, `playing`, `lost` or `ended`.
    public var source = "connecting"
    /// Frames per second since the last status: those the source gave, and those that were sent.
    public var fpsIn = 0.0
    public var fpsOut = 0.0
    /// Since the relay began.
    public var framesIn = 0
    public var framesOut = 0
    /// Frames that the source gave and that were not translated.
    public var dropped = 0
    /// Pictures that stood in for the source's.
    public var held = 0
    /// From the arrival of a frame's packet to the moment when its own packet is handed to the targets, over the last minute.
    public var latencyP50: Double?
    public var latencyP95: Double?
    /// Connections to the source after the first.
    public var reconnects = 0
    /// Jumps of the source's time within a connection.
    public var jumps = 0
    public var networkSize = ""
    public var readers: [Reader] = []
    public var targets: [Target] = []
}
