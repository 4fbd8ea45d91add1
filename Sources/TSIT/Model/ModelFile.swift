/// A model as solstice stores it: a safetensors file with the configuration in its metadata.
///
/// Opening it checks the header and that every tensor of the architecture is there in its shape; the weights themselves
/// are read when the network is built. All stored values are Float or half; `tensor` gives Float.
public final class ModelFile: WeightSource, Sendable {
    public let path: String
    public let configuration: ModelConfiguration
    /// sha256 over the weights in hexadecimal, from the metadata: what styles are tied to; `verifyDigest` recomputes
    /// it.
    public let digest: String
    private let file: SafetensorsFile

    /// Opens the model at `path`.
    ///
    /// - Throws: `TSITError` `.noSuchFile`, `.damagedFile` (not a model, truncated, inconsistent, metadata missing),
    ///   `.badConfiguration`, `.badSize`, `.missingTensor`, `.wrongShape`, `.surplusTensor`, `.unsupported`.
    public init(contentsOfFile path: String) throws(TSITError) {
        let file = try SafetensorsFile(contentsOfFile: path)
        let metadata = file.header.metadata
        var configuration = try ModelMetadata.configuration(from: metadata, path: path)
        try Self.checkTensors(file, &configuration)
        self.configuration = configuration
        let recorded = metadata[ModelMetadata.digestKey] ?? ""
        digest = isSHA256(recorded) ? recorded : try file.digest()
        self.path = path
        self.file = file
    }

    public func tensor(_ key: String, shape: [Int], _ range: Range<Int>) throws -> [Float] {
        guard let entry = file.header.entries[key], entry.type != .byte else {
            throw TSITError(.missingTensor, "\(quoted(path)) has no tensor \(quoted(key))")
        }
        guard entry.shape == shape else {
            throw TSITError(
                .wrongShape,
                "\(quoted(path)): \(quoted(key)) is \(shapeText(entry.shape)) instead of \(shapeText(shape))")
        }
        return try file.floats(of: entry, range)
    }

    /// The shape of the tensor named `key`, or nil where there is none: tells a latent head from a convolution.
    public func shape(of key: String) -> [Int]? { file.header.entries[key]?.shape }

    /// Reads all weights and compares their digest with the recorded one.
    ///
    /// - Throws: `TSITError` `.damagedFile` where they differ or reading fails.
    public func verifyDigest() throws(TSITError) {
        guard try file.digest() == digest else {
            throw TSITError(
                .damagedFile, "\(quoted(path)) is damaged: its weights are not those that its digest was taken of",
                remedy: "download it or import it again")
        }
    }

    /// What `solstice model info` prints.
    public var summary: Summary {
        let entries = file.header.entries
        return Summary(
            configuration: configuration, parameterCount: entries.values.reduce(0) { $0 + $1.count },
            tensorCount: entries.count, fileSize: file.size, digest: digest)
    }

    public struct Summary: Sendable, Equatable {
        public var configuration: ModelConfiguration
        /// Numbers in all tensors, running statistics included, spectral norm's vectors not.
        public var parameterCount: Int
        public var tensorCount: Int
        /// Bytes.
        public var fileSize: Int
        public var digest: String
    }

    /// Checks types, names and shapes, and takes from them what the metadata does not say: the head and the encoder.
    private static func checkTensors(
        _ file: SafetensorsFile, _ configuration: inout ModelConfiguration
    ) throws(TSITError) {
        let entries = file.header.entries
        let type: SafetensorsType = configuration.storage == .half ? .half : .float32
        if let odd = entries.filter({ $0.value.type != type }).keys.min() {
            throw TSITError(
                .damagedFile, "\(quoted(file.path)): \(quoted(odd)) is not stored as \(configuration.storage)",
                remedy: "import the checkpoint again")
        }
        let shapes = entries.mapValues(\.shape)
        let head = try StateDictLayout.head(
            of: shapes["fc.weight"], ngf: configuration.ngf, path: file.path)
        var expected = StateDictLayout(
            ngf: configuration.ngf, inputChannels: configuration.inputChannels,
            hasStyleStream: configuration.task != .sis, head: head
        ).tensors
        if case .latent(let length, let cells) = head {
            configuration.latentLength = length
            try checkHead(cells: cells, configuration, path: file.path)
            if let width = StateDictLayout.encoderWidth(shapes, prefix: VAEEncoder.module + ".") {
                configuration.encoderWidth = width
                expected += StateDictLayout.encoder(ngf: width, latentLength: length)
            }
        }
        let difference = StateDictDifference(expected: expected.map { ($0.key, $0.shape) }, found: shapes)
        if let error = difference.error(file.path, remedy: "import the checkpoint again") { throw error }
    }

    /// A linear head has as many cells as the native size.
    private static func checkHead(
        cells: Int, _ configuration: ModelConfiguration, path: String
    ) throws(TSITError) {
        let (width, height) = (configuration.nativeWidth, configuration.nativeHeight)
        guard width / 128 * (height / 128) == cells else {
            throw TSITError(
                .badConfiguration, "\(quoted(path)) has a head of \(cells) cells, but the native size \(width)x\(height)",
                remedy: "import the checkpoint again")
        }
    }
}

extension StateDictLayout {
    /// The head that an `fc.weight` of the given shape belongs to; a convolution where the tensor is missing, so that
    /// the comparison that follows names it.
    ///
    /// - Throws: `TSITError` `.wrongShape` where a linear layer does not have a multiple of 16 ngf rows.
    static func head(of shape: [Int]?, ngf: Int, path: String) throws(TSITError) -> Head {
        guard let shape, shape.count == 2 else { return .convolution }
        let cells = shape[0] / (16 * ngf)
        guard cells > 0, cells <= 1 << 14, shape[0] % (16 * ngf) == 0, (1...1 << 16).contains(shape[1]) else {
            throw TSITError(
                .wrongShape,
                "\(quoted(path)): fc.weight is \(shapeText(shape)), its rows are no multiple of \(16 * ngf)")
        }
        return .latent(length: shape[1], cells: cells)
    }
}

/// Whether `text` is a sha256 digest in lower-case hexadecimal.
func isSHA256(_ text: String) -> Bool {
    text.utf8.count == 64 && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
}
