import Foundation
import Imaging

/// A 320 x 180 crop of a translated frame: the source's planes (8 bit), then the network's input and output at 128 x 64,
/// stored as 8 bit. The clip is Udacity's test_video.mp4 (MIT licence, samples/highway-day.LICENSE).
struct Fixture {
    var source: PlanarImage<UInt8>
    var input, output: PlanarImage<Float>

    static func load() -> Fixture {
        guard let url = Bundle.module.url(forResource: "Fixtures/highway-crop", withExtension: "planes"),
            let data = try? Data(contentsOf: url), data.count == 3 * (320 * 180 + 2 * 128 * 64)
        else { fatalError("the fixture is missing or damaged") }
        var bytes = Array(data)[...]
        func take(_ width: Int, _ height: Int) -> PlanarImage<UInt8> {
            let picture = PlanarImage<UInt8>(width: width, height: height)
            for plane in 0..<3 {
                for y in 0..<height { for x in 0..<width { picture[plane, y, x] = bytes.removeFirst() } }
            }
            return picture
        }
        let source = take(320, 180)
        let input = Picture.map(take(128, 64)) { Float($0) / 127.5 - 1 }
        let output = Picture.map(take(128, 64)) { Float($0) / 127.5 - 1 }
        return Fixture(source: source, input: input, output: output)
    }
}

/// The figures of samples/detail/README.md, in double.
enum Metric {
    /// Pearson correlation of the magnitudes of the luma's central differences.
    static func gradientCorrelation(_ a: PlanarImage<UInt8>, _ b: PlanarImage<UInt8>) -> Double {
        let (p, q) = (magnitudes(a), magnitudes(b))
        let (meanP, meanQ) = (p.reduce(0, +) / Double(p.count), q.reduce(0, +) / Double(q.count))
        var pq = 0.0, pp = 0.0, qq = 0.0
        for (x, y) in zip(p, q) {
            pq += (x - meanP) * (y - meanQ)
            pp += (x - meanP) * (x - meanP)
            qq += (y - meanQ) * (y - meanQ)
        }
        return pq / (pp * qq).squareRoot()
    }

    private static func magnitudes(_ picture: PlanarImage<UInt8>) -> [Double] {
        func luma(_ y: Int, _ x: Int) -> Double {
            0.299 * Double(picture[0, y, x]) + 0.587 * Double(picture[1, y, x]) + 0.114 * Double(picture[2, y, x])
        }
        return (1..<picture.height - 1).flatMap { y in
            (1..<picture.width - 1).map { x in
                let (dx, dy) = (luma(y, x + 1) - luma(y, x - 1), luma(y + 1, x) - luma(y - 1, x))
                return (dx * dx + dy * dy).squareRoot() / 2
            }
        }
    }

    /// Averaged over the area of each sample of the smaller size.
    static func average(_ picture: PlanarImage<UInt8>, _ width: Int, _ height: Int) -> PlanarImage<Float> {
        let floats = Picture.map(picture) { Float($0) / 127.5 - 1 }
        let result = PlanarImage<Float>(width: width, height: height)
        Resampler(from: (picture.width, picture.height), to: (width, height), filter: .area)(floats, into: result)
        return result
    }

    static func psnr(_ a: PlanarImage<Float>, _ b: PlanarImage<Float>) -> Double {
        let squares = zip(Picture.samples(a), Picture.samples(b)).map { Double($0 - $1) * Double($0 - $1) }
        return -10 * log10(squares.reduce(0, +) / Double(squares.count) / 4)
    }
}

/// Keys' bicubic interpolation by the definition, in double: edge samples repeat; reductions stretch the kernel.
enum Bicubic {
    static func enlarge(_ picture: PlanarImage<Float>, _ width: Int, _ height: Int) -> [[[Double]]] {
        (0..<3).map { plane in
            let rows = (0..<picture.height).map { y in
                line((0..<picture.width).map { Double(picture[plane, y, $0]) }, width)
            }
            let columns = (0..<width).map { x in line(rows.map { $0[x] }, height) }
            return (0..<height).map { y in (0..<width).map { columns[$0][y] } }
        }
    }

    private static func line(_ row: [Double], _ target: Int) -> [Double] {
        let step = Double(row.count) / Double(target), stretch = max(step, 1)
        return (0..<target).map { index in
            let centre = (Double(index) + 0.5) * step - 0.5
            let reach = Int((2 * stretch).rounded(.up)) + 1
            var sum = 0.0, weights = 0.0
            for j in Int(centre.rounded(.down)) - reach...Int(centre.rounded(.down)) + reach {
                let x = abs(Double(j) - centre) / stretch
                let weight =
                    x <= 1 ? 1.5 * x * x * x - 2.5 * x * x + 1 : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0
                // Where the picture shrinks, samples outside it do not count; where it grows, its edge repeats.
                if step > 1, !row.indices.contains(j) { continue }
                sum += weight * row[min(max(j, 0), row.count - 1)]
                weights += weight
            }
            return sum / weights
        }
    }
}
