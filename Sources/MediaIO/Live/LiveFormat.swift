internal import CFFmpeg
internal import Imaging

/// What the video of a live output is, from its first frame to its last, whatever becomes of the source.
public struct LiveFormat: Sendable, Equatable {
    /// Even, 16...8192.
    public let width: Int
    public let height: Int
    /// Frames per second at most; a slower source gives fewer.
    public let frameRate: Rational

    /// Seconds per tick of every live video: RTP's clock (RFC 3551), which all containers can say exactly.
    public static let timeBase = Rational(1, 90000)

    /// Throws `.unsupportedOption` for a size that is odd or out of range, or a rate outside 1...240.
    public init(width: Int, height: Int, frameRate: Rational) throws(MediaError) {
        guard [width, height].allSatisfy({ (16...8192).contains($0) && $0 % 2 == 0 }) else {
            throw MediaError(
                .unsupportedOption, "\(width)x\(height) is no size for a live video", remedy: "give even numbers from 16 to 8192")
        }
        guard let rate = frameRate.value, (1...240).contains(rate) else {
            throw MediaError(
                .unsupportedOption, "\(frameRate) frames per second is no rate for a live video", remedy: "give 1 to 240")
        }
        self.width = width
        self.height = height
        self.frameRate = frameRate
    }

    /// As encoders and scalers see it: 8-bit 4:2:0 in BT.709, limited range, square samples, upright, progressive. Every
    /// player takes that, so a source that is anything else is converted.
    public var video: VideoInfo {
        VideoInfo(
            streamIndex: 0, width: width, height: height, sampleAspect: Rational(1, 1), frameRate: frameRate,
            timeBase: Self.timeBase, startTime: 0, pixelFormatName: "yuv420p", bitDepth: 8, colour: Self.colour,
            orientation: .upright, displayMatrix: nil, isInterlaced: false, hasKnownTimestamps: true)
    }

    static let colour = ColourTags(
        range: Int32(bitPattern: AVCOL_RANGE_MPEG.rawValue), primaries: Int32(bitPattern: AVCOL_PRI_BT709.rawValue),
        transfer: Int32(bitPattern: AVCOL_TRC_BT709.rawValue), matrix: Int32(bitPattern: AVCOL_SPC_BT709.rawValue),
        chromaLocation: Int32(bitPattern: AVCHROMA_LOC_LEFT.rawValue))
}
