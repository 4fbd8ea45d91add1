internal import Imaging
internal import MediaIO
internal import NeuralEngine
internal import TSIT

/// What takes the place of styles where a model translates labels: its VAE encoder reduces reference pictures to the latent
/// vector that the generator's head starts from.
enum LabelStyle {
    /// The latent vector of the request's reference: the mean that the encoder gives for each picture, weighted where there
    /// are several; nil where the seed decides.
    ///
    /// - Throws: `TSITError` `.styleMismatch` for what only styles can do, `.unsupported` where the model has no encoder;
    ///   `MediaError` for a picture that cannot be read.
    static func latent(of request: ConvertRequest, model: ModelFile, pool: ThreadPool) throws -> [Float]? {
        func refused(_ what: String) -> TSITError {
            TSITError(
                .styleMismatch, "the model \(model.configuration.name) translates labels and has no styles: \(what)",
                remedy: "give a reference picture with --style, or another --seed")
        }
        guard request.also.isEmpty else { throw refused("--also does not apply") }
        guard request.alpha == 1 else { throw refused("--alpha does not apply") }
        switch request.style {
        case .standard: return nil
        case .named: throw refused("--to does not apply")
        case .keyframes: throw refused("--style-at does not apply")
        case .recipe(let recipe):
            let encoder = try VAEEncoder(weights: model, pool: pool)
            let total = recipe.parts.reduce(0) { $0 + $1.weight }
            var sum = [Double](repeating: 0, count: encoder.latentLength)
            for part in recipe.parts {
                let mean = try self.mean(of: part.reference, encoder, model)
                for index in sum.indices { sum[index] += part.weight / total * Double(mean[index]) }
            }
            return sum.map { Float($0) }
        }
    }

    /// The encoder sees a picture as it saw those that it was trained with: squeezed to the native size.
    private static func mean(of path: String, _ encoder: VAEEncoder, _ model: ModelFile) throws -> [Float] {
        let (width, height) = (model.configuration.nativeWidth, model.configuration.nativeHeight)
        let picture = try StylePicture.load(path).resizedBicubic(width: width, height: height)
        return try encoder(PlanarImage<Float>(picture)).mean
    }
}
