/// Where a network takes its weights from: one tensor at a time, so that packing them never holds two copies of a model.
public protocol WeightSource: Sendable {
    var configuration: ModelConfiguration { get }

    /// The tensor of the state dict named `key`, spectral norm folded, in PyTorch's layout (convolutions: out, in, y, x).
    ///
    /// Keys are those of the published state dicts with `weight_orig`, `weight_u` and `weight_v` replaced by `weight`:
    /// `content_stream.res_0.conv_0.weight`, `up_0.norm_s.mlp_gamma.bias`,
    /// `up_0.norm_0.param_free_norm.running_mean`; there is no `num_batches_tracked`.
    ///
    /// - Parameter shape: what the network expects; the result has the product of it as its count.
    /// - Throws: `TSITError` `.missingTensor` or `.wrongShape`, naming the key.
    func tensor(_ key: String, shape: [Int]) throws -> [Float]
}
