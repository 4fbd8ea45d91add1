public import Imaging

/// What a network translates: a photograph, or for semantic image synthesis a picture of classes; of the network's size.
public enum NetworkContent: Sendable {
    /// Values in [-1, 1].
    case picture(PlanarImage<Float>)
    /// Instances matter only to a label set that has edges; without them it sees none.
    case labels(LabelImage)
}
