internal import NeuralEngine

/// Reads the layers of one module of the state dict, a piece of a tensor at a time, and packs them.
struct LayerWeights {
    let source: any WeightSource
    /// The module's key, such as `content_stream.res_0`.
    let module: String
    /// The one whose kernels the layers are packed for.
    let instructionSet: InstructionSet
    /// What the layers' maps measure: decides how they are convolved.
    let size: (width: Int, height: Int)
    let workspace: Workspace
    /// Whose threads read and pack.
    let pool: ThreadPool
    var precision = Precision.float32

    private func fastest(_ kind: Convolution.Kind, _ inputs: Int, _ outputs: Int) -> Convolution.Algorithm {
        .fastest(
            kind, inputs: inputs, outputs: outputs, width: size.width, height: size.height, workspace: workspace,
            precision: precision)
    }

    func tensor(_ name: String, _ shape: [Int]) throws -> [Float] {
        try source.tensor("\(module).\(name)", shape: shape)
    }

    /// The tensor of a convolution's weights, read while it is packed.
    private func weights(_ name: String, _ shape: [Int]) -> Convolution.Tensor {
        let (source, key) = (source, "\(module).\(name).weight")
        return Convolution.Tensor(count: shape.reduce(1, *)) { try source.tensor(key, shape: shape, $0) }
    }

    /// A convolution that instance norm follows: its bias is left out, since the norm takes it away again.
    func normalized(
        _ kind: Convolution.Kind, _ name: String, _ inputs: Int, _ outputs: Int, taps: Int = 3
    ) throws -> Convolution {
        try Convolution(
            kind, name: "\(module).\(name)", inputs: inputs, outputs: outputs, taps: taps,
            weights: weights(name, [outputs, inputs, taps, taps]),
            algorithm: taps == 3 ? fastest(kind, inputs, outputs) : .direct(.float32), instructionSet: instructionSet, pool: pool)
    }

    /// The 1x1 convolution of a picture that instance norm follows.
    func colours(_ name: String, _ outputs: Int) throws -> ColourConvolution {
        try ColourConvolution(
            name: "\(module).\(name), on the fly, \(Precision.float32.rawValue)", outputs: outputs,
            weights: tensor("\(name).weight", [outputs, 3, 1, 1]))
    }

    /// A 3x3 convolution with bias.
    func plain(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Convolution {
        try Convolution(
            .plain, name: "\(module).\(name)", inputs: inputs, outputs: outputs, weights: weights(name, [outputs, inputs, 3, 3]),
            bias: tensor("\(name).bias", [outputs]), algorithm: fastest(.plain, inputs, outputs), instructionSet: instructionSet, pool: pool)
    }

    /// A 1x1 convolution without bias.
    func pointwise(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Convolution {
        try Convolution(
            .plain, name: "\(module).\(name)", inputs: inputs, outputs: outputs, taps: 1, weights: weights(name, [outputs, inputs, 1, 1]),
            algorithm: .direct(precision), instructionSet: instructionSet, pool: pool)
    }

    /// The gamma and beta convolutions of FADE norms that modulate by the same content, stacked where there are several.
    func fade(_ names: [String], _ channels: Int) throws -> Convolution {
        let isStacked = names.count > 1
        func stacked(_ part: String) -> Convolution.Tensor {
            let tensors = names.map { weights("\($0).\(part)", [channels, channels, 3, 3]) }
            return isStacked ? .stacked(tensors, outputs: channels) : tensors[0]
        }
        func bias(_ part: String) throws -> [Float] {
            let tensors = try names.map { Convolution.Tensor(try tensor("\($0).\(part).bias", [channels])) }
            return try (isStacked ? .stacked(tensors, outputs: channels) : tensors[0]).values
        }
        let gamma = stacked("mlp_gamma")
        let outputs = gamma.count / (channels * 9)
        return try Convolution(
            .fade, name: "\(module).\(names.joined(separator: "+"))", inputs: channels, outputs: outputs,
            weights: gamma, second: stacked("mlp_beta"), bias: bias("mlp_gamma"), secondBias: bias("mlp_beta"),
            algorithm: fastest(.fade, channels, outputs), instructionSet: instructionSet, pool: pool)
    }
}
