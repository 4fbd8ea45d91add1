public import Imaging

/// What a source is, known before any of its frames runs through the pipeline.
public struct SourceInfo: Sendable {
    /// The path as the user gave it; for a picture sequence the pattern.
    public var path: String
    /// libav's short names of the container format, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    public var containerName: String
    /// True for one picture in a picture file (JPEG, PNG, ...).
    public var isStillPicture: Bool
    /// True for a numbered sequence of picture files.
    public var isPictureSequence: Bool
    /// The media stream that is converted.
    public var video: VideoInfo
    /// All media streams of the container, in its order.
    public var streams: [MediaStreamInfo]
    /// The container's own tags.
    public var metadata: [String: String]
    public var chapterCount: Int
    /// Seconds; nil where the container does not say.
    public var duration: Double?
    /// How many frames the video stream should have: the container's own count, else duration times rate.
    public var frameCountEstimate: Int?
    /// Boxes of an MP4 or MOV file that have content which libav does not read (a dashcam's GPS track).
    public var unreadBoxes: [UnreadBox]
    /// What the user should know about the source, such as a rotation that is not a quarter turn: one line each.
    public var notices: [String]
}

/// The video stream of a source.
public struct VideoInfo: Sendable, Equatable {
    public var streamIndex: Int
    /// Coded size in samples, before any rotation and sample aspect.
    public var width: Int
    public var height: Int
    /// Width to height of one sample; 0/1 where unknown.
    public var sampleAspect: Rational
    /// Nominal frames per second; nil where unknown. The frames' own pts are what counts.
    public var frameRate: Rational?
    public var timeBase: Rational
    /// Pts of the first frame in ticks of `timeBase`, as far as the container tells.
    public var startTime: Int64?
    /// libav's name of the pixel format, such as `yuv420p10le`.
    public var pixelFormatName: String
    /// Bits per component of a sample, such as 8 or 10.
    public var bitDepth: Int
    public var colour: ColourTags
    /// How to turn a coded picture so that it stands upright.
    public var orientation: Orientation
    /// The container's 3x3 display matrix as it stands there, for copying; nil where there is none.
    public var displayMatrix: [Int32]?
    public var isInterlaced: Bool
    /// False where the container keeps no pts (AVI, raw streams): the frames' pts are then derived, and are not a
    /// reason to call a frame missing.
    public var hasKnownTimestamps: Bool
}

/// The colour tags of a video stream, as libav's raw enumeration values (ITU-T H.273 code points, except
/// `range` and `chromaLocation`, which are `AVColorRange` and `AVChromaLocation`). 'Unspecified' is kept as such.
public struct ColourTags: Sendable, Hashable {
    public var range: Int32
    public var primaries: Int32
    public var transfer: Int32
    public var matrix: Int32
    public var chromaLocation: Int32

    public init(range: Int32, primaries: Int32, transfer: Int32, matrix: Int32, chromaLocation: Int32) {
        self.range = range
        self.primaries = primaries
        self.transfer = transfer
        self.matrix = matrix
        self.chromaLocation = chromaLocation
    }
}

/// One media stream of a container.
public struct MediaStreamInfo: Sendable {
    public enum Kind: String, Sendable { case video, audio, subtitle, data, attachment, other }

    public var index: Int
    public var kind: Kind
    /// libav's name of the codec, such as `h264` or `bin_data`; `none` where libav has no id for it.
    public var codecName: String
    /// The container's four-character code, such as `gpmd`, with non-printing bytes as `[n]`; empty where 0.
    public var codecTag: String
    public var timeBase: Rational
    public var handlerName: String?
    public var language: String?
    /// libav's names of the dispositions that are set, such as `default` or `forced`.
    public var dispositions: [String]
    /// True for an attached picture: a video stream by type that is no video.
    public var isCoverArt: Bool
    public var metadata: [String: String]
    /// Packets the container says the stream has; nil where it does not say.
    public var packetCount: Int?
}

/// A box of an ISO base media file that has content and that libav does not read.
public struct UnreadBox: Sendable, Hashable {
    /// Four-character code; non-printing bytes as `[n]`.
    public var type: String
    /// Type of the box it lies in, or (`gps `) that points to it; nil at the top level.
    public var parent: String?
    /// Byte offset in the file of the box, header included.
    public var offset: Int64
    /// Bytes of the box, header included.
    public var size: Int64
}
