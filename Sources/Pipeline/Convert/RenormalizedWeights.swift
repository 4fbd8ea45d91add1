internal import TSIT

/// A model's weights, run with another kind of batch norm than the model file says.
struct RenormalizedWeights: WeightSource {
    private let model: ModelFile
    let configuration: ModelConfiguration

    init(_ model: ModelFile, _ normalization: ModelConfiguration.Normalization) {
        self.model = model
        var configuration = model.configuration
        configuration.normalization = normalization
        self.configuration = configuration
    }

    func tensor(_ key: String, shape: [Int], _ range: Range<Int>) throws -> [Float] {
        try model.tensor(key, shape: shape, range)
    }
}
