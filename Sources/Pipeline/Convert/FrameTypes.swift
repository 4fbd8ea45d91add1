internal import Imaging
internal import MediaIO
internal import TSIT

/// A frame's full-size RGB picture, in the coded orientation: 8 bits a sample, or 16 where the source has more than 8.
enum FullSizePicture: Sendable {
    case eight(PlanarImage<UInt8>)
    case sixteen(PlanarImage<UInt16>)

    /// - Parameter isDeep: whether the source has more than 8 bits a sample.
    init(of frame: Frame, scaler: PictureScaler, isDeep: Bool) throws {
        self = isDeep ? .sixteen(try scaler.fullSize16(of: frame)) : .eight(try scaler.fullSize8(of: frame))
    }
}

/// What an encoder wants its frames to be.
struct EncodedPicture: Sendable {
    let pixelFormat: String
    let colour: ColourTags

    init(_ encoder: VideoEncoder) {
        pixelFormat = encoder.pixelFormatName
        colour = encoder.colour
    }
}

extension PictureScaler {
    /// `picture` as a frame that the encoder takes, with the properties and pts of `like`.
    func frame(from picture: FullSizePicture, like: Frame, as target: EncodedPicture) throws -> Frame {
        switch picture {
        case .eight(let picture):
            try frame(from: picture, like: like, format: target.pixelFormat, colour: target.colour)
        case .sixteen(let picture):
            try frame(from: picture, like: like, format: target.pixelFormat, colour: target.colour)
        }
    }
}

/// What the preprocessor hands to the generator.
struct PreparedFrame: Sendable {
    let decoded: DecodedFrame
    /// What the frame shows, in the coded orientation; labels show their colours.
    let source: FullSizePicture
    /// Upright, of the network's size.
    let content: NetworkContent
}

/// What the generator hands to the postprocessor of each output; `prepared` is shared by them, and none writes to it.
struct TranslatedFrame: Sendable {
    let prepared: PreparedFrame
    /// Nil where the strength is 0, and the source is shown.
    let translation: Translation?

    struct Translation: Sendable {
        /// Upright, of the network's size, -1...1.
        let networkOutput: PlanarImage<Float>
        /// How much of it is shown, above 0 and up to 1.
        let strength: Float
    }
}

/// What the postprocessor hands to the encoder.
struct FinishedFrame: Sendable {
    let index: Int
    let frame: Frame
    /// What the detail transfer has left for the next frame.
    var detailState: DetailState?
}
