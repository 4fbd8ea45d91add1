/// The tensors that a TSIT generator of a given configuration consists of: the names and shapes of the published
/// checkpoints.
struct StateDictLayout: Sendable {
    /// What the generator's head starts from, which decides the shape of `fc`.
    enum Head: Sendable, Equatable {
        /// A map of `inputChannels` channels through a 3x3 convolution: noise, or the label map.
        case convolution
        /// A latent vector of `length` through a linear layer, viewed as `cells` pixels of 16 ngf channels.
        case latent(length: Int, cells: Int)
    }

    struct Tensor: Sendable, Equatable {
        /// The key with spectral norm folded: `….weight`, never `….weight_orig`.
        var key: String
        var shape: [Int]
        /// True for convolutions that the checkpoint holds as `weight_orig`, `weight_u` and `weight_v`.
        var isSpectral = false

        /// What the checkpoint holds in the place of this tensor: keys and shapes.
        var stored: [(key: String, shape: [Int])] {
            guard isSpectral else { return [(key, shape)] }
            return [
                (key + "_orig", shape), (key + "_u", [shape[0]]), (key + "_v", [shape.dropFirst().reduce(1, *)]),
            ]
        }
    }

    /// All tensors, in the order of their keys.
    let tensors: [Tensor]

    init(ngf: Int, inputChannels: Int, hasStyleStream: Bool, head: Head) {
        let stream = Self.stream(inputChannels: inputChannels, ngf: ngf)
        var all = stream.map { Self.prefixed($0, "content_stream") }
        if hasStyleStream { all += stream.map { Self.prefixed($0, "style_stream") } }
        let wide = 16 * ngf
        for (name, input, output) in [
            ("head_0", 16, 16), ("G_middle_0", 16, 16), ("G_middle_1", 16, 16), ("up_0", 16, 8), ("up_1", 8, 4),
            ("up_2", 4, 2), ("up_3", 2, 1),
        ] {
            all += Self.fadeBlock(input * ngf, output * ngf).map { Self.prefixed($0, name) }
        }
        switch head {
        case .convolution: all += Self.convolution("fc", inputChannels, wide, 3)
        case .latent(let length, let cells):
            all += [
                Tensor(key: "fc.weight", shape: [wide * cells, length]), Tensor(key: "fc.bias", shape: [wide * cells]),
            ]
        }
        all += Self.convolution("conv_img", ngf, 3, 3)
        tensors = all.sorted { $0.key < $1.key }
    }

    /// The tensors of a VAE encoder (`latest_net_E.pth`), under the prefix that they have in a model file.
    static func encoder(ngf: Int, latentLength: Int) -> [Tensor] {
        let widths = [3] + VAEEncoder.multiples.map { $0 * ngf }
        let convolutions = VAEEncoder.multiples.indices.map { index in
            Tensor(
                key: "layer\(index + 1).0.weight", shape: [widths[index + 1], widths[index], 3, 3], isSpectral: true)
        }
        let linear = ["fc_mu", "fc_var"].flatMap { name in
            [
                Tensor(key: "\(name).weight", shape: [latentLength, VAEEncoder.flattened * ngf]),
                Tensor(key: "\(name).bias", shape: [latentLength]),
            ]
        }
        return (convolutions + linear).map { prefixed($0, VAEEncoder.module) }.sorted { $0.key < $1.key }
    }

    /// The base width of the encoder among tensors of the given shapes, or nil where there is none.
    static func encoderWidth(_ shapes: [String: [Int]], prefix: String = "") -> Int? {
        guard shapes.keys.contains(where: { $0.hasPrefix(prefix + "layer") || $0.hasPrefix(prefix + "fc_") }) else {
            return nil
        }
        // Without its first layer the comparison that follows names what is missing, whatever the width.
        let first = shapes[prefix + "layer1.0.weight"] ?? shapes[prefix + "layer1.0.weight_orig"] ?? []
        guard first.count == 4, (1...ModelMetadata.greatestNgf).contains(first[0]) else { return 64 }
        return first[0]
    }

