/// What could not be read or decoded of a video, so far.
public struct DamageReport: Sendable, Equatable {
    /// Frames put out, whatever their condition.
    public var frames = 0
    /// Frames that another one stands in for.
    public var replaced = 0
    /// Frames that the decoder patched up.
    public var concealed = 0
    /// Frames that the container lists and whose packets are not in the file (it was cut off): nothing stands in.
    public var missing = 0
    /// Packets that the decoder refused, for information: their frames count as replaced or concealed.
    public var decoderErrors = 0

    public init() {}

    /// Frames that are not what the camera saw.
    public var damaged: Int { replaced + concealed + missing }

    public var isDamaged: Bool { damaged > 0 }
}

/// How well a frame could be decoded.
public enum FrameCondition: String, Sendable {
    case intact
    /// Decoded from damaged data: the decoder made up parts of it.
    case concealed
    /// Not decodable: a neighbour's picture with this frame's own pts.
    case replaced
}

/// A frame with its place in the sequence.
public struct DecodedFrame: Sendable {
    /// 0 for the first frame that is put out, without gaps.
    public let index: Int
    public let frame: Frame
    public let condition: FrameCondition

    /// The same frame, `count` places further back: for a sequence of which only the end is decoded.
    public func moved(by count: Int) -> DecodedFrame { DecodedFrame(index: index + count, frame: frame, condition: condition) }
}
