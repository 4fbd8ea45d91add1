internal import ArgumentParser
internal import Foundation
internal import NeuralEngine
internal import TSIT

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
        @Option(help: "The size it was trained at, WxH in multiples of 128 (default: 512x256).") var nativeSize: NetworkSizeArgument?
        @Option(help: "Where batch norm takes its statistics from: running, or the frame's own.") var norm: ModelConfiguration.Normalization = .running
        @Option(help: "How weights are stored: float32, or half for half the size.") var store: ModelConfiguration.Storage = .float32
        @Flag(help: "Replace a model file that is there already.") var overwrite = false

        func run() throws {
            var options = CheckpointImporter.Options()
            options.task = task
            options.normalization = norm
            options.storage = store
            options.overwrite = overwrite
            if let nativeSize {
                guard case .fixed(let width, let height) = nativeSize.size else {
                    throw ValidationError("--native-size is WxH, such as 512x256.")
                }
                options.nativeSize = (width, height)
            }
            let report = try CheckpointImporter.run(from: checkpoint, to: model, options: options)
            for notice in report.notices { Terminal.note("solstice: \(notice)") }
            Terminal.print(try ModelFile(contentsOfFile: model).summary.description)
        }
    }

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "info", abstract: "Describe a model file.")

        @Argument(help: "The model file, or 'night' or 'winter' for an embedded one.") var model: String
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            let summary = try ModelFile(contentsOfFile: EmbeddedModels.path(ofModel: model)).summary
            Terminal.print(json ? JSONLine.encode(summary) : summary.description)
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Run a model on a golden's inputs and compare the output element by element.",
            discussion: """
                The golden directory holds content.npy, style.npy, z.npy and output.npy (float32, NCHW), as a reference \
                implementation wrote them. Exits 1 beyond a maximum difference of 1e-3 or a mean difference of 1e-5.
                """)

        @Argument(help: "The model file, or 'night' or 'winter' for an embedded one.") var model: String
        @Option(help: "The golden directory.", completion: .directory) var golden: String
        @Option(help: "FAdaIN's alpha that the golden was made with.") var alpha: Float = 1
        @Option(help: "Threads of the network (default: every core).") var threads: Int?

        func run() throws {
            let file = try ModelFile(contentsOfFile: EmbeddedModels.path(ofModel: model))
            let pool = ThreadPool(threads: threads ?? ThreadPool.coreCount)
            let difference = try GoldenCheck(directory: golden, alpha: alpha).run(weights: file, pool: pool)
            let verdict = difference.isWithinBounds ? "within the bounds" : "BEYOND THE BOUNDS"
            Terminal.print(
                String(
                    format: "maximum difference %.3g, mean %.3g: %@ (%.0e, %.0e)", difference.maximum, difference.mean,
                    verdict as NSString, Difference.maximumBound, Difference.meanBound))
            if !difference.isWithinBounds { throw ExitStatus.checkFailed.exitCode }
        }
    }
}

extension ModelConfiguration.Task: ExpressibleByArgument {}
extension ModelConfiguration.Normalization: ExpressibleByArgument {}
extension ModelConfiguration.Storage: ExpressibleByArgument {}
