import Foundation

@testable import TSIT

/// Compares maps with those of a golden directory, element by element, and keeps what differs.
struct GoldenMaps {
    let directory: String
    /// What the files' names have before the maps' own.
    var prefix = ""
    private(set) var seen: Set<String> = []
    private(set) var failures: [String] = []

    init(_ directory: String, prefix: String = "") {
        self.directory = directory
        self.prefix = prefix
    }

    mutating func compare(_ name: String, _ shape: [Int], _ values: [Float]) {
        seen.insert(name)
        guard let expected = try? NPYArray(contentsOfFile: "\(directory)/\(prefix)\(name).npy") else {
            failures.append("\(name) is missing")
            return
        }
        // Statistics of a style have trailing sides of 1.
        guard expected.values.count == values.count, Array(expected.shape.dropFirst().prefix(shape.count)) == shape else {
            failures.append("\(name) has shape \(shape) instead of \(expected.shape)")
            return
        }
        // Maps are not bounded as the output is: relative to their greatest value.
        let difference = Difference(values, from: expected.values)
        var scale = max(1, Double(expected.values.map(abs).max() ?? 1))
        // Instance norm over a few pixels divides their difference by little more than itself, and any rounding with it: by
        // up to 1 / sqrt(1e-5), 316 times, where two pixels are nearly alike. At the published sizes no map is so small.
        if shape.count == 3, shape[1] * shape[2] < 8 { scale *= 10 }
        if difference.maximum > 1e-4 * scale || difference.mean > Difference.meanBound * scale {
            failures.append("\(name): \(difference)")
        }
    }
}

/// A model's weights under another configuration.
struct Reconfigured: WeightSource {
    var configuration: ModelConfiguration
    let source: ModelFile
    func tensor(_ key: String, shape: [Int], _ range: Range<Int>) throws -> [Float] {
        try source.tensor(key, shape: shape, range)
    }

    init(_ source: ModelFile, normalization: ModelConfiguration.Normalization) {
        self.source = source
        configuration = source.configuration
        configuration.normalization = normalization
    }
}
