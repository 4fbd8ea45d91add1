internal import Foundation
internal import Imaging
internal import MediaIO
internal import TSIT

/// Everything that one conversion needs, opened and checked before the first frame runs.
struct ConvertParts: Sendable {
    let source: SourceInfo
    let demuxer: Demuxer
    let decoder: VideoDecoder
    /// Only where the model translates labels.
    let labels: LabelParts?
    /// What the outputs' video is: the source's, or for labels the pictures made of them.
    let shown: VideoInfo
    /// Nil where the strength is 0 throughout: the source is passed on.
    let translation: TranslationParts?
    /// Fits a frame to the encoders' pixel formats without a translation.
    let passing: PictureScaler
    /// What each output has of its own, in the order of the outputs that are written.
    let branches: [OutputBranch]
    /// Where the branches' packets go; none where they are kept in a journal first.
    let outputs: [MediaOutput]
    let preview: PreviewPicture?
    /// Who sees frames of the first branch.
    let witness: (any FrameWitness)?
    let window: VideoWindow?
    let limit: DamageLimit
    let damage: DamageLog
    /// Frames that will come out, as far as the container tells.
    let frameCountEstimate: Int?

    /// Seconds that the last frame is shown, at the nominal rate; 0 where that is unknown.
    var lastFrameDuration: Double { source.video.frameRate?.inverse.value ?? 0 }

    /// What stands between decoder and branches.
    struct TranslationParts: Sendable {
        let preprocessing: PictureScaler
        let generator: Generator
        /// One for each branch; none where the model translates labels.
        let styles: [Timeline<StyleStatistics>]
        let alpha: Float
        let strength: Timeline<Float>
        let size: NetworkSize
        /// What of the network's upright picture shows the video.
        let shownSize: (width: Int, height: Int)
        /// What is translated has no detail of its own to carry over.
        let showsLabels: Bool
        let detailResidual: Float
    }

    /// Opens the source, looks at its first frame, readies network, encoders and outputs, in the order in which a user
    /// wants to hear what is wrong: the input, the outputs, the options, the model. Blocks.
    ///
    /// - Parameter chosen: which of the request's outputs are to be written, by their place, at least one.
    init(_ request: ConvertRequest, chosen: [Int], translator: Translator, interrupt: Interrupt) throws {
        let source = try Self.probe(request, interrupt: interrupt)
        self.source = source
        let video = source.video
        let rate = request.sequenceRate ?? ConvertRequest.usualRate
        let targets = try Self.targets(request, chosen: chosen, source: source)
        demuxer = try Demuxer(path: request.input, interrupt: interrupt, sequenceRate: rate)
        let window = try VideoWindow(start: request.start, duration: request.duration, of: source)
        self.window = window
        let startSeconds = window?.window.start ?? 0
        let set = translator.model.configuration.labels
        labels = try Self.labels(
            request.labels, model: translator.model, source: source, startSeconds: startSeconds, interrupt: interrupt)
        let shown = Self.shown(source, by: translator)
        self.shown = shown
        decoder = try withThreadName("decoder") { [demuxer] in
            try VideoDecoder(
                demuxer: demuxer, info: video, threads: 0, startSeconds: startSeconds, keepsSamples: set != nil)
        }
        let encoders = try withThreadName("encoder") {
            try targets.map { try VideoEncoder(settings: request.encoder, source: shown, container: $0.container) }
        }
        let frames = source.frameCountEstimate.map { window?.share(of: $0, duration: source.duration ?? 0) ?? $0 }
        frameCountEstimate = frames
        limit = DamageLimit(
            share: request.maxErrorShare, salvage: request.salvage, expectedFrames: frames)
        passing = try PictureScaler(source: video, network: .native)
        // Labels are shown in colours at least, so that there is always something to do.
        let translation = request.showsSourceOnly && set == nil
            ? nil : try TranslationParts(request, chosen: chosen, video: shown, translator: translator)
        self.translation = translation
        damage = DamageLog()
        preview = try Self.preview(request, source: source, wanted: (frames ?? 0) / 2)
        witness = preview
        outputs = try zip(targets, encoders).map { [demuxer] target, encoder in
            try MediaOutput(
                path: target.path, source: demuxer, encoder: encoder, overwrite: request.overwrite,
                kept: request.readFiles, window: window?.window, interrupt: interrupt)
        }
        branches = try encoders.map {
            let finishing = try translation.map { try OutputBranch.Finishing(request, $0, video: shown) }
            return OutputBranch(encoder: $0, finishing: finishing)
        }
    }

