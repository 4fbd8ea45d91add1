internal import ArgumentParser
internal import Foundation
internal import MediaIO
internal import Pipeline
internal import Relay

struct RelayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay",
        abstract: "Translate a live stream and pass it on in real time, for as long as it takes.",
        discussion: """
            SOURCE is an address that libavformat opens - rtsp, rtmp, http(s) with HLS, udp, srt - or a camera such as \
            /dev/video0, or with --realtime-file a video file. It may be down at the start and may vanish: the relay comes \
            back to it for ever, while its own readers stay connected.

            TARGETs are any number of rtsp addresses to publish to, rtmp, srt and udp addresses, playlists ending in .m3u8, and \
            files. With --listen the relay is an RTSP server itself, and readers connect to it.

            Passwords are better kept out of the command line: --source-password-file, --password-file and \
            --target-password-file, or the variables SOLSTICE_SOURCE_PASSWORD, SOLSTICE_RELAY_PASSWORD and \
            SOLSTICE_TARGET_PASSWORD.

            It ends with Ctrl-C or SIGTERM, in order, with exit code 0.
            """)

    @Argument(help: "The live source.") var source: String
    @Argument(help: "Where the result goes.") var targets: [String] = []
    @OptionGroup(title: "Source") var sourceOptions: RelaySourceOptions
    @OptionGroup(title: "Readers") var listening: RelayListenOptions
    @OptionGroup(title: "Targets") var targetOptions: RelayTargetOptions
    @OptionGroup(title: "Real time") var liveOptions: RelayLiveOptions
    @OptionGroup(title: "Translation") var translation: TranslationOptions
    @OptionGroup(title: "Encoding") var encoding: EncodingOptions
    @Option(help: "Take commands on this Unix socket; see 'solstice control'.", completion: .file()) var control: String?
    @Option(
        help: "Keep pictures of the frame that it is at in this folder, renewed every 2 s: before.jpg and after.jpg.", completion: .directory)
    var previewFolder: String?
    @Flag(help: .hidden) var untilInputEnds = false
    @Option(help: "How often to report, such as 10s.") var statusInterval = DurationArgument(seconds: 10)
    @Flag(help: "Say nothing but warnings and errors.") var quiet = false
    @Flag(help: "Report as JSON lines on standard output.") var json = false

    func validate() throws {
        guard statusInterval.seconds >= 0.1 else { throw ValidationError("--status-interval is 0.1 s at least.") }
    }

    func run() async throws {
        let reporter = RelayReporter(json: json, quiet: quiet)
        defer { reporter.finish() }
        if let warning = translation.warning { reporter.notice(warning) }
        if untilInputEnds { ParentWatch.start() }
        do {
            let job = RelayJob(try request())
            try await Signals.cancelling { try await job.run { reporter.show($0) } }
        } catch is Interruption {
            // Being told to stop is how a relay ends.
        } catch {
            reporter.failed(error)
            throw ExitStatus(error).exitCode
        }
    }

    /// Makes the folder where it is not there. Throws `MediaError` `.unwritable`.
    private static func folder(_ path: String) throws -> String {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            return path
        } catch {
            throw MediaError(.unwritable, "the folder \(path) cannot be made", remedy: "give another --preview-folder")
        }
    }

    func request() throws -> RelayRequest {
        var request = RelayRequest(source: try sourceOptions.address(source))
        try translation.apply(to: &request.translation)
        var conversion = ConvertRequest(input: "", output: "")
        encoding.apply(to: &conversion)
        request.encoding = LiveEncoding(
            settings: conversion.encoder, maxBitrate: liveOptions.maxBitrate?.bitsPerSecond,
            keyframeInterval: liveOptions.keyframeInterval.seconds)
        request.loops = sourceOptions.loop
        request.sourceTransport = sourceOptions.sourceTransport
        request.targets = try targetOptions.addresses(targets)
        request.segment = targetOptions.segment?.seconds
        request.keep = targetOptions.keep?.seconds
        request.listener = try listening.listener()
        request.format = try liveOptions.output?.format
        request.maxLatency = liveOptions.maxLatency.seconds
        request.adapts = liveOptions.adapt
        request.onLoss = liveOptions.onLoss
        request.control = control
        request.previewFolder = try previewFolder.map(Self.folder)
        request.statusInterval = statusInterval.seconds
        return request
    }
}

struct ControlCommandLine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "control", abstract: "Tell a running relay something over its control socket.",
        subcommands: [Style.self, Strength.self, Status.self])

    struct Style: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change the style without a gap.")
        @Argument(help: "The relay's control socket.", completion: .file()) var socket: String
        @Argument(help: "The style, as for 'solstice relay --style'; paths are the relay's.") var recipe: String
        @Option(help: "How long the change takes, such as 5s.") var fade = DurationArgument(seconds: 0)

        func run() async throws { try await tell(.style(recipe: recipe, fade: fade.seconds), socket) }
    }

    struct Strength: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change how much of the translation is shown.")
        @Argument(help: "The relay's control socket.", completion: .file()) var socket: String
        @Argument(help: "0 (the source) to 1.") var strength: Float
        @Option(help: "How long the change takes, such as 5s.") var fade = DurationArgument(seconds: 0)

        func run() async throws { try await tell(.strength(strength, fade: fade.seconds), socket) }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ask how the relay is doing; prints JSON.")
        @Argument(help: "The relay's control socket.", completion: .file()) var socket: String

        func run() async throws {
            let reply = try await ControlClient.send(.status, to: socket)
            if let status = reply.status { Terminal.print(JSONLine.encode(status)) }
        }
    }

    private static func tell(_ command: ControlCommand, _ socket: String) async throws {
        _ = try await ControlClient.send(command, to: socket)
    }
}
