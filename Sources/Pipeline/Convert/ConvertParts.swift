internal import Foundation
internal import Imaging
internal import MediaIO
internal import TSIT

/// Everything that one conversion needs, opened and checked before the first frame runs.
struct ConvertParts: Sendable {
    let source: SourceInfo
    let demuxer: Demuxer
    let decoder: VideoDecoder
    /// Nil where the strength is 0: the source is passed on.
    let translation: TranslationParts?
    /// Fits a frame to the encoder's pixel format without a translation.
    let passing: PictureScaler
    let encoder: VideoEncoder
    let output: MediaOutput
    let preview: PreviewPicture?
    let window: VideoWindow?
    let limit: DamageLimit
    let damage = DamageLog()
    /// Frames that will come out, as far as the container tells.
    let frameCountEstimate: Int?

    /// Seconds that the last frame is shown, at the nominal rate; 0 where that is unknown.
    var lastFrameDuration: Double { source.video.frameRate?.inverse.value ?? 0 }

    /// What stands between decoder and encoder. Two scalers, since preprocessor and postprocessor run at once.
    struct TranslationParts: Sendable {
        let preprocessing: PictureScaler
        let generator: Generator
        let style: StyleStatistics
        let alpha: Float
        let detail: DetailTransfer
        let postprocessing: PictureScaler
        /// What of the network's upright picture shows the video.
        let shownSize: (width: Int, height: Int)
    }

    /// Opens the source, looks at its first frame, readies network, encoder and output, in the order in which a user
    /// wants to hear what is wrong: the input, the output, the options, the model. Blocks.
    init(_ request: ConvertRequest, translator: Translator, interrupt: Interrupt) throws {
        let source = try SourceProbe.probe(
            path: request.input, interrupt: interrupt, sequenceRate: request.sequenceRate ?? ConvertRequest.usualRate)
        self.source = source
        guard request.sequenceRate == nil || source.isPictureSequence else {
            throw MediaError(
                .unsupportedOption, "\(request.input) is no numbered picture sequence, so it has a rate of its own",
                remedy: "leave --sequence-rate out")
        }
        let video = source.video
        let container = try ContainerFormat(outputPath: request.output, isPicture: source.isStillPicture)
        demuxer = try Demuxer(path: request.input, interrupt: interrupt, sequenceRate: request.sequenceRate ?? ConvertRequest.usualRate)
        let window = try VideoWindow(start: request.start, duration: request.duration, of: source)
        self.window = window
        decoder = try VideoDecoder(demuxer: demuxer, info: video, threads: 0, startSeconds: window?.window.start ?? 0)
        encoder = try VideoEncoder(settings: request.encoder, source: video, container: container)
        let total = source.frameCountEstimate
        let frames = total.map { window?.share(of: $0, duration: source.duration ?? 0) ?? $0 }
        frameCountEstimate = frames
        limit = DamageLimit(
            share: request.maxErrorShare, salvage: request.salvage, expectedFrames: frames)
        passing = try PictureScaler(source: video, network: .native)
        translation = request.strength == 0
            ? nil : try Self.translation(request, video: video, translator: translator)
        preview = try Self.preview(request, source: source, wanted: (frames ?? 0) / 2)
        output = try MediaOutput(
            path: request.output, source: demuxer, encoder: encoder, overwrite: request.overwrite,
            window: window?.window, interrupt: interrupt)
    }

    private static func preview(_ request: ConvertRequest, source: SourceInfo, wanted: Int) throws -> PreviewPicture? {
        guard let path = request.preview else { return nil }
        func resolved(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }
        guard resolved(path) != resolved(request.output) else {
            throw MediaError(.outputExists, "\(path) is the output itself", remedy: "give the preview another name")
        }
        var kept = request.stylePicture.map { [$0] } ?? []
        if case .file(let model) = request.model { kept.append(model) }
        let file = try PictureFile(path: path, source: source, kept: kept, overwrite: request.overwrite)
        return PreviewPicture(file: file, wanted: wanted)
    }

    private static func translation(
        _ request: ConvertRequest, video: VideoInfo, translator: Translator
    ) throws -> TranslationParts {
        let size = request.networkSize ?? translator.nativeSize
        let preprocessing = try PictureScaler(source: video, network: size)
        let network = preprocessing.networkSize
        let shown = size == .native ? preprocessing.uprightSize : network
        let swaps = video.orientation.swapsAxes
        return TranslationParts(
            preprocessing: preprocessing,
            generator: try translator.generator(width: network.width, height: network.height), style: translator.style,
            alpha: translator.alpha,
            detail: DetailTransfer(
                width: video.width, height: video.height,
                networkWidth: swaps ? shown.height : shown.width, networkHeight: swaps ? shown.width : shown.height,
                mode: request.detail),
            postprocessing: try PictureScaler(source: video, network: size), shownSize: shown)
    }
}

extension VideoInfo {
    /// More than 8 bits a sample.
    var isDeep: Bool { bitDepth > 8 }
}
