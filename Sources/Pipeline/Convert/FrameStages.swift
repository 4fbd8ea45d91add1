internal import Imaging
internal import MediaIO
internal import TSIT

/// Makes of a decoded frame what the network and the detail transfer need: its picture upright at the network's
/// size, and its RGB samples at full size.
struct PreprocessStage: Sendable {
    let scaler: PictureScaler
    /// More than 8 bits a sample.
    let isDeep: Bool
    let meter: StageMeter
    let input: Channel<DecodedFrame>
    let output: Channel<PreparedFrame>

    func run() throws {
        defer { output.finish() }
        while let decoded = meter.receive(input) {
            let prepared = try meter.work {
                PreparedFrame(
                    decoded: decoded, source: try FullSizePicture(of: decoded.frame, scaler: scaler, isDeep: isDeep),
                    content: .picture(try scaler.networkInput(of: decoded.frame)))
            }
            try meter.send(prepared, to: output)
        }
    }
}

/// Translates: the network, once for all outputs, each with the style that it has at the frame's time.
struct GenerateStage: Sendable {
    let generator: Generator
    /// As many as `outputs`, and as the generator renders; none for labels.
    let styles: [Timeline<StyleStatistics>]
    let alpha: Float
    let strength: Timeline<Float>
    let clock: SourceClock
    let pool = PicturePool()
    let meter: StageMeter
    let input: Channel<PreparedFrame>
    let outputs: [Channel<TranslatedFrame>]

    func run() throws {
        defer { for output in outputs { output.finish() } }
        while let prepared = meter.receive(input) {
            let frames = try meter.work { try translate(prepared) }
            for (frame, output) in zip(frames, outputs) { try meter.send(frame, to: output) }
        }
    }

    private func translate(_ prepared: PreparedFrame) throws -> [TranslatedFrame] {
        let seconds = clock.seconds(of: prepared.decoded.frame)
        let strength = strength.value(at: seconds)
        guard strength > 0 else { return outputs.map { _ in TranslatedFrame(prepared: prepared, translation: nil) } }
        let pictures = outputs.map { _ in PlanarImage<Float>(width: generator.width, height: generator.height, pool: pool) }
        try generator(
            prepared.content, styles: styles.map { $0.value(at: seconds) }, alpha: alpha, into: pictures)
        return pictures.map {
            TranslatedFrame(prepared: prepared, translation: .init(networkOutput: $0, strength: strength))
        }
    }
}

/// Carries the source's detail into the full-size result, blends it with the source, and makes it a frame of the
/// encoder's pixel format with the source's pts.
struct PostprocessStage: Sendable {
    let detail: DetailTransfer
    /// Whether each frame's maps are averaged with those of the frames before it.
    let stabilizes: Bool
    /// What the frame before the first one has left.
    let detailState: DetailState?
    let clock: SourceClock
    let scaler: PictureScaler
    let target: EncodedPicture
    let orientation: Orientation
    /// What of the network's picture shows the video: all of it, but at the video's own size without the padding.
    let shownSize: (width: Int, height: Int)
    let witness: (any FrameWitness)?
    let pool = PicturePool()
    let meter: StageMeter
    let input: Channel<TranslatedFrame>
    let output: Channel<FinishedFrame>

    func run() throws {
        defer { output.finish() }
        var state = detailState
        while let translated = meter.receive(input) {
            let finished = try meter.work { try finish(translated, after: stabilizes ? state : nil) }
            state = finished.detailState
            try meter.send(finished, to: output)
        }
    }

    private func finish(_ translated: TranslatedFrame, after previous: DetailState?) throws -> FinishedFrame {
        let prepared = translated.prepared, decoded = prepared.decoded
        guard let translation = translated.translation else {
            witness?.offer(index: decoded.index, before: prepared.source, after: prepared.source, orientation: orientation)
            return FinishedFrame(index: decoded.index, frame: try untranslated(prepared))
        }
        let (result, state) = fullSize(translation, of: prepared, after: previous)
        witness?.offer(index: decoded.index, before: prepared.source, after: result, orientation: orientation)
        let frame = try scaler.frame(from: result, like: decoded.frame, as: target)
        return FinishedFrame(index: decoded.index, frame: frame, detailState: stabilizes ? state : nil)
    }

    private func untranslated(_ prepared: PreparedFrame) throws -> Frame {
        let frame = prepared.decoded.frame
        switch prepared.content {
        // As in a run whose strength is 0 throughout: not even the way to RGB and back is taken.
        case .picture: return try scaler.converted(frame, to: target.pixelFormat, colour: target.colour)
        case .labels: return try scaler.frame(from: prepared.source, like: frame, as: target)
        }
    }

    private func fullSize(
        _ translation: TranslatedFrame.Translation, of prepared: PreparedFrame, after previous: DetailState?
    ) -> (FullSizePicture, DetailState?) {
        let networkOutput = coded(translation.networkOutput)
        // Labels have no detail to carry over: `detail` then interpolates, and looks at the output alone.
        let networkInput = if case .picture(let picture) = prepared.content { coded(picture) } else { networkOutput }
        let seconds = clock.seconds(of: prepared.decoded.frame)
        func transfer<Sample: SourceSample>(_ source: PlanarImage<Sample>) -> (PlanarImage<Sample>, DetailState?) {
            let target = PlanarImage<Sample>(width: source.width, height: source.height, pool: pool)
            let state = detail(
                source: source, networkInput: networkInput, networkOutput: networkOutput, strength: translation.strength,
                after: previous, at: seconds, into: target)
            return (target, state)
        }
        switch prepared.source {
        case .eight(let source):
            let (target, state) = transfer(source)
            return (.eight(target), state)
        case .sixteen(let source):
            let (target, state) = transfer(source)
            return (.sixteen(target), state)
        }
    }

    /// A picture of the network without its padding, turned as the video is coded.
    private func coded(_ picture: PlanarImage<Float>) -> PlanarImage<Float> {
        picture.cropped(width: shownSize.width, height: shownSize.height).turned(by: orientation.inverse)
    }
}

/// Stands where preprocessor, generator and postprocessor do when the strength is 0 throughout: the source itself is
/// encoded.
struct PassStage: Sendable {
    struct Target: Sendable {
        let picture: EncodedPicture
        let output: Channel<FinishedFrame>
    }

    let scaler: PictureScaler
    let targets: [Target]
    let isDeep: Bool
    let orientation: Orientation
    let witness: (any FrameWitness)?
    let meter: StageMeter
    let input: Channel<DecodedFrame>

    func run() throws {
        defer { for target in targets { target.output.finish() } }
        while let decoded = meter.receive(input) {
            let frames = try meter.work {
                if let witness, witness.wants(index: decoded.index) {
                    let picture = try FullSizePicture(of: decoded.frame, scaler: scaler, isDeep: isDeep)
                    witness.offer(index: decoded.index, before: picture, after: picture, orientation: orientation)
                }
                return try targets.map {
                    try scaler.converted(decoded.frame, to: $0.picture.pixelFormat, colour: $0.picture.colour)
                }
            }
            for (frame, target) in zip(frames, targets) {
                try meter.send(FinishedFrame(index: decoded.index, frame: frame), to: target.output)
            }
        }
    }
}
