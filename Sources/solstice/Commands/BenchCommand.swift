internal import ArgumentParser
internal import Foundation
internal import NeuralEngine
internal import Pipeline
internal import TSIT

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure where the time goes.", subcommands: [Pipeline.self, Network.self])
}

extension BenchCommand {
    struct Pipeline: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pipeline",
            abstract: "Convert a video into a temporary file and report time and utilisation of each stage.")

        @Argument(help: "The source.", completion: .file()) var input: String
        @OptionGroup(title: "Translation") var translation: TranslationOptions
        @OptionGroup(title: "Further outputs") var further: AlsoOptions
        @OptionGroup(title: "Encoding") var encoding: EncodingOptions
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard further.also.allSatisfy(\.output.isEmpty) else {
                throw ValidationError("bench pipeline writes into a temporary folder: give --also RECIPE= without an output.")
            }
        }

        func run() async throws {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("solstice-bench-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            // Matroska takes any video codec that an encoder may be chosen for.
            var request = ConvertRequest(input: input, output: folder.appendingPathComponent("result.mkv").path)
            try translation.apply(to: &request)
            try further.apply(to: &request)
            for place in request.also.indices {
                request.also[place].output = folder.appendingPathComponent("result-\(place + 2).mkv").path
            }
            encoding.apply(to: &request)
            let (report, cpu) = try await Signals.cancelling { [request] in
                let translator = try await Translator.load(for: request)
                let before = Self.processCPU
                return (try await ConvertJob(request, translator: translator).run(), Self.processCPU - before)
            }
            let figures = PipelineFigures(report, cpu: cpu)
            Terminal.print(json ? JSONLine.encode(figures) : figures.description)
        }

        /// CPU seconds of all threads, ended ones too.
        private static var processCPU: Double {
            var time = timespec()
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
        }
    }
}

extension BenchCommand {
    struct Network: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "network", abstract: "Time the network alone, with random weights and the styles set.")

        @Option(help: "Base width; the published checkpoints have 64.") var ngf = 8
        @Option(help: "Width and height, WxH in multiples of 128.") var size = NetworkSizeArgument.native512
        @Option(help: "Threads of the network (default: every core).") var threads: Int?
        @Option(help: "Timed frames.") var runs = 11
        @Option(help: "Styles that each frame is translated to; with several, one style is timed in turns.") var styles = 1
        @Option(help: "float32, or mixed: the last blocks multiply in bfloat16 where the CPU has it.") var precision = NetworkPrecision.preferred
        @Flag(help: "Time every pass of the network, and tell how it is computed.") var layers = false
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...256).contains(ngf) else { throw ValidationError("--ngf is a number from 1 to 256.") }
            guard (1...10_000).contains(runs) else { throw ValidationError("--runs is a number from 1 to 10000.") }
            guard (1...64).contains(styles) else { throw ValidationError("--styles is a number from 1 to 64.") }
            if let threads, !(1...256).contains(threads) { throw ValidationError("--threads is a number from 1 to 256.") }
        }

        func run() throws {
            guard case .fixed(let width, let height) = size.size else {
                throw ValidationError("--size is WxH, such as 512x256.")
            }
            let threads = threads ?? ThreadPool.coreCount
            if layers {
                let benchmark = try LayerBenchmark(
                    ngf: ngf, width: width, height: height, runs: runs, renditions: styles, precision: precision, threads: threads)
                let figures = benchmark.layers.map(LayerFigures.init)
                Terminal.print(json ? JSONLine.encode(figures) : figures.map(\.description).joined(separator: "\n"))
                return
            }
            let pool = ThreadPool(threads: threads)
            let figures = NetworkFigures(
                try NetworkBenchmark(
                    ngf: ngf, width: width, height: height, runs: runs, renditions: styles, precision: precision, pool: pool))
            Terminal.print(json ? JSONLine.encode(figures) : figures.description)
        }
    }
}

