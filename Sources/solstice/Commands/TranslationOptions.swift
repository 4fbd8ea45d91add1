public import ArgumentParser
public import Imaging
internal import MediaIO
internal import Pipeline
public import TSIT

/// The options that say how pictures are translated; every command that translates has them.
struct TranslationOptions: ParsableArguments {
    @Option(help: "An embedded model with its default style (default: night).") var to: EmbeddedModels.Name?
    @Option(help: "A reference picture: the result takes its light and colours.", completion: .file()) var style: String?
    @Option(help: "A model file written by 'solstice model import'.", completion: .file(extensions: ["safetensors"]))
    var model: String?
    @Option(help: "How much of the translation is shown: 0 (the source) to 1.") var strength: Float = 1
    @Option(help: "FAdaIN's own blend of content and style statistics, 0 to 1 (expert).") var alpha: Float = 1
    @Option(
        help: ArgumentHelp(
            "The size the network works at: WxH in multiples of 128, or 'native' for the video's own.", valueName: "size"))
    var networkSize: NetworkSizeArgument?
    @Option(help: "How the source's detail is carried into the full-size result: guided or none.")
    var detail: DetailMode = .guided
    @Option(help: "Seed of the noise that the network starts from.") var seed: UInt64 = 0
    @Option(help: "Threads of the network (default: every core).") var threads: Int?

    func validate() throws {
        guard to == nil || model == nil else { throw ValidationError("--to names an embedded model, --model a file: give one of them.") }
        guard model == nil || style != nil else {
            throw ValidationError("--model FILE has no style of its own: name a reference picture with --style.")
        }
        guard (0...1).contains(strength) else { throw ValidationError("--strength is a number from 0 to 1.") }
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
        request.model = model.map(ConvertRequest.Model.file) ?? .embedded(to ?? .night)
        request.stylePicture = style
        request.strength = strength
        request.alpha = alpha
        request.networkSize = networkSize?.size
        request.detail = detail
        request.seed = seed
        request.threads = threads
    }
}

extension DetailMode: ExpressibleByArgument {}
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
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...3).contains(parts.count) else { return nil }
        var total = 0.0
        for (place, part) in parts.enumerated() {
            guard let value = Double(part), value >= 0, value.isFinite, place == 0 || value < 60 else { return nil }
            total = total * 60 + value
        }
        seconds = total
    }
}
