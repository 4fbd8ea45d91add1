/// What a model is, apart from its weights: enough to build the network and to say where it came from.
public struct ModelConfiguration: Sendable, Equatable {
    /// The translation tasks of the paper (section 4.1).
    public enum Task: String, Sendable, CaseIterable {
        /// Arbitrary style transfer: a photograph as content, one picture as style.
        case ast
        /// Multi-modal image synthesis: the same network, trained with several kinds of style.
        case mmis
        /// Semantic image synthesis: one-hot labels as content, no style stream.
        case sis
    }

    /// Where batch norm takes its mean and variance from at inference.
    public enum Normalization: String, Sendable, CaseIterable {
        /// The running statistics of training (day to night, summer to winter, SIS).
        case running
        /// The frame's own mean and biased variance (MMIS, photo to art).
        case frame
    }

    /// How weights are stored in the file; the network computes in float32 either way.
    public enum Storage: String, Sendable, CaseIterable {
        case float32
        case half
    }

    /// Base width: the number of channels of the first feature map and of the last block's output.
    public var ngf: Int
    public var task: Task
    /// Channels of the content: 3 for photographs, the label channels (+ edges) for SIS.
    public var inputChannels: Int
    /// What the channels of the content mean; nil unless the task is SIS.
    public var labels: LabelSet?
    /// Length of the latent vector that the head starts from; nil where it starts from noise, or for SIS from the labels.
    public var latentLength: Int?
    /// Base width of the VAE encoder that comes with the model; nil where none does.
    public var encoderWidth: Int?
    /// The size that the model was trained for, in pixels; multiples of 128.
    public var nativeWidth: Int
    public var nativeHeight: Int
    public var normalization: Normalization
    public var storage: Storage
    /// How much of the lights that the source does not explain the detail transfer adds, 0...1; nil where the model does not say.
    public var detailResidual: Float?
    /// Where the weights came from, in words.
    public var provenance: String
    public var name: String

    /// - Parameter labels: default for SIS: what the number of channels tells, see `LabelSet.init(channelCount:)`.
    public init(
        ngf: Int, task: Task = .ast, inputChannels: Int = 3, labels: LabelSet? = nil, latentLength: Int? = nil,
        encoderWidth: Int? = nil, nativeWidth: Int = 512, nativeHeight: Int = 256,
        normalization: Normalization = .running, storage: Storage = .float32, detailResidual: Float? = nil, provenance: String = "",
        name: String = ""
    ) {
        self.ngf = ngf
        self.task = task
        self.inputChannels = inputChannels
        self.labels = labels ?? (task == .sis ? LabelSet(channelCount: inputChannels) : nil)
        self.latentLength = latentLength
        self.encoderWidth = encoderWidth
        self.nativeWidth = nativeWidth
        self.nativeHeight = nativeHeight
        self.normalization = normalization
        self.storage = storage
        self.detailResidual = detailResidual
        self.provenance = provenance
        self.name = name
    }

    /// Channels of the eight feature maps of a stream: `ngf` times 1, 2, 4, 8, 16, 16, 16, 16.
    public var mapWidths: [Int] { [1, 2, 4, 8, 16, 16, 16, 16].map { $0 * ngf } }
}
