/// Turns a PyTorch state dict of a TSIT generator, and that of its VAE encoder, into a model file.
///
/// Tensors pass through one at a time, so memory is bounded by the largest of them (38 MB at the published width), not
/// by the file.
public enum CheckpointImporter {
    public struct Options: Sendable {
        /// What the network is for. Default: SIS where there is no style stream, else AST; MMIS must be said, since its
        /// tensors are those of AST.
        public var task: ModelConfiguration.Task?
        /// Width and height that the model was trained for. Default: what the head's size implies, else the published
        /// 512x256 (ADE20K: 256x256).
        public var nativeSize: (width: Int, height: Int)?
        /// Default: the frame's own statistics for MMIS, else the running ones; photo to art needs `.frame`.
        public var normalization: ModelConfiguration.Normalization?
        /// What the content's channels mean; only for SIS. Default: what their number tells, see
        /// `LabelSet.init(channelCount:)`.
        public var labels: LabelSet?
        /// The checkpoint of the VAE encoder that belongs to the generator, `latest_net_E.pth`; only where the head starts
        /// from a latent vector.
        public var encoder: String?
        public var storage: ModelConfiguration.Storage
        /// See `ModelConfiguration.detailResidual`, 0...1.
        public var detailResidual: Float?
        /// Default: the file's name without its extension.
        public var name: String?
        /// Whether an existing file may be replaced.
        public var overwrite: Bool

        public init(
            task: ModelConfiguration.Task? = nil, nativeSize: (width: Int, height: Int)? = nil,
            normalization: ModelConfiguration.Normalization? = nil, labels: LabelSet? = nil, encoder: String? = nil,
            storage: ModelConfiguration.Storage = .float32, name: String? = nil, overwrite: Bool = false
        ) {
            self.task = task
            self.nativeSize = nativeSize
            self.normalization = normalization
            self.labels = labels
            self.encoder = encoder
            self.storage = storage
            self.name = name
            self.overwrite = overwrite
        }
    }

    public struct Report: Sendable {
        public var configuration: ModelConfiguration
        /// `zip` or `legacy`.
        public var serialization: String
        /// Tensors written, spectral norm folded.
        public var tensorCount: Int
        /// Numbers in them.
        public var parameterCount: Int
        /// Values beyond the range of half precision, stored as its greatest one.
        public var clippedCount: Int
        /// Values too small for half precision, stored as zero.
        public var flushedCount: Int
        /// sha256 over the weights as stored.
        public var digest: String
        /// sha256 of the generator's checkpoint file.
        public var sourceDigest: String
        /// Bytes of the model file.
        public var fileSize: Int
    }

    /// Imports the checkpoint at `source` into a model file at `target`, which appears complete or not at all.
    ///
    /// - Parameter progress: called with the number of tensors written and of all tensors.
    /// - Throws: `TSITError`: `.noSuchFile`, `.damagedFile`, `.unsafeCheckpoint`, `.unsupported` for a checkpoint that
    ///   cannot be read; `.missingTensor`, `.surplusTensor`, `.wrongShape` naming the tensors; `.badConfiguration`,
    ///   `.badSize` for options that do not go with it; `.unwritable`.
    @discardableResult
    public static func run(
        from source: String, to target: String, options: Options = Options(),
        progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws(TSITError) -> Report {
        guard options.overwrite || !fileExists(target) else {
            throw TSITError(
                .outputExists, "\(quoted(target)) exists already", remedy: "give another name, or --overwrite to replace it")
        }
        let checkpoint = try open(source, target: target)
        var encoder: CheckpointFile?
        if let path = options.encoder { encoder = try open(path, target: target) }
        var plan = try ImportPlan(checkpoint, encoder: encoder, options)
        var digests: [String] = []
        for part in plan.parts {
            try part.checkpoint.checkContents()
            digests.append(try ContentDigest.of(part.checkpoint.file))
        }
        plan.configuration.provenance = zip(plan.parts, digests).map { part, digest in
            "\(fileName(of: part.checkpoint.path)), sha256 \(digest)"
        }.joined(separator: "; ")
        let written = try write(plan, to: target, progress: progress)
        let tensors = plan.tensors
        return Report(
            configuration: plan.configuration, serialization: checkpoint.serialization.rawValue,
            tensorCount: tensors.count, parameterCount: tensors.reduce(0) { $0 + $1.tensor.shape.reduce(1, *) },
            clippedCount: written.clipped, flushedCount: written.flushed, digest: written.digest,
            sourceDigest: digests[0], fileSize: written.size)
    }

    private static func open(_ path: String, target: String) throws(TSITError) -> CheckpointFile {
        let checkpoint = try CheckpointFile(path: path)
        guard !checkpoint.file.isSame(as: target) else {
            throw TSITError(.unwritable, "\(quoted(target)) is the checkpoint itself", remedy: "give another name")
        }
        return checkpoint
    }

    /// Writes the model file, one tensor at a time.
    private static func write(
        _ plan: ImportPlan, to target: String, progress: (_ done: Int, _ total: Int) -> Void
    ) throws(TSITError) -> (digest: String, size: Int, clipped: Int, flushed: Int) {
        let type: SafetensorsType = plan.configuration.storage == .half ? .half : .float32
        let tensors = plan.tensors
        let writer = try SafetensorsWriter(
            path: target, tensors: tensors.map { ($0.tensor.key, type, $0.tensor.shape) },
            metadata: ModelMetadata.pairs(of: plan.configuration), digestKey: ModelMetadata.digestKey)
        var clipped = 0
        var flushed = 0
        for (index, (part, tensor)) in tensors.enumerated() {
            let values = try part.values(of: tensor)
            if type == .half {
                let rounded = HalfPrecision.rounded(values)
                clipped += rounded.clipped
                flushed += rounded.flushed
                try writer.append(tensor.key, rounded.halves)
            } else {
                try writer.append(tensor.key, values)
            }
            progress(index + 1, tensors.count)
        }
        let (digest, size) = try writer.commit()
        return (digest, size, clipped, flushed)
    }
}
