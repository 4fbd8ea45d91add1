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
                    networkInput: try scaler.networkInput(of: decoded.frame))
            }
            try meter.send(prepared, to: output)
        }
    }
}

/// Translates: the network, and nothing else.
struct GenerateStage: Sendable {
    let generator: Generator
    let style: StyleStatistics
    let alpha: Float
    let meter: StageMeter
    let input: Channel<PreparedFrame>
    let output: Channel<TranslatedFrame>

    func run() throws {
        defer { output.finish() }
        while let prepared = meter.receive(input) {
            let translated = try meter.work {
                let picture = PlanarImage<Float>(width: generator.width, height: generator.height)
                try generator(prepared.networkInput, styles: [style], alpha: alpha, into: [picture])
                return TranslatedFrame(prepared: prepared, networkOutput: picture)
            }
            try meter.send(translated, to: output)
        }
    }
}

/// Carries the source's detail into the full-size result, blends it with the source, and makes it a frame of the
/// encoder's pixel format with the source's pts.
struct PostprocessStage: Sendable {
    let detail: DetailTransfer
    let scaler: PictureScaler
    let target: EncodedPicture
    let orientation: Orientation
    /// What of the network's picture shows the video: all of it, but at the video's own size without the padding.
    let shownSize: (width: Int, height: Int)
    let strength: Float
    let preview: PreviewPicture?
    let meter: StageMeter
    let input: Channel<TranslatedFrame>
    let output: Channel<FinishedFrame>

    func run() throws {
        defer { output.finish() }
        while let translated = meter.receive(input) {
            let finished = try meter.work { try finish(translated) }
            try meter.send(finished, to: output)
        }
    }

    private func finish(_ translated: TranslatedFrame) throws -> FinishedFrame {
        let prepared = translated.prepared
        let networkInput = coded(prepared.networkInput), networkOutput = coded(translated.networkOutput)
        let result: FullSizePicture
        switch prepared.source {
        case .eight(let source):
            let target = PlanarImage<UInt8>(width: source.width, height: source.height)
            detail(source: source, networkInput: networkInput, networkOutput: networkOutput, strength: strength, into: target)
            result = .eight(target)
        case .sixteen(let source):
            let target = PlanarImage<UInt16>(width: source.width, height: source.height)
            detail(source: source, networkInput: networkInput, networkOutput: networkOutput, strength: strength, into: target)
            result = .sixteen(target)
        }
        preview?.offer(index: prepared.decoded.index, before: prepared.source, after: result, orientation: orientation)
        return FinishedFrame(
            index: prepared.decoded.index, frame: try scaler.frame(from: result, like: prepared.decoded.frame, as: target))
    }

    /// A picture of the network without its padding, turned as the video is coded.
    private func coded(_ picture: PlanarImage<Float>) -> PlanarImage<Float> {
        picture.cropped(width: shownSize.width, height: shownSize.height).turned(by: orientation.inverse)
    }
}

/// Stands where preprocessor, generator and postprocessor do when the strength is 0: the source itself is encoded.
struct PassStage: Sendable {
    let scaler: PictureScaler
    let target: EncodedPicture
    let isDeep: Bool
    let orientation: Orientation
    let preview: PreviewPicture?
    let meter: StageMeter
    let input: Channel<DecodedFrame>
    let output: Channel<FinishedFrame>

    func run() throws {
        defer { output.finish() }
        while let decoded = meter.receive(input) {
            let frame = try meter.work {
                if let preview, preview.wants(index: decoded.index) {
                    let picture = try FullSizePicture(of: decoded.frame, scaler: scaler, isDeep: isDeep)
                    preview.offer(index: decoded.index, before: picture, after: picture, orientation: orientation)
                }
                return try scaler.converted(decoded.frame, to: target.pixelFormat, colour: target.colour)
            }
            try meter.send(FinishedFrame(index: decoded.index, frame: frame), to: output)
        }
    }
}
