public import ArgumentParser
internal import Foundation
internal import NeuralEngine
public import TSIT

struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model", abstract: "Import, describe and check model files.",
        subcommands: [Import.self, Info.self, Check.self])
}

extension ModelCommand {
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import",
            abstract: "Make a model file of a PyTorch checkpoint of TSIT's generator.",
            discussion: """
                Reads state dicts as PyTorch has written them since 1.6 (zip) and before (legacy, as the published \
                checkpoints are). Nothing in the checkpoint is executed: a pickle that asks for more than tensors is refused.
                """)

        @Argument(help: "The checkpoint, such as latest_net_G.pth.", completion: .file(extensions: ["pth", "pt"])) var checkpoint: String
        @Argument(help: "The model file to write.", completion: .file(extensions: ["safetensors"])) var model: String
        @Option(help: "What it was trained for: ast, mmis or sis (default: what its layers say).") var task: ModelConfiguration.Task?
        @Option(help: ArgumentHelp("The VAE encoder that belongs to a generator with a latent head, such as latest_net_E.pth.", valueName: "checkpoint"), completion: .file(extensions: ["pth", "pt"])) var vae: String?
        @Option(help: ArgumentHelp("The classes of a label network: cityscapes, ade20k, or COUNT[+other][+edges] (default: by the number of channels).", valueName: "set")) var labels: LabelSet?
        @Option(help: "The size it was trained at, WxH in multiples of 128 (default: 512x256; 256x256 for ade20k and where the head has that size).") var nativeSize: NetworkSizeArgument?
        @Option(help: "Where batch norm takes its statistics from: running, or frame for the frame's own (default: running; mmis: frame).") var norm: ModelConfiguration.Normalization?
        @Option(help: "How weights are stored: float32, or half for half the size.") var store: ModelConfiguration.Storage = .float32
        @Option(help: "How much of the lights that the source does not explain is added to a result, 0 to 1, where --detail-residual does not say (default: 1).") var detailResidual: Float?
        @Flag(help: "Replace a model file that is there already.") var overwrite = false

        func validate() throws {
            guard (0...1).contains(detailResidual ?? 1) else { throw ValidationError("--detail-residual is a number from 0 to 1.") }
        }

        func run() throws {
            var options = CheckpointImporter.Options()
            options.detailResidual = detailResidual
            options.task = task
            options.normalization = norm
            options.encoder = vae
            options.labels = labels
            options.storage = store
            options.overwrite = overwrite
            if let nativeSize {
                guard case .fixed(let width, let height) = nativeSize.size else {
                    throw ValidationError("--native-size is WxH, such as 512x256.")
                }
                options.nativeSize = (width, height)
            }
            let report = try CheckpointImporter.run(from: checkpoint, to: model, options: options)
            if report.clippedCount + report.flushedCount > 0 {
                Terminal.note(
                    "solstice: \(report.clippedCount) weights are too large and \(report.flushedCount) too small for half precision")
            }
            Terminal.print(ModelDescription(try ModelFile(contentsOfFile: model).summary).description)
        }
    }

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "info", abstract: "Describe a model file.")

        @Argument(help: "The model file, or 'night' or 'winter' for an embedded one.") var model: String
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            let description = ModelDescription(try ModelFile.named(model).summary)
            Terminal.print(json ? JSONLine.encode(description) : description.description)
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Run a model on a golden's inputs and compare the output element by element.",
            discussion: """
                The golden directory holds content.npy, style.npy, z.npy and output.npy (float32, NCHW), as a reference \
                implementation wrote them. A label network has no style.npy, and its content is one-hot; reference.npy, mu.npy \
                and logvar.npy are for its VAE encoder. Exits 1 beyond a maximum difference of 1e-3 or a mean difference of 1e-5.
                """)

        @Argument(help: "The model file, or 'night' or 'winter' for an embedded one.") var model: String
        @Option(help: "The golden directory.", completion: .directory) var golden: String
        @Option(help: "FAdaIN's alpha that the golden was made with.") var alpha: Float = 1
        @Option(help: "Threads of the network (default: every core).") var threads: Int?

        func validate() throws {
            guard (0...1).contains(alpha) else { throw ValidationError("--alpha is a number from 0 to 1.") }
            if let threads, !(1...256).contains(threads) { throw ValidationError("--threads is a number from 1 to 256.") }
        }

        func run() throws {
            let file = try ModelFile.named(model)
            let pool = ThreadPool(threads: threads ?? ThreadPool.coreCount)
            let results = try GoldenCheck(directory: golden, alpha: alpha).run(weights: file, pool: pool)
            for (name, difference) in results {
                let verdict = difference.isWithinBounds ? "within the bounds" : "BEYOND THE BOUNDS"
                Terminal.print(
                    String(
                        format: "%@maximum difference %.3g, mean %.3g: %@ (%.0e, %.0e)",
                        (results.count > 1 ? "\(name): " : "") as NSString, difference.maximum, difference.mean,
                        verdict as NSString, Difference.maximumBound, Difference.meanBound))
            }
            guard results.allSatisfy(\.difference.isWithinBounds) else { throw ExitStatus.checkFailed.exitCode }
        }
    }
}