    private static func stream(inputChannels: Int, ngf: Int) -> [Tensor] {
        let widths = [inputChannels] + [1, 2, 4, 8, 16, 16, 16, 16].map { $0 * ngf }
        return (0..<8).flatMap { index in
            residualConvolutions(widths[index], widths[index + 1]).map { prefixed($0, "res_\(index)") }
        }
    }

    private static func fadeBlock(_ input: Int, _ output: Int) -> [Tensor] {
        let norms = input == output ? ["norm_0", "norm_1"] : ["norm_0", "norm_1", "norm_s"]
        return residualConvolutions(input, output)
            + norms.flatMap { norm in
                [
                    Tensor(key: "\(norm).param_free_norm.running_mean", shape: [input]),
                    Tensor(key: "\(norm).param_free_norm.running_var", shape: [input]),
                ] + convolution("\(norm).mlp_gamma", input, input, 3) + convolution("\(norm).mlp_beta", input, input, 3)
            }
    }

    /// conv_0, conv_1 and, where the widths differ, the learned skip conv_s without a bias.
    private static func residualConvolutions(_ input: Int, _ output: Int) -> [Tensor] {
        var result =
            convolution("conv_0", input, input, 3, isSpectral: true)
            + convolution("conv_1", input, output, 3, isSpectral: true)
        if input != output {
            result.append(Tensor(key: "conv_s.weight", shape: [output, input, 1, 1], isSpectral: true))
        }
        return result
    }

    private static func convolution(
        _ name: String, _ input: Int, _ output: Int, _ size: Int, isSpectral: Bool = false
    ) -> [Tensor] {
        [
            Tensor(key: "\(name).weight", shape: [output, input, size, size], isSpectral: isSpectral),
            Tensor(key: "\(name).bias", shape: [output]),
        ]
    }

    private static func prefixed(_ tensor: Tensor, _ prefix: String) -> Tensor {
        Tensor(key: "\(prefix).\(tensor.key)", shape: tensor.shape, isSpectral: tensor.isSpectral)
    }
}

/// How the tensors that there are differ from those that there should be.
struct StateDictDifference: Sendable, Equatable {
    var missing: [String] = []
    var surplus: [String] = []
    /// Clauses such as `conv_img.weight is 3x4x3x3 instead of 3x2x3x3`.
    var wrong: [String] = []

    init(expected: [(key: String, shape: [Int])], found: [String: [Int]]) {
        var known: Set<String> = []
        for (key, shape) in expected {
            known.insert(key)
            guard let actual = found[key] else {
                missing.append(key)
                continue
            }
            if actual != shape { wrong.append("\(key) is \(shapeText(actual)) instead of \(shapeText(shape))") }
        }
        surplus = found.keys.filter { !known.contains($0) }.sorted()
    }

    /// The error that names what differs, at most ten of each kind; nil where nothing does.
    func error(_ path: String, network: String = "generator", remedy: String) -> TSITError? {
        var parts: [String] = []
        if !missing.isEmpty { parts.append("\(missing.count) missing: \(Self.list(missing))") }
        if !surplus.isEmpty { parts.append("\(surplus.count) surplus: \(Self.list(surplus))") }
        if !wrong.isEmpty { parts.append("\(wrong.count) of the wrong shape: \(Self.list(wrong))") }
        guard !parts.isEmpty else { return nil }
        let code: TSITError.Code = !missing.isEmpty ? .missingTensor : (!wrong.isEmpty ? .wrongShape : .surplusTensor)
        return TSITError(
            code, "\(quoted(path)) does not hold the tensors of a TSIT \(network): \(parts.joined(separator: "; "))",
            remedy: remedy)
    }

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(10).map { quoted($0).dropFirst().dropLast() }.joined(separator: ", ")
        return names.count > 10 ? "\(shown), and \(names.count - 10) more" : shown
    }
}
