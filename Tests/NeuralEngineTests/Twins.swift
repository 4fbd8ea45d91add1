import Testing

@testable import NeuralEngine

/// Values from a seed, uniform in [-1, 1].
struct Values {
    private var state: UInt64
    init(_ seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next() -> Float {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Float(state >> 40) * 0x1p-23 - 1
    }

    mutating func draw(_ count: Int) -> [Float] { (0..<count).map { _ in next() } }
}

/// A tensor in double precision, layout `[channels][height][width]`, and how much rounding its float twin may differ by.
struct Twin {
    let channels: Int, height: Int, width: Int
    var values: [Double]
    /// Per element: the sum of the magnitudes of everything that was added up.
    var magnitudes: [Double]

    init(channels: Int, height: Int, width: Int, values: [Float]) {
        (self.channels, self.height, self.width) = (channels, height, width)
        self.values = values.map(Double.init)
        magnitudes = self.values.map(abs)
    }

    init(channels: Int, height: Int, width: Int, _ value: (Int, Int, Int) -> (Double, Double)) {
        (self.channels, self.height, self.width) = (channels, height, width)
        values = []
        magnitudes = []
        for c in 0..<channels {
            for y in 0..<height {
                for x in 0..<width {
                    let (v, magnitude) = value(c, y, x)
                    values.append(v)
                    magnitudes.append(magnitude)
                }
            }
        }
    }

    func at(_ c: Int, _ y: Int, _ x: Int) -> Double {
        (0..<height).contains(y) && (0..<width).contains(x) ? values[(c * height + y) * width + x] : 0
    }

    func magnitude(_ c: Int, _ y: Int, _ x: Int) -> Double { magnitudes[(c * height + y) * width + x] }

    /// The sum over taps and channels; zero padding.
    func convolved(_ weights: [Float], outputs: Int, taps: Int, bias: [Float] = []) -> Twin {
        Twin(channels: outputs, height: height, width: width) { o, y, x in
            var sum = bias.isEmpty ? 0 : Double(bias[o])
            var magnitude = abs(sum)
            for c in 0..<channels {
                for dy in 0..<taps {
                    for dx in 0..<taps {
                        let weight = Double(weights[((o * channels + c) * taps + dy) * taps + dx])
                        let product = weight * at(c, y + dy - taps / 2, x + dx - taps / 2)
                        sum += product
                        magnitude += abs(product)
                    }
                }
            }
            return (sum, magnitude)
        }
    }

    func combined(_ other: Twin, _ operation: (Double, Double) -> Double, magnitude: (Double, Double) -> Double) -> Twin {
        var result = self
        for i in values.indices {
            result.values[i] = operation(values[i], other.values[i])
            result.magnitudes[i] = magnitude(magnitudes[i], other.magnitudes[i])
        }
        return result
    }

    func plus(_ other: Twin) -> Twin { combined(other, +, magnitude: +) }

    func activated(_ slope: Float) -> Twin {
        var result = self
        for i in values.indices where values[i] < 0 { result.values[i] *= Double(slope) }
        return result
    }

    /// v * scale + shift per channel.
    func affine(_ affine: Affine) -> Twin {
        Twin(channels: channels, height: height, width: width) { c, y, x in
            let (scale, shift) = affine[c]
            let v = at(c, y, x) * Double(scale)
            return (v + Double(shift), magnitude(c, y, x) * Double(abs(scale)) + Double(abs(shift)))
        }
    }

    /// Twice the size, each pixel four times.
    var upsampled: Twin {
        Twin(channels: channels, height: 2 * height, width: 2 * width) { c, y, x in
            (at(c, y / 2, x / 2), magnitude(c, y / 2, x / 2))
        }
    }

    /// The first element that differs by more than rounding allows: `terms` roundings of half an ulp each of everything
    /// that was added up.
    func mismatch(_ result: [Float], terms: Int) -> String? {
        guard result.count == values.count else { return "\(result.count) values instead of \(values.count)" }
        for i in values.indices {
            let tolerance = Double(terms + 8) * 0x1p-24 * (magnitudes[i] + 1e-30)
            if !(abs(Double(result[i]) - values[i]) <= tolerance) {
                let place = (i / (width * height), i / width % height, i % width)
                return "at \(place): \(result[i]) instead of \(values[i]), tolerance \(tolerance)"
            }
        }
        return nil
    }
}

extension FeatureMap {
    convenience init(_ channels: Int, _ height: Int, _ width: Int, _ values: [Float]) throws {
        try self.init(channels: channels, width: width, height: height)
        self.values = values
    }

    /// True where the border and the padding channels are zero: storage holds nothing but the values.
    var paddingIsZero: Bool {
        let stored = (0..<storage.count).reduce(0) { $0 + (storage.base[$1] == 0 ? 0 : 1) }
        return stored == values.reduce(0) { $0 + ($1 == 0 ? 0 : 1) }
    }
}

extension Affine {
    static func drawn(_ channels: Int, _ values: inout Values) throws -> Affine {
        let affine = try Affine(channels: channels)
        for c in 0..<channels { affine.set(c, scale: Double(values.next()), shift: Double(values.next())) }
        return affine
    }
}
