internal import ArgumentParser
internal import Foundation
internal import Imaging
internal import MediaIO
internal import Pipeline

struct ConvertCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Convert a video, a picture, a numbered picture sequence, or a folder of them.",
        discussion: """
            The output has the source's size, frame count, timestamps and every other stream, so that labels made for \
            the source still fit. It appears under its name only when it is whole and verified.

            INPUT may be a video, a picture, a numbered sequence such as frames/%05d.png, or a folder, which is \
            converted with everything below it into the folder OUTPUT, leaving out what is already done.

            --also RECIPE=OUTPUT writes a further output in another style; the source is decoded once, and most of the \
            network runs once. All outputs of a run appear together, or none. With a folder, each OUTPUT is a folder.

            With a model of semantic image synthesis the source is a label video or picture: class ids in 8 or 16 bits, \
            or the data set's colours, losslessly coded; --style is then a reference picture for a model with a VAE encoder.
            """)

    @Argument(help: "The source.", completion: .file()) var input: String
    @Argument(help: "The result; its extension names the container.", completion: .file()) var output: String
    @OptionGroup(title: "Translation") var translation: TranslationOptions
    @OptionGroup(title: "Further outputs") var further: AlsoOptions
    @OptionGroup(title: "Labels") var labels: LabelArguments
    @OptionGroup(title: "Encoding") var encoding: EncodingOptions
    @OptionGroup(title: "Damaged sources") var damage: DamageOptions

    @Option(help: "Start here: seconds, or [h:]m:s.") var start: TimeArgument?
    @Option(help: "Convert this much: seconds, or [h:]m:s.") var duration: TimeArgument?
    @Option(help: "Frames per second of a numbered picture sequence (default: 25).") var sequenceRate: Double?
    @Flag(help: "Replace an output that is there already.") var overwrite = false
    @Option(help: "Write a picture of one frame, before | after, of the first output.", completion: .file(extensions: ["png"])) var preview: String?
    @Flag(help: "Say nothing but warnings and errors.") var quiet = false
    @Flag(help: "Report as JSON lines on standard output.") var json = false

    func validate() throws {
        guard (0.01...1000).contains(sequenceRate ?? 25) else {
            throw ValidationError("--sequence-rate is in frames per second, 0.01 to 1000.")
        }
        for also in further.also where also.output.isEmpty {
            throw ValidationError("--also \(also.recipe)= names no output: give --also RECIPE=OUTPUT.")
        }
        if let duration, duration.seconds <= 0 { throw ValidationError("--duration must be longer than nothing.") }
        if let preview, !preview.lowercased().hasSuffix(".png") {
            throw ValidationError("--preview writes PNG: name a file that ends in .png.")
        }
    }

    func run() async throws {
        let reporter = Reporter(json: json, quiet: quiet)
        if let warning = translation.warning { reporter.notice(warning, file: input) }
        let request: ConvertRequest
        do { request = try self.request() } catch where ExitStatus.isOwn(error) {
            reporter.failed(error, file: input)
            throw ExitStatus(error).exitCode
        }
        if MediaFolder.isFolder(input) {
            try await FolderConversion(request: request, reporter: reporter).run()
            return
        }
        do {
            try await Signals.cancelling {
                let translator = try await Translator.load(for: request)
                let report = try await ConvertJob(request, translator: translator).run { reporter.show($0, of: request.input) }
                reporter.done(report, input: request.input)
            }
        } catch let interruption as Interruption {
            reporter.finish()
            throw interruption
        } catch {
            reporter.failed(error, file: input)
            throw ExitStatus(error).exitCode
        }
    }

    private func request() throws -> ConvertRequest {
        var request = ConvertRequest(input: input, output: output)
        try translation.apply(to: &request)
        try further.apply(to: &request)
        labels.apply(to: &request)
        encoding.apply(to: &request)
        damage.apply(to: &request)
        request.start = start?.seconds
        request.duration = duration?.seconds
        request.sequenceRate = sequenceRate.map { Rational(Int32(nearest: $0 * 1001), 1001).reduced }
        request.overwrite = overwrite
        request.preview = preview
        return request
    }
}
