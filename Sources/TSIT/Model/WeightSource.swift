/// Where a network takes its weights from: a piece of a tensor at a time, so that packing them never holds two copies of a model.
public protocol WeightSource: Sendable {
    var configuration: ModelConfiguration { get }

    /// The tensor of the state dict named `key`, spectral norm folded, in PyTorch's layout (convolutions: out, in, y, x).
    ///
    /// Keys are those of the published state dicts with `weight_orig`, `weight_u` and `weight_v` replaced by `weight`:
    /// `content_stream.res_0.conv_0.weight`, `up_0.norm_s.mlp_gamma.bias`,
    /// `up_0.norm_0.param_free_norm.running_mean`; there is no `num_batches_tracked`.
    ///
    /// - Parameters:
    ///   - shape: what the network expects.
    ///   - range: which of the tensor's values, counted in the order of the layout, are read; within the product of `shape`.
    /// - Throws: `TSITError` `.missingTensor` or `.wrongShape`, naming the key.
    func tensor(_ key: String, shape: [Int], _ range: Range<Int>) throws -> [Float]
}

extension WeightSource {
    /// All values of the tensor named `key`.
    func tensor(_ key: String, shape: [Int]) throws -> [Float] {
        try tensor(key, shape: shape, 0..<shape.reduce(1, *))
    }
}
