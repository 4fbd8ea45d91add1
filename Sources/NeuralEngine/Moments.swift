internal import CKernels

/// Mean and variance of every channel of a map, gathered row by row and joined in row order: the same for any threads.
public final class Moments: @unchecked Sendable {
    // Safe to send: as FeatureMap.
    public let channels: Int
    /// Pixels of a channel.
    public let count: Int
    private let width: Int
    private let height: Int
    private let lanes: Int
    let rows: Storage
    private var means: [Double]
    private var squares: [Double]

    /// For a blocked map; `planar` for a planar one.
    /// - Throws: `NeuralError` `.outOfMemory`.
    public init(channels: Int, width: Int, height: Int, planar: Bool = false) throws(NeuralError) {
        self.channels = channels
        self.width = width
        self.height = height
        count = width * height
        lanes = planar ? 1 : FeatureMap.block
        let padded = (channels + lanes - 1) / lanes * lanes
        rows = try Storage(count: padded * height * 2)
        means = Array(repeating: 0, count: padded)
        squares = means
    }

    /// Takes the moments of a blocked map that no pass has measured, row by row as a pass does it; for maps that are set
    /// once.
    public func measure(_ map: FeatureMap) {
        precondition(lanes == FeatureMap.block && map.channels == channels && map.width == width && map.height == height)
        for channel in 0..<channels {
            for y in 0..<height {
                let first = map.offset(channel: channel, y: y, x: 0)
                func value(_ x: Int) -> Double { Double(map.storage.base[first + x * lanes]) }
                let mean = (0..<width).reduce(0) { $0 + value($1) } / Double(width)
                let squares = (0..<width).reduce(0) { $0 + (value($1) - mean) * (value($1) - mean) }
                let row = ((channel / lanes * height + y) * 2) * lanes + channel % lanes
                rows.base[row] = Float(mean)
                rows.base[row + lanes] = Float(squares)
            }
        }
        join()
    }

    /// Joins the rows that the last pass wrote.
    func join() {
        ck_moments_join(
            rows.base, Int32(means.count / lanes), Int32(lanes), Int32(height), Int32(width), &means, &squares)
    }

    public func mean(_ channel: Int) -> Double { means[channel] }
    /// The biased variance: squared deviations over the number of pixels.
    public func variance(_ channel: Int) -> Double { squares[channel] / Double(count) }
    /// The unbiased variance of the map repeated `times` over (nearest upsampling repeats every pixel four times).
    public func unbiasedVariance(_ channel: Int, repeated times: Int = 1) -> Double {
        squares[channel] * Double(times) / Double(count * times - 1)
    }
}

/// A scale and a shift for every channel, padded with zeros to whole blocks of 16.
public final class Affine: @unchecked Sendable {
    // Safe to send: as FeatureMap.
    public let channels: Int
    let scale: Storage
    let shift: Storage

    /// All zero.
    /// - Throws: `NeuralError` `.outOfMemory`.
    public init(channels: Int) throws(NeuralError) {
        self.channels = channels
        scale = try Storage(count: (channels + 15) / 16 * 16)
        shift = try Storage(count: (channels + 15) / 16 * 16)
    }

    /// Sets v * scale + shift for one channel.
    public func set(_ channel: Int, scale: Double, shift: Double) {
        precondition((0..<channels).contains(channel))
        self.scale.base[channel] = Float(scale)
        self.shift.base[channel] = Float(shift)
    }

    public subscript(channel: Int) -> (scale: Float, shift: Float) {
        precondition((0..<channels).contains(channel))
        return (scale.base[channel], shift.base[channel])
    }

    /// Instance norm without affine: (v - mean) / sqrt(biased variance + epsilon).
    public func normalize(_ moments: Moments, epsilon: Double) {
        for channel in 0..<channels {
            let scale = 1 / (moments.variance(channel) + epsilon).squareRoot()
            set(channel, scale: scale, shift: -moments.mean(channel) * scale)
        }
    }
}