/// What `bench network` prints; times in milliseconds per frame.
struct NetworkFigures: Encodable, CustomStringConvertible {
    let medianMs: Double
    let minMs: Double
    let maxMs: Double
    let gmacPerS: Double
    let styles: Int
    /// What one style takes, and what each further one adds; nil where there is only one.
    let singleMs: Double?
    let marginalMs: Double?

    init(_ benchmark: NetworkBenchmark) {
        styles = benchmark.renditions
        singleMs = benchmark.single
        marginalMs = benchmark.marginal
        medianMs = benchmark.median
        minMs = benchmark.minimum
        maxMs = benchmark.maximum
        gmacPerS = benchmark.rate
    }

    var description: String {
        let figures = String(format: "%.2f ms a frame (%.2f to %.2f), %.1f GMAC/s", medianMs, minMs, maxMs, gmacPerS)
        guard let singleMs, let marginalMs else { return figures }
        return String(
            format: "\(styles) styles: \(figures)\n1 style:  %.2f ms a frame; a further one costs %.2f ms, %.0f %% of it",
            singleMs, marginalMs, marginalMs / singleMs * 100)
    }
}

/// A pass of the network, as `bench network --layers` prints it.
struct LayerFigures: Encodable, CustomStringConvertible {
    let name: String
    let medianMs: Double

    init(_ layer: LayerBenchmark.Layer) {
        name = layer.name
        medianMs = layer.milliseconds
    }

    var description: String { String(format: "%8.3f ms  ", medianMs) + name }
}

/// What `bench pipeline` prints.
struct PipelineFigures: Encodable, CustomStringConvertible {
    struct Stage: Encodable {
        let name: String
        let count: Int
        let busyMsPerFrame: Double
        /// Of the stage's own thread; a pool's and a library's threads are in the whole's figure alone.
        let cpuMsPerFrame: Double
        let starvedMsPerFrame: Double
        let blockedMsPerFrame: Double
        /// The share of the whole run that the stage worked, 0...1.
        let utilisation: Double
    }

    let frames: Int
    let elapsed: Double
    let fps: Double
    let speed: Double
    /// CPU time of the whole process, starting and ending included.
    let cpuMsPerFrame: Double
    let stages: [Stage]

    init(_ report: ConvertReport, cpu: Double) {
        frames = report.frames
        elapsed = report.elapsed
        fps = report.elapsed > 0 ? Double(report.frames) / report.elapsed : 0
        speed = report.elapsed > 0 ? report.duration / report.elapsed : 0
        let perFrame = 1000 / Double(max(1, report.frames))
        cpuMsPerFrame = cpu * perFrame
        stages = report.stages.map {
            Stage(
                name: $0.name, count: $0.count, busyMsPerFrame: $0.busy * perFrame, cpuMsPerFrame: $0.cpu * perFrame,
                starvedMsPerFrame: $0.starved * perFrame, blockedMsPerFrame: $0.blocked * perFrame,
                utilisation: report.elapsed > 0 ? $0.busy / report.elapsed : 0)
        }
    }

    var description: String {
        func cell(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
        func row(_ name: String, _ cells: [String]) -> String {
            name.padding(toLength: 16, withPad: " ", startingAt: 0) + cells.map { cell($0, 12) }.joined()
        }
        var lines = [row("stage", ["work", "own CPU", "starved", "blocked", "utilisation"])]
        for stage in stages {
            let times = [stage.busyMsPerFrame, stage.cpuMsPerFrame, stage.starvedMsPerFrame, stage.blockedMsPerFrame]
            lines.append(
                row(stage.name, times.map { String(format: "%.2f ms", $0) } + [String(format: "%.0f %%", stage.utilisation * 100)]))
        }
        lines.append(String(format: "%d frames in %.2f s: %.1f fps, %.2f times real time", frames, elapsed, fps, speed))
        lines.append(String(format: "%.1f ms of CPU time a frame, %.2f cores", cpuMsPerFrame, elapsed > 0 ? cpuMsPerFrame * Double(frames) / 1000 / elapsed : 0))
        return lines.joined(separator: "\n")
    }
}
