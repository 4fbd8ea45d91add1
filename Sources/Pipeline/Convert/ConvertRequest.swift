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

    /// Which style the first output has.
    public enum Style: Sendable {
        /// The model's own: the one that ships with an embedded model, or lies beside a model file under its stem.
        case standard
        /// The one of that name which lies beside the model.
        case named(String)
        case recipe(StyleRecipe)
        /// Styles at moments, in ascending order; seconds from the start of the source.
        case keyframes([(seconds: Double, recipe: StyleRecipe)])
    }

    /// A further output of the same run: everything but the style is as for the first.
    public struct AlsoOutput: Sendable {
        public var recipe: StyleRecipe
        public var output: String

        public init(recipe: StyleRecipe, output: String) {
            self.recipe = recipe
            self.output = output
        }
    }

    public var input: String
    public var output: String
    public var also: [AlsoOutput] = []
    public var model = Model.embedded(.night)
    public var style = Style.standard
    /// How much of the translation is shown, 0 (the source) ... 1, at moments of the source.
    public var strength = Timeline<Float>(1)
    /// Where batch norm takes its statistics from; nil is what the model says.
    public var normalization: ModelConfiguration.Normalization?
    /// How the network multiplies.
    public var precision = NetworkPrecision.preferred
    /// FAdaIN's own blend between the content's and the style's statistics, 0...1 (paper, section 3.3).
    public var alpha: Float = 1
    /// The size that the network works at; nil is the size that the model was made for, to which a frame is squeezed as in
    /// the paper.
    public var networkSize: NetworkSize?
    public var detail = DetailMode.guided
    /// How much of the lights that the source does not explain is added, 0...1; nil is what the model says, else all.
    public var detailResidual: Float?
    /// Averages over time how the source's colours become the result's, so that these do not flicker.
    public var stabilizes = true
    /// Seeds the noise that the generator's head starts from; drawn once, so that the picture does not flicker.
    public var seed: UInt64 = 0
    /// For a model that translates labels.
    public var labels = LabelOptions()
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

    /// Paths of all outputs, the first one first.
    public var outputs: [String] { [output] + also.map(\.output) }

    /// True where no translation is ever shown: the source is encoded as it is.
    package var showsSourceOnly: Bool { strength.keyframes.allSatisfy { $0.value == 0 } }

    /// What else the run reads, and no output may replace: the model, every reference of a style that is a file, instances.
    var readFiles: [String] {
        var recipes = also.map(\.recipe)
        switch style {
        case .standard, .named: break
        case .recipe(let recipe): recipes.append(recipe)
        case .keyframes(let keyframes): recipes += keyframes.map(\.recipe)
        }
        let references = recipes.flatMap(\.parts).map(\.reference) + (labels.instances.map { [$0] } ?? [])
        if case .file(let path) = model { return references + [path] }
        return references
    }
}

/// How far a conversion is.
public struct ConvertProgress: Sendable, Equatable {
    /// Frames encoded so far, for every output.
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
    /// Frames in each output.
    public let frames: Int
    /// What could not be decoded.
    public let damage: DamageReport
    /// Indices of the damaged frames in the output, as ranges.
    public let damagedFrames: [ClosedRange<Int>]
    /// What was written, the first output first, and what the user should know about it.
    public let outputs: [OutputReport]
    /// What the user should know about the run as a whole.
    public let notices: [String]
    public let elapsed: Double
    /// Seconds of video.
    public let duration: Double
    /// One entry for each stage, in the order of a frame's way.
    public let stages: [StageTimes]
    /// True where no style's statistics had to be computed: the style stream did not run.
    public let styleWasCached: Bool

    /// Everything that the user should know, each line once.
    public var allNotices: [String] {
        var seen: Set<String> = []
        return (notices + outputs.flatMap(\.warnings)).filter { seen.insert($0).inserted }
    }

    /// What is damaged and where, in words; nil where nothing is.
    public var damageSummary: String? { Self.damageSummary(damage, damagedFrames) }

    static func damageSummary(_ damage: DamageReport, _ damagedFrames: [ClosedRange<Int>]) -> String? {
        guard damage.isDamaged else { return nil }
        let shown = damagedFrames.prefix(8).map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
        guard !shown.isEmpty else { return damage.summary }
        let more = damagedFrames.count > shown.count ? ", …" : ""
        return "\(damage.summary): frames \(shown.joined(separator: ", "))\(more)"
    }
}