    /// What makes packets of a source that is open already, from where `start` stands; they go to no output yet.
    ///
    /// - Parameters:
    ///   - encoder: opened for `shown(_:by:)`; says what frames it takes.
    ///   - detailState: what the detail transfer of the frame before has left, see `DetailState.bytes`; empty for none.
    init(
        rendering request: ConvertRequest, from start: SourceStart, encoder: VideoEncoder, translator: Translator,
        detailState: [UInt8], witness: (any FrameWitness)?, interrupt: Interrupt
    ) throws {
        source = start.source
        demuxer = start.demuxer
        decoder = start.decoder
        damage = start.damage
        window = nil
        outputs = []
        preview = nil
        self.witness = witness
        let set = translator.model.configuration.labels
        labels = try Self.labels(request.labels, model: translator.model, source: source, startSeconds: 0, interrupt: interrupt)
        let shown = Self.shown(source, by: translator)
        self.shown = shown
        frameCountEstimate = source.frameCountEstimate
        limit = DamageLimit(share: request.maxErrorShare, salvage: request.salvage, expectedFrames: source.frameCountEstimate)
        passing = try PictureScaler(source: source.video, network: .native)
        let translation = request.showsSourceOnly && set == nil
            ? nil : try TranslationParts(request, chosen: [0], video: shown, translator: translator)
        self.translation = translation
        let finishing = try translation.map { try OutputBranch.Finishing(request, $0, video: shown, detailState: detailState) }
        branches = [OutputBranch(encoder: encoder, finishing: finishing)]
    }

    /// What the outputs' video is.
    static func shown(_ source: SourceInfo, by translator: Translator) -> VideoInfo {
        translator.model.configuration.labels == nil
            ? source.video : source.video.pictured(isPicture: source.isStillPicture || source.isPictureSequence)
    }

    private static func probe(_ request: ConvertRequest, interrupt: Interrupt) throws -> SourceInfo {
        let source = try SourceProbe.probe(
            path: request.input, interrupt: interrupt, sequenceRate: request.sequenceRate ?? ConvertRequest.usualRate)
        guard request.sequenceRate == nil || source.isPictureSequence else {
            throw MediaError(
                .unsupportedOption, "\(request.input) is no numbered picture sequence, so it has a rate of its own",
                remedy: "leave --sequence-rate out")
        }
        return source
    }

    /// Nil for a model that translates pictures, which has no use for what is said of labels.
    private static func labels(
        _ options: LabelOptions, model: ModelFile, source: SourceInfo, startSeconds: Double, interrupt: Interrupt
    ) throws -> LabelParts? {
        if let set = model.configuration.labels {
            return try LabelParts(options, set: set, source: source, startSeconds: startSeconds, interrupt: interrupt)
        }
        guard options == LabelOptions() else {
            throw MediaError(
                .unsupportedOption, "the model \(model.configuration.name) translates pictures, not labels",
                remedy: "leave --instances, --reduce-zero-label and --force out, or give a model of semantic image synthesis")
        }
        return nil
    }

    /// Looks at every output before one is begun.
    private static func targets(
        _ request: ConvertRequest, chosen: [Int], source: SourceInfo
    ) throws -> [(path: String, container: ContainerFormat)] {
        let targets = try chosen.map { place in
            let path = request.outputs[place]
            return (path, try ContainerFormat(outputPath: path, isPicture: source.isStillPicture))
        }
        try OutputPlace.checkDistinct(request.outputs + (request.preview.map { [$0] } ?? []))
        for (path, container) in targets {
            try MediaOutput.check(
                path: path, source: source, container: container, overwrite: request.overwrite, kept: request.readFiles)
        }
        return targets
    }

    private static func preview(_ request: ConvertRequest, source: SourceInfo, wanted: Int) throws -> PreviewPicture? {
        guard let path = request.preview else { return nil }
        let file = try PictureFile(path: path, source: source, kept: request.readFiles, overwrite: request.overwrite)
        return PreviewPicture(file: file, wanted: wanted)
    }
}

extension ConvertParts.TranslationParts {
    init(_ request: ConvertRequest, chosen: [Int], video: VideoInfo, translator: Translator) throws {
        size = request.networkSize ?? translator.nativeSize
        preprocessing = try PictureScaler(source: video, network: size)
        let network = preprocessing.networkSize
        shownSize = size == .native ? preprocessing.uprightSize : network
        generator = try translator.generator(width: network.width, height: network.height, renditions: chosen.count)
        styles = translator.styles.isEmpty ? [] : chosen.map { translator.styles[$0] }
        alpha = translator.alpha
        strength = request.strength
        showsLabels = translator.model.configuration.labels != nil
        detailResidual = translator.detailResidual(request)
    }
}

/// What one output has of its own, since outputs are made side by side.
struct OutputBranch: Sendable {
    let encoder: VideoEncoder
    /// Nil where the source is passed on.
    let finishing: Finishing?

    /// What makes the network's picture a full-size frame. A scaler of its own, since preprocessor and postprocessor run
    /// at once.
    struct Finishing: Sendable {
        let detail: DetailTransfer
        let stabilizes: Bool
        /// What the frame before the first one has left.
        let detailState: DetailState?
        let scaler: PictureScaler

        init(
            _ request: ConvertRequest, _ translation: ConvertParts.TranslationParts, video: VideoInfo, detailState: [UInt8] = []
        ) throws {
            let swaps = video.orientation.swapsAxes
            let shown = translation.shownSize
            detail = DetailTransfer(
                width: video.width, height: video.height, networkWidth: swaps ? shown.height : shown.width,
                networkHeight: swaps ? shown.width : shown.height, mode: translation.showsLabels ? .none : request.detail,
                residual: translation.detailResidual)
            stabilizes = request.stabilizes
            self.detailState = detail.state(from: detailState)
            scaler = try PictureScaler(source: video, network: translation.size)
        }
    }
}

extension VideoInfo {
    /// More than 8 bits a sample.
    var isDeep: Bool { bitDepth > 8 }
}
