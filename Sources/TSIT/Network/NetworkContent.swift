public import Imaging

/// What a network translates: a photograph, or for semantic image synthesis a picture of classes.
public enum NetworkContent: Sendable {
    /// Values in [-1, 1].
    case picture(PlanarImage<Float>)
    case labels(LabelImage)
}