extension ModelFile {
    /// The embedded model called `name`, else the file of that name.
    static func named(_ name: String) throws -> ModelFile {
        guard let embedded = EmbeddedModels.Name(rawValue: name) else { return try ModelFile(contentsOfFile: name) }
        return try EmbeddedModels.load(embedded).model
    }
}

/// What `model info` prints.
struct ModelDescription: Encodable, CustomStringConvertible {
    let name: String
    let task: String
    let ngf: Int
    let inputChannels: Int
    /// The label set, of a label network.
    let labels: String?
    /// What the generator starts from.
    let head: String
    /// The VAE encoder's base width, where there is one.
    let encoderWidth: Int?
    let nativeSize: String
    let norm: String
    let store: String
    /// How much of the lights that the source does not explain is added by default; nil where the model does not say.
    let detailResidual: Float?
    let parameters: Int
    let tensors: Int
    let bytes: Int
    let digest: String
    let provenance: String

    init(_ summary: ModelFile.Summary) {
        let configuration = summary.configuration
        name = configuration.name
        task = configuration.task.rawValue
        ngf = configuration.ngf
        inputChannels = configuration.inputChannels
        labels = configuration.labels?.name
        head =
            switch configuration.headInput(width: configuration.nativeWidth, height: configuration.nativeHeight) {
            case .noise: "noise"
            case .latent(let count): "latent vector of \(count)"
            case .labels: "labels"
            }
        encoderWidth = configuration.encoderWidth
        nativeSize = "\(configuration.nativeWidth)x\(configuration.nativeHeight)"
        norm = configuration.normalization.rawValue
        store = configuration.storage.rawValue
        detailResidual = configuration.detailResidual
        parameters = summary.parameterCount
        tensors = summary.tensorCount
        bytes = summary.fileSize
        digest = summary.digest
        provenance = configuration.provenance
    }

    /// The words come from a file that anybody may have made, as those of `StyleDescription` do.
    var description: String {
        let lines = [
            "name            \(Terminal.printable(name))", "task            \(task)", "base width      \(ngf)",
            "input channels  \(inputChannels)", labels.map { "label set       \($0)" }, "head            \(head)",
            encoderWidth.map { "VAE encoder     base width \($0)" }, "native size     \(nativeSize)",
            "normalization   \(norm)", "stored as       \(store)",
            detailResidual.map { "detail residual \($0)" }, "parameters      \(parameters) in \(tensors) tensors",
            "file size       \(bytes) bytes", "digest          \(digest)", "provenance      \(Terminal.printable(provenance))",
        ]
        return lines.compactMap { $0 }.joined(separator: "\n")
    }
}

extension LabelSet: ExpressibleByArgument {
    public init?(argument: String) { self.init(parsing: argument) }
}
extension ModelConfiguration.Task: ExpressibleByArgument {}
extension ModelConfiguration.Normalization: ExpressibleByArgument {}
extension ModelConfiguration.Storage: ExpressibleByArgument {}
