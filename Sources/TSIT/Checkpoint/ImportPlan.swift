/// What the checkpoints are, found out from their keys and shapes and checked against the architecture before any weight
/// is read.
struct ImportPlan {
    var configuration: ModelConfiguration
    /// The generator, then the VAE encoder where there is one.
    let parts: [ImportPart]

    /// - Throws: `TSITError` `.missingTensor`, `.surplusTensor`, `.wrongShape` naming the tensors, `.badConfiguration`,
    ///   `.badSize` where the options, or the encoder, do not go with them.
    init(
        _ checkpoint: CheckpointFile, encoder: CheckpointFile?, _ options: CheckpointImporter.Options
    ) throws(TSITError) {
        let shapes = checkpoint.tensors.mapValues(\.shape)
        let ngf = try Self.ngf(shapes, checkpoint.path)
        let inputChannels = Self.size(shapes["content_stream.res_0.conv_0.weight_orig"], 1) ?? 3
        // Before the layout, whose products of sizes must fit: a tensor without elements may claim sides of any length.
        guard (1...ModelMetadata.mostChannels).contains(inputChannels) else {
            throw TSITError(.badConfiguration, "\(quoted(checkpoint.path)) has \(inputChannels) input channels")
        }
        let hasStyleStream = shapes.keys.contains { $0.hasPrefix("style_stream.") }
        let head = try StateDictLayout.head(of: shapes["fc.weight"], ngf: ngf, path: checkpoint.path)
        let layout = StateDictLayout(ngf: ngf, inputChannels: inputChannels, hasStyleStream: hasStyleStream, head: head)
        let generator = ImportPart(checkpoint: checkpoint, prefix: "", tensors: layout.tensors)
        try generator.check(network: "generator")

        let task = try Self.task(options.task, hasStyleStream: hasStyleStream, checkpoint.path)
        if let labels = options.labels, task != .sis {
            throw TSITError(
                .badConfiguration, "\(quoted(checkpoint.path)) takes photographs, the label set \(labels.name) has no use",
                remedy: "leave the label set out")
        }
        let size = try Self.nativeSize(options.nativeSize, head: head, inputChannels: inputChannels, checkpoint.path)
        configuration = ModelConfiguration(
            ngf: ngf, task: task, inputChannels: inputChannels, labels: options.labels, nativeWidth: size.width,
            nativeHeight: size.height, normalization: options.normalization ?? (task == .mmis ? .frame : .running),
            storage: options.storage, detailResidual: options.detailResidual, name: options.name ?? Self.stem(checkpoint.path))
        if case .latent(let length, _) = head { configuration.latentLength = length }
        try ModelMetadata.check(configuration, path: checkpoint.path)
        guard let encoder else {
            parts = [generator]
            return
        }
        let part = try Self.encoder(encoder, latentLength: configuration.latentLength, generator: checkpoint.path)
        configuration.encoderWidth = part.width
        parts = [generator, part.part]
    }

    /// All tensors of the model file in the order of their keys, each with the checkpoint that it comes from.
    var tensors: [(part: ImportPart, tensor: StateDictLayout.Tensor)] {
        parts.flatMap { part in part.tensors.map { (part, $0) } }.sorted { $0.tensor.key < $1.tensor.key }
    }

    /// The VAE encoder's tensors and its base width, which need not be the generator's.
    private static func encoder(
        _ checkpoint: CheckpointFile, latentLength: Int?, generator: String
    ) throws(TSITError) -> (part: ImportPart, width: Int) {
        let shapes = checkpoint.tensors.mapValues(\.shape)
        let kind = CheckpointKind(shapes.keys)
        guard kind == .encoder, let width = StateDictLayout.encoderWidth(shapes) else {
            throw TSITError(
                .missingTensor, "\(quoted(checkpoint.path)) is \(kind.insteadOf)not TSIT's VAE encoder",
                remedy: "give the encoder's checkpoint, usually called latest_net_E.pth")
        }
        guard let latentLength else {
            throw TSITError(
                .badConfiguration,
                "\(quoted(generator)) does not start from a latent vector, the VAE encoder \(quoted(checkpoint.path)) has no use",
                remedy: "import it without --vae")
        }
        if let found = shapes["fc_mu.weight"], found.count == 2, found[0] != latentLength {
            throw TSITError(
                .badConfiguration,
                "\(quoted(checkpoint.path)) gives latent vectors of \(found[0]) values, \(quoted(generator)) takes \(latentLength)",
                remedy: "give the encoder that was trained with this generator")
        }
        let part = ImportPart(
            checkpoint: checkpoint, prefix: VAEEncoder.module + ".",
            tensors: StateDictLayout.encoder(ngf: width, latentLength: latentLength))
        try part.check(network: "VAE encoder")
        return (part, width)
    }

    /// The base width: from the last convolution, or where that is missing from the first stream block.
    private static func ngf(_ shapes: [String: [Int]], _ path: String) throws(TSITError) -> Int {
        let found = size(shapes["conv_img.weight"], 1) ?? size(shapes["content_stream.res_0.conv_1.weight_orig"], 0)
        guard let found else {
            let kind = CheckpointKind(shapes.keys)
            throw TSITError(
                .missingTensor, "\(quoted(path)) is \(kind.insteadOf)not TSIT's generator",
                remedy: kind == .encoder
                    ? "import the generator's checkpoint, usually called latest_net_G.pth, and give this one with --vae"
                    : "give the generator's checkpoint, usually called latest_net_G.pth",
                cause: "its tensors are \(shapes.keys.sorted().prefix(5).map(quoted).joined(separator: ", "))…")
        }
        guard (1...ModelMetadata.greatestNgf).contains(found) else {
            throw TSITError(.badConfiguration, "\(quoted(path)) has a base width of \(found)")
        }
        return found
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
        // First of all: beyond its limits the number of cells may not be a number that fits.
        if let wanted { try ModelMetadata.checkNativeSize(width: wanted.width, height: wanted.height) }
        guard case .latent(_, let cells) = head else { return wanted ?? published }
        let usual: [(width: Int, height: Int)] = [published, (512, 256), (256, 256)]
        let candidates = wanted.map { [$0] } ?? usual
        if let size = candidates.first(where: { $0.width / 128 * ($0.height / 128) == cells }) { return size }
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
