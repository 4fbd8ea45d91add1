public import ArgumentParser
public import Imaging
internal import MediaIO
internal import Pipeline
public import TSIT

/// The options that say how pictures are translated; every command that translates has them.
struct TranslationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "An embedded model with its default style, night or winter (default: night); with --model, one of its styles.",
            valueName: "name"))
    var to: String?
    @Option(
        help: ArgumentHelp(
            "The style: a picture whose light and colours the result takes, a style file, or the name of a style of the "
                + "model; several are mixed, with weights where wanted: dusk.style:0.7,rain.jpg:0.3.",
            valueName: "recipe"),
        completion: .file())
    var style: String?
    @Option(
        help: ArgumentHelp(
            "Styles at moments of the source, linear between them: 0:00=day.style,0:20=night.style, or @FILE with one "
                + "TIME=RECIPE a line.",
            valueName: "time=recipe"),
        completion: .file())
    var styleAt: String?
    @Option(help: "A model file written by 'solstice model import'.", completion: .file(extensions: ["safetensors"]))
    var model: String?
    @Option(help: "How much of the translation is shown: 0 (the source) to 1 (default: 1).") var strength: Float?
    @Option(
        help: ArgumentHelp(
            "Strengths at moments of the source, linear between them: 0:05=0,0:15=1, or @FILE.", valueName: "time=strength"),
        completion: .file())
    var strengthAt: String?
    @Option(
        help: ArgumentHelp(
            "Where batch norm takes its statistics from: running (those of training) or frame (default: what the model says).",
            valueName: "kind"))
    var norm: ModelConfiguration.Normalization?
    @Option(help: "FAdaIN's own blend of content and style statistics, 0 to 1 (expert).") var alpha: Float = 1
    @Option(
        help: ArgumentHelp(
            "The size the network works at: WxH in multiples of 128, or 'native' for the video's own.", valueName: "size"))
    var networkSize: NetworkSizeArgument?
    @Option(help: "How the source's detail is carried into the full-size result: guided or none (labels have none to carry).")
    var detail: DetailMode = .guided
    @Option(
        help: ArgumentHelp(
            "How much of the network's lights is added where the source does not explain them, 0 to 1 (default: what the model says).",
            valueName: "share"))
    var detailResidual: Float?
    @Flag(inversion: .prefixedNo, help: "Average over time how the source's colours become the result's, so that these do not flicker.")
    var stabilize = true
    @Option(help: "Seed of the noise that the network starts from.") var seed: UInt64 = 0
    @Option(help: "How the network multiplies: float32, or mixed, whose last blocks use bfloat16 where the CPU has it: faster, and a little less exact.")
    var precision: NetworkPrecision = .preferred
    @Option(help: "Threads of the network (default: every core).") var threads: Int?

    func validate() throws {
        let embedded = EmbeddedModels.Name.allCases.map(\.rawValue)
        if model == nil, let to, !embedded.contains(to) {
            throw ValidationError("--to \(to): the embedded models are \(embedded.joined(separator: " and ")); --model FILE --to NAME picks a style of a model file.")
        }
        guard style == nil || styleAt == nil else { throw ValidationError("--style and --style-at exclude each other.") }
        guard model == nil || to == nil || (style == nil && styleAt == nil) else {
            throw ValidationError("With --model, --to names a style: it excludes --style and --style-at.")
        }
        guard strength == nil || strengthAt == nil else { throw ValidationError("--strength and --strength-at exclude each other.") }
        guard (0...1).contains(strength ?? 1) else { throw ValidationError("--strength is a number from 0 to 1.") }
        guard (0...1).contains(detailResidual ?? 1) else { throw ValidationError("--detail-residual is a number from 0 to 1.") }
        guard (0...1).contains(alpha) else { throw ValidationError("--alpha is a number from 0 to 1.") }
        if let threads, !(1...256).contains(threads) { throw ValidationError("--threads is a number from 1 to 256.") }
    }

    /// What the user should hear before anything runs.
    var warning: String? {
        alpha < 1
            ? "--alpha below 1 mixes statistics inside the network, which it was not trained for; --strength blends the result"
            : nil
    }

    func apply(to request: inout ConvertRequest) throws {
        request.model = model.map(ConvertRequest.Model.file) ?? .embedded(to.flatMap(EmbeddedModels.Name.init) ?? .night)
        request.style = try requestedStyle()
        request.strength = try strengthAt.map(StrengthSchedule.parse) ?? Timeline(strength ?? 1)
        request.normalization = norm
        request.precision = precision
        request.alpha = alpha
        request.networkSize = networkSize?.size
        request.detail = detail
        request.detailResidual = detailResidual
        request.stabilizes = stabilize
        request.seed = seed
        request.threads = threads
    }
}

extension TranslationOptions {
    private func requestedStyle() throws -> ConvertRequest.Style {
        if let style { return .recipe(try StyleRecipe(parsing: style)) }
        if let styleAt { return .keyframes(try StyleSchedule.parse(styleAt)) }
        // Without a model file the name is that of an embedded model.
        guard model != nil, let to else { return .standard }
        return .named(to)
    }
}

extension DetailMode: ExpressibleByArgument {}
extension NetworkPrecision: ExpressibleByArgument {}
extension EmbeddedModels.Name: ExpressibleByArgument {}

/// `WxH` or `native`.
struct NetworkSizeArgument: ExpressibleByArgument {
    let size: NetworkSize

    /// The published size of driving videos.
    static let native512 = NetworkSizeArgument(size: .fixed(width: 512, height: 256))

    private init(size: NetworkSize) { self.size = size }

    var defaultValueDescription: String {
        if case .fixed(let width, let height) = size { "\(width)x\(height)" } else { "native" }
    }

    init?(argument: String) {
        if argument == "native" {
            size = .native
            return
        }
        let parts = argument.lowercased().split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let width = parts[0], let height = parts[1], width > 0, height > 0 else { return nil }
        size = .fixed(width: width, height: height)
    }
}

/// Seconds, or `[h:]m:s`, with a fraction where wanted.
struct TimeArgument: ExpressibleByArgument {
    let seconds: Double

    init?(argument: String) {
        guard let seconds = MediaTime.seconds(argument) else { return nil }
        self.seconds = seconds
    }
}
