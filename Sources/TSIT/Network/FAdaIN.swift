internal import NeuralEngine

/// Feature adaptive instance normalization of a block's input, as a scale and a shift per channel (paper, section 3.4):
/// `alpha * ((x - mean) / deviation * style deviation + style mean) + (1 - alpha) * x`.
///
/// Since batch norm follows, and both are affine per channel, nothing is computed on pixels here: FADE applies the
/// composition of both.
struct FAdaIN {
    /// One channel: what FAdaIN does to it, and what the input's mean and biased variance were.
    struct Channel {
        var scale: Double
        var shift: Double
        var mean: Double
        var variance: Double
    }

    private(set) var channels: [Channel]
    /// How often upsampling repeats a pixel of the input: 4, or 1 without upsampling.
    private let repeated: Int

    init(channels: Int, isUpsampled: Bool) {
        self.channels = Array(repeating: Channel(scale: 1, shift: 0, mean: 0, variance: 1), count: channels)
        repeated = isUpsampled ? 4 : 1
    }

    /// Takes the moments of a frame's input, measured before upsampling.
    mutating func adapt(_ moments: Moments, styleMeans: [Float], styleDeviations: [Float], alpha: Float) {
        let alpha = Double(alpha)
        for index in channels.indices {
            let mean = moments.mean(index)
            let deviation =
                (moments.unbiasedVariance(index, repeated: repeated) + NetworkConstants.epsilon).squareRoot()
            let ratio = Double(styleDeviations[index]) / deviation
            channels[index] = Channel(
                scale: alpha * ratio + (1 - alpha), shift: alpha * (Double(styleMeans[index]) - mean * ratio),
                mean: mean, variance: moments.variance(index))
        }
    }

    /// Takes the moments of a frame's input that no style changes.
    mutating func pass(_ moments: Moments) {
        for index in channels.indices {
            channels[index] = Channel(
                scale: 1, shift: 0, mean: moments.mean(index), variance: moments.variance(index))
        }
    }

    /// Sets `affine` to FAdaIN alone.
    func write(to affine: Affine) {
        for (index, channel) in channels.enumerated() { affine.set(index, scale: channel.scale, shift: channel.shift) }
    }
}

/// The batch norm of one FADE, without affine: running statistics, or those of the frame.
struct BatchNorm {
    /// Mean and 1 / sqrt(variance + epsilon) of every channel; nil: taken from the frame.
    private let running: [(mean: Double, scale: Double)]?

    init(_ weights: LayerWeights, _ name: String, channels: Int) throws {
        guard weights.source.configuration.normalization == .running else {
            running = nil
            return
        }
        let means = try weights.tensor("\(name).param_free_norm.running_mean", [channels])
        let variances = try weights.tensor("\(name).param_free_norm.running_var", [channels])
        running = zip(means, variances).map { mean, variance in
            (Double(mean), 1 / (Double(variance) + NetworkConstants.epsilon).squareRoot())
        }
    }

    /// True where `normalize(_:into:)` of a map needs the frame's moments.
    var takesFrameStatistics: Bool { running == nil }

    /// Sets `affine` to FAdaIN followed by this norm.
    func normalize(_ input: FAdaIN, into affine: Affine) {
        for (index, channel) in input.channels.enumerated() {
            if let running {
                let norm = running[index]
                affine.set(index, scale: channel.scale * norm.scale, shift: (channel.shift - norm.mean) * norm.scale)
            } else {
                let variance = channel.scale * channel.scale * channel.variance + NetworkConstants.epsilon
                let scale = channel.scale / variance.squareRoot()
                affine.set(index, scale: scale, shift: -channel.mean * scale)
            }
        }
    }

    /// Sets `affine` to this norm of a map that has `moments`; nil with running statistics.
    func normalize(_ moments: Moments?, into affine: Affine) {
        if let moments {
            affine.normalize(moments, epsilon: NetworkConstants.epsilon)
        } else if let running {
            for (index, norm) in running.enumerated() {
                affine.set(index, scale: norm.scale, shift: -norm.mean * norm.scale)
            }
        }
    }
}
