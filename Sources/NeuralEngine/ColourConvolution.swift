internal import CKernels

/// A 1x1 convolution of a picture's three planes, without bias, that costs less than to store its result: what takes it
/// computes it on the fly.
public final class ColourConvolution: @unchecked Sendable {
    // Safe to share: nothing changes after init.
    /// What measurements call it.
    public let name: String
    public let outputs: Int
    /// `[3][outputs, padded to whole blocks]`.
    private let weights: Storage

    var blocks: Int { FeatureMap.padded(outputs) / FeatureMap.block }

    /// - Parameter weights: `[outputs][3]`.
    /// - Throws: `NeuralError` `.badShape` or `.outOfMemory`.
    public init(name: String, outputs: Int, weights values: [Float]) throws(NeuralError) {
        guard outputs > 0, values.count == outputs * 3 else {
            throw NeuralError(.badShape, "\(values.count) weights for a convolution of 3 planes to \(outputs) channels")
        }
        self.name = name
        self.outputs = outputs
        let padded = FeatureMap.padded(outputs)
        weights = try Storage(3, padded)
        for (index, value) in values.enumerated() { weights.base[index % 3 * padded + index / 3] = value }
    }

    func colours(of picture: PlanarMap) -> ck_colours {
        precondition(picture.channels == 3)
        return ck_colours(planes: picture.map, weights: UnsafePointer(weights.base), channels: FeatureMap.padded(outputs))
    }
}
