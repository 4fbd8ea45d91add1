/// What a checkpoint is, found out from its keys and shapes and checked against the architecture before any weight is
/// read.
struct ImportPlan {
    var configuration: ModelConfiguration
    let layout: StateDictLayout

    /// - Throws: `TSITError` `.missingTensor`, `.surplusTensor`, `.wrongShape` naming the tensors, `.badConfiguration`,
    ///   `.badSize` where the options do not go with them.
    init(_ checkpoint: CheckpointFile, _ options: CheckpointImporter.Options) throws(TSITError) {
        let shapes = checkpoint.tensors.mapValues(\.shape)
        let ngf = try Self.ngf(shapes, checkpoint.path)
        let inputChannels = Self.size(shapes["content_stream.res_0.conv_0.weight_orig"], 1) ?? 3
        let hasStyleStream = shapes.keys.contains { $0.hasPrefix("style_stream.") }
        let head = try StateDictLayout.head(of: shapes["fc.weight"], ngf: ngf, path: checkpoint.path)
        layout = StateDictLayout(ngf: ngf, inputChannels: inputChannels, hasStyleStream: hasStyleStream, head: head)
        try Self.compare(shapes, layout, checkpoint.path)

        let task = try Self.task(options.task, hasStyleStream: hasStyleStream, checkpoint.path)
        let size = try Self.nativeSize(options.nativeSize, head: head, inputChannels: inputChannels, checkpoint.path)
        configuration = ModelConfiguration(
            ngf: ngf, task: task, inputChannels: inputChannels, nativeWidth: size.width, nativeHeight: size.height,
            normalization: options.normalization ?? (task == .mmis ? .frame : .running), storage: options.storage,
            name: options.name ?? Self.stem(checkpoint.path))
        try ModelMetadata.check(configuration, path: checkpoint.path)
    }

    /// The values of a tensor of the layout: spectral norm folded, all of them finite.
    ///
    /// - Throws: `TSITError` `.damagedFile` naming the tensor where a value is not finite, a variance negative or a
    ///   spectral norm not positive.
    func values(of tensor: StateDictLayout.Tensor, _ checkpoint: CheckpointFile) throws(TSITError) -> [Float] {
        func read(_ key: String) throws(TSITError) -> [Float] {
            guard let stored = checkpoint.tensors[key] else {
                throw TSITError(.missingTensor, "\(quoted(checkpoint.path)) has no tensor \(quoted(key))")
            }
            return try checkpoint.floats(key, stored)
        }
        func broken(_ what: String) -> TSITError {
            TSITError(
                .damagedFile, "\(quoted(checkpoint.path)): \(quoted(tensor.key)) \(what)",
                remedy: "use a checkpoint of an earlier training step, or download it again")
        }
        let values: [Float]
        if tensor.isSpectral {
            let weight = try read(tensor.key + "_orig")
            guard
                let folded = SpectralNorm.folded(weight, u: try read(tensor.key + "_u"), v: try read(tensor.key + "_v"))
            else { throw broken("has a spectral norm that is zero, negative or not a number") }
            values = folded
        } else {
            values = try read(tensor.key)
        }
        guard allFinite(values) else { throw broken("holds values that are infinite or not numbers") }
        if tensor.key.hasSuffix(".running_var"), values.contains(where: { $0 < 0 }) {
            throw broken("holds a negative variance")
        }
        return values
    }

    /// The base width: from the last convolution, or where that is missing from the first stream block.
    private static func ngf(_ shapes: [String: [Int]], _ path: String) throws(TSITError) -> Int {
        let found = size(shapes["conv_img.weight"], 1) ?? size(shapes["content_stream.res_0.conv_1.weight_orig"], 0)
        guard let found else {
            throw TSITError(
                .missingTensor, "\(quoted(path)) is not a TSIT generator: it has neither conv_img nor a content stream",
                remedy: "give the generator's checkpoint, usually called latest_net_G.pth",
                cause: "its tensors are \(shapes.keys.sorted().prefix(5).map(quoted).joined(separator: ", "))…")
        }
        guard (1...ModelMetadata.greatestNgf).contains(found) else {
            throw TSITError(.badConfiguration, "\(quoted(path)) has a base width of \(found)")
        }
        return found
    }

    private static func compare(
        _ shapes: [String: [Int]], _ layout: StateDictLayout, _ path: String
    ) throws(TSITError) {
        let counters = ".num_batches_tracked"
        let difference = StateDictDifference(
            expected: layout.tensors.flatMap(\.stored),
            found: shapes.filter {
                !($0.key.hasSuffix(counters) && shapes[$0.key.dropLast(counters.count) + ".running_var"] != nil)
            })
        if let error = difference.error(path, remedy: "give an unchanged checkpoint of the generator") { throw error }
    }

    private static func task(
        _ wanted: ModelConfiguration.Task?, hasStyleStream: Bool, _ path: String
    ) throws(TSITError) -> ModelConfiguration.Task {
        guard let wanted else { return hasStyleStream ? .ast : .sis }
        guard (wanted != .sis) == hasStyleStream else {
            throw TSITError(
                .badConfiguration,
                "\(quoted(path)) has \(hasStyleStream ? "a" : "no") style stream, which the task \(wanted) "
                    + (hasStyleStream ? "has not" : "needs"),
                remedy: "use the task \(hasStyleStream ? "ast or mmis" : "sis")")
        }
        return wanted
    }

    /// The native size; a linear head fixes the number of 128x128 cells.
    private static func nativeSize(
        _ wanted: (width: Int, height: Int)?, head: StateDictLayout.Head, inputChannels: Int, _ path: String
    ) throws(TSITError) -> (width: Int, height: Int) {
        let published = inputChannels == 151 ? (width: 256, height: 256) : (width: 512, height: 256)
        guard case .latent(_, let cells) = head else {
            let size = wanted ?? published
            try ModelMetadata.checkNativeSize(width: size.width, height: size.height)
            return size
        }
        let usual: [(width: Int, height: Int)] = [published, (512, 256), (256, 256)]
        let candidates = wanted.map { [$0] } ?? usual
        for size in candidates where size.width / 128 * (size.height / 128) == cells {
            try ModelMetadata.checkNativeSize(width: size.width, height: size.height)
            return size
        }
        throw TSITError(
            .badSize, "the head of \(quoted(path)) is made for \(cells) cells of 128x128 pixels",
            remedy: "give the native size that the model was trained at")
    }

    private static func size(_ shape: [Int]?, _ axis: Int) -> Int? {
        guard let shape, shape.count == 4 else { return nil }
        return shape[axis]
    }

    private static func stem(_ path: String) -> String {
        let name = fileName(of: path)
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
        return String(name[..<dot])
    }
}

/// Whether no value is infinite or NaN; without a branch per value, since a model has hundreds of millions.
func allFinite(_ values: [Float]) -> Bool {
    var worst: UInt32 = 0
    for value in values { worst = max(worst, value.bitPattern & 0x7fff_ffff) }
    return worst < 0x7f80_0000
}
