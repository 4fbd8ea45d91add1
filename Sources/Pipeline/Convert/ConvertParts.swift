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
    let window: TimeWindow?
    let limit: DamageLimit
    let damage = DamageLog()
    /// Frames that will come out, as far as the container tells.
    let frameCountEstimate: Int?

    /// What stands between decoder and encoder. Two scalers, since preprocessor and postprocessor run at once.
    struct TranslationParts: Sendable {
        let preprocessing: PictureScaler
        let generator: Generator
        let detail: DetailTransfer
        let postprocessing: PictureScaler
    }

    /// Opens the source, looks at its first frame, readies network, encoder and output, in the order in which a user
    /// wants to hear what is wrong: the input, the output, the options, the model. Blocks.
    init(_ request: ConvertRequest, translator: Translator, interrupt: Interrupt) throws {
        source = try SourceProbe.probe(
            path: request.input, interrupt: interrupt, sequenceRate: request.sequenceRate)
        try MediaOutput.checkTarget(request.output, source: source, overwrite: request.overwrite)
        let video = source.video
        demuxer = try Demuxer(path: request.input, interrupt: interrupt, sequenceRate: request.sequenceRate)
        decoder = try VideoDecoder(demuxer: demuxer, info: video, threads: 0)
        encoder = try VideoEncoder(settings: request.encoder, source: source, output: request.output)
        let window = TimeWindow(
            start: request.start, duration: request.duration, origin: source.startSeconds)
        self.window = window
        frameCountEstimate = window.map { $0.estimate(of: source) } ?? source.frameCountEstimate
        limit = DamageLimit(
            share: request.maxErrorShare, salvage: request.salvage, expectedFrames: frameCountEstimate)
        passing = try PictureScaler(source: video, target: encoder.pictureFormat)
        translation = request.strength == 0
            ? nil : try Self.translation(request, video: video, translator: translator, encoder: encoder)
        preview = request.preview.map { PreviewPicture(path: $0, wanted: (frameCountEstimate ?? 0) / 2) }
        output = try MediaOutput(
            path: request.output, source: demuxer, encoder: encoder, overwrite: request.overwrite,
            window: window.map { ($0.start, $0.end) }, interrupt: interrupt)
    }

    private static func translation(
        _ request: ConvertRequest, video: VideoInfo, translator: Translator, encoder: VideoEncoder
    ) throws -> TranslationParts {
        let swaps = video.orientation.swapsAxes
        let upright = swaps ? (width: video.height, height: video.width) : (width: video.width, height: video.height)
        let network = try translator.networkSize(request.networkSize, width: upright.width, height: upright.height)
        // At the video's own size the padding belongs to the generator; the picture itself stays as large as it is.
        let shown = request.networkSize == .video ? upright : network
        return TranslationParts(
            preprocessing: try PictureScaler(source: video, networkWidth: shown.width, networkHeight: shown.height),
            generator: try translator.generator(width: network.width, height: network.height),
            detail: DetailTransfer(
                width: video.width, height: video.height,
                networkWidth: swaps ? shown.height : shown.width, networkHeight: swaps ? shown.width : shown.height,
                mode: request.detail),
            postprocessing: try PictureScaler(source: video, target: encoder.pictureFormat))
    }
}
