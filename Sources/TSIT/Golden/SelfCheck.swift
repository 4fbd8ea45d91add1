internal import Imaging
public import NeuralEngine

/// Runs a small network on this machine's kernels and compares with the output of a PyTorch implementation.
///
/// Weights (`RandomWeights` of seed 1, ngf 2) and inputs (integer patterns, 256x128) are computed, so that only the
/// expected output is stored; `Tests/Fixtures/make_network_goldens.py selfcheck` made it.
public enum SelfCheck {
    static let width = 256
    static let height = 128

    /// - Throws: `TSITError` `.notInstalled` where the stored output is missing; what `Generator` throws.
    public static func run(pool: ThreadPool) throws -> Difference {
        let path = try goldenPath()
        let expected = try NPYArray(contentsOfFile: path)
        guard expected.shape == [1, 3, height, width] else {
            throw TSITError(.damagedFile, "\(path) has shape \(expected.shape)")
        }
        return Difference(try output(pool: pool), from: expected.values)
    }

    /// Where the expected output lies, beside the program or where an installation puts it.
    private static func goldenPath() throws(TSITError) -> String {
        let folders = ResourceDirectory.candidates(
            "SelfCheck", override: nil, binaries: ResourceDirectory.binaryDirectories())
        guard let path = folders.map({ "\($0)/output.npy" }).first(where: fileExists) else {
            throw TSITError(
                .notInstalled, "the self-check's golden is not installed",
                remedy: "install the program's resources beside it", cause: "looked in \(folders.joined(separator: ", "))")
        }
        return path
    }

    /// What the network gives here; layout `[3][height][width]`.
    static func output(pool: ThreadPool) throws -> [Float] {
        let weights = RandomWeights(configuration: ModelConfiguration(ngf: 2), seed: 1)
        let style = PlanarImage(pattern(width, height, seed: 1), width: width, height: height)
        let statistics = try StyleStream(weights: weights, width: width, height: height, pool: pool)(style)
        let generator = try Generator(weights: weights, width: width, height: height, pool: pool)
        try generator.setNoise(pattern(width >> 7, height >> 7, seed: 7))
        let picture = PlanarImage<Float>(width: width, height: height)
        let content = PlanarImage(pattern(width, height, seed: 0), width: width, height: height)
        try generator(content, styles: [statistics], into: [picture])
        return picture.values
    }

    /// A picture of gradients and flat squares from integers alone, in [-1, 1]; layout `[3][height][width]`.
    static func pattern(_ width: Int, _ height: Int, seed: Int) -> [Float] {
        (0..<3 * width * height).map { index in
            let (c, y, x) = (index / (width * height), index / width % height, index % width)
            let squares = (x / 16) * (y / 16) * 41
            let value = (x * (3 + seed) + y * (5 + c) + squares + c * 85 + seed * 31) % 256
            return Float(value) / 127.5 - 1
        }
    }
}
