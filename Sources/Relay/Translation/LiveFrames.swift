internal import Imaging
internal import MediaIO

/// A frame of the source, fitted into the relay's format and stamped with its timeline.
struct ArrivedFrame: Sendable {
    let frame: Frame
    /// When its packet came, in seconds of the relay's clock.
    let arrival: Double
}

/// What the translating thread hands to the finishing one.
struct LiveTranslation: Sendable {
    let arrived: ArrivedFrame
    /// Nil where the source itself is shown.
    let translation: Translation?

    struct Translation: Sendable {
        let source: PlanarImage<UInt8>
        let networkInput: PlanarImage<Float>
        let networkOutput: PlanarImage<Float>
        let strength: Float
        let parts: NetworkParts
    }
}
