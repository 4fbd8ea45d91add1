public import Imaging
public import MediaIO
public import TSIT

/// What to convert, and how. The defaults are those of `solstice convert`.
public struct ConvertRequest: Sendable {
    /// Which weights translate.
    public enum Model: Sendable, Equatable {
        /// One that ships with the program.
        case embedded(EmbeddedModels.Name)
        /// A safetensors file written by `solstice model import`.
        case file(String)
    }

    public var input: String
    public var output: String
    public var model = Model.embedded(.night)
    /// A reference picture; nil takes the embedded model's default style.
    public var stylePicture: String?
    /// How much of the translation is shown, 0 (the source) ... 1.
    public var strength: Float = 1
    /// FAdaIN's own blend between the content's and the style's statistics, 0...1 (paper, section 3.3).
    public var alpha: Float = 1
    /// The size that the network works at; nil is the size that the model was made for, to which a frame is squeezed as in
    /// the paper.
    public var networkSize: NetworkSize?
    public var detail = DetailMode.guided
    /// Seeds the noise that the generator's head starts from; drawn once, so that the picture does not flicker.
    public var seed: UInt64 = 0
    public var encoder = EncoderSettings()
    /// Start of the part to convert, in seconds from the start of the source.
    public var start: Double?
    /// Length of the part to convert, in seconds.
    public var duration: Double?
    /// Frames per second of a numbered picture sequence, `usualRate` where nil; any other source refuses one.
    public var sequenceRate: Rational?
    static let usualRate = Rational(25, 1)
    public var overwrite = false
    /// Threads of the network; nil uses every core.
    public var threads: Int?
    /// The share of frames that may be replaced or concealed before the run fails, 0...1.
    public var maxErrorShare = 0.01
    /// Keeps what there is, however much is damaged.
    public var salvage = false
    /// Where to write a picture of one frame, before and after side by side.
    public var preview: String?

    public init(input: String, output: String) {
        self.input = input
        self.output = output
    }
}

/// How far a conversion is.
public struct ConvertProgress: Sendable, Equatable {
    /// Frames encoded so far.
    public let frame: Int
    /// How many there will be, as far as the container says; nil where it does not.
    public let total: Int?
    /// Seconds since the first frame was asked for.
    public let elapsed: Double
    /// Seconds of video done so far.
    public let position: Double

    public var framesPerSecond: Double { elapsed > 0 ? Double(frame) / elapsed : 0 }
    /// Video seconds per second; 1 is real time.
    public var speed: Double { elapsed > 0 ? position / elapsed : 0 }
    /// Seconds until the end at the mean rate so far.
    public var remaining: Double? {
        guard let total, frame > 0, framesPerSecond > 0 else { return nil }
        return Double(max(0, total - frame)) / framesPerSecond
    }
}

/// What a conversion did.
public struct ConvertReport: Sendable {
    /// Frames in the output.
    public let frames: Int
    /// What could not be decoded.
    public let damage: DamageReport
    /// Indices of the damaged frames in the output, as ranges.
    public let damagedFrames: [ClosedRange<Int>]
    /// What was written besides the output itself, and what the user should know about it.
    public let output: OutputReport
    public let notices: [String]
    public let elapsed: Double
    /// Seconds of video.
    public let duration: Double
    /// One entry for each stage, in the order of a frame's way.
    public let stages: [StageTimes]
    /// True where the style's statistics came from the cache, so that the style stream did not run.
    public let styleWasCached: Bool

    /// What is damaged and where, in words; nil where nothing is.
    public var damageSummary: String? {
        guard damage.isDamaged else { return nil }
        let shown = damagedFrames.prefix(8).map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
        guard !shown.isEmpty else { return damage.summary }
        let more = damagedFrames.count > shown.count ? ", …" : ""
        return "\(damage.summary): frames \(shown.joined(separator: ", "))\(more)"
    }
}
