/// One checkpoint of an import: the tensors that it must hold, and what they are called in the model file.
struct ImportPart {
    let checkpoint: CheckpointFile
    /// What the model file's keys have before the checkpoint's own.
    let prefix: String
    /// Under the model file's keys.
    let tensors: [StateDictLayout.Tensor]

    /// - Throws: `TSITError` `.missingTensor`, `.surplusTensor`, `.wrongShape` naming the tensors.
    func check(network: String) throws(TSITError) {
        let counters = ".num_batches_tracked"
        let shapes = checkpoint.tensors.mapValues(\.shape)
        let difference = StateDictDifference(
            expected: tensors.flatMap(\.stored).map { (ownKey($0.key), $0.shape) },
            found: shapes.filter {
                !($0.key.hasSuffix(counters) && shapes[$0.key.dropLast(counters.count) + ".running_var"] != nil)
            })
        let remedy = "give an unchanged checkpoint of the \(network)"
        if let error = difference.error(checkpoint.path, network: network, remedy: remedy) { throw error }
    }

    private func ownKey(_ key: String) -> String { String(key.dropFirst(prefix.count)) }

    /// The values of a tensor of the layout: spectral norm folded, all of them finite.
    ///
    /// - Throws: `TSITError` `.damagedFile` naming the tensor where a value is not finite, a variance negative or a
    ///   spectral norm not positive.
    func values(of tensor: StateDictLayout.Tensor) throws(TSITError) -> [Float] {
        let own = ownKey(tensor.key)
        func read(_ key: String) throws(TSITError) -> [Float] {
            guard let stored = checkpoint.tensors[key] else {
                throw TSITError(.missingTensor, "\(quoted(checkpoint.path)) has no tensor \(quoted(key))")
            }
            return try checkpoint.floats(key, stored)
        }
        func broken(_ what: String) -> TSITError {
            TSITError(
                .damagedFile, "\(quoted(checkpoint.path)): \(quoted(own)) \(what)",
                remedy: "use a checkpoint of an earlier training step, or download it again")
        }
        let values: [Float]
        if tensor.isSpectral {
            let weight = try read(own + "_orig")
            guard let folded = SpectralNorm.folded(weight, u: try read(own + "_u"), v: try read(own + "_v")) else {
                throw broken("has a spectral norm that is zero, negative or not a number")
            }
            values = folded
        } else {
            values = try read(own)
        }
        guard allFinite(values) else { throw broken("holds values that are infinite or not numbers") }
        if own.hasSuffix(".running_var"), values.contains(where: { $0 < 0 }) { throw broken("holds a negative variance") }
        return values
    }
}

/// Which of TSIT's networks a state dict is, from the names of its tensors.
enum CheckpointKind: Equatable {
    case generator
    case encoder
    case discriminator
    case unknown

    init(_ keys: some Sequence<String>) {
        func some(_ prefixes: [String]) -> Bool { keys.contains { key in prefixes.contains { key.hasPrefix($0) } } }
        if some(["content_stream.", "conv_img."]) {
            self = .generator
        } else if some(["layer1.0.", "fc_mu.", "fc_var."]) {
            self = .encoder
        } else if some(["discriminator_", "model0.", "model1."]) {
            self = .discriminator
        } else {
            self = .unknown
        }
    }

    /// What a file of this kind is, to be followed by 'not' and what it should be; empty where nobody knows.
    var insteadOf: String {
        switch self {
        case .generator: "TSIT's generator, "
        case .encoder: "TSIT's VAE encoder, "
        case .discriminator: "one of TSIT's discriminators, "
        case .unknown: ""
        }
    }
}
