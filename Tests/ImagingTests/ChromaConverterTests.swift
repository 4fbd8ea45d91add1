import CKernels
import Testing

@testable import Imaging

/// Every instruction set of this machine against the definition in double: cubic interpolation of the planes, then the
/// matrix; sizes with remainders, odd ones too.
@Suite struct ChromaConverterTests {
    private static let sets = ["avx512", "avx2", "neon", "portable"].filter { (name: String) in colour_kernels_named(name) != nil }
    private static let sizes: [(Int, Int)] = [(2, 2), (5, 3), (34, 18), (131, 66), (300, 20)]
    private static let sitings: [(Double, Double)] = [(0, 0.5), (0.5, 0.5), (0, 0), (0.5, 1)]

    /// A frame's planes with lines of a stride of their own; the bytes behind a line are a mark that must stay.
    private final class Planes {
        static let mark: UInt8 = 0xA5
        let sizes: [(width: Int, height: Int)]
        let strides: [Int]
        let storage: [UnsafeMutableBufferPointer<UInt8>]

        init(_ width: Int, _ height: Int) {
            let half = ((width + 1) / 2, (height + 1) / 2)
            sizes = [(width, height), half, half]
            strides = sizes.map { $0.width + 7 }
            storage = zip(sizes, strides).map { size, stride in
                let plane = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: stride * size.height)
                plane.initialize(repeating: Planes.mark)
                return plane
            }
        }

        deinit { for plane in storage { plane.deallocate() } }

        var lent: ChromaConverter.Planes? { ChromaConverter.Planes(pointers: storage.map(\.baseAddress), strides: strides) }

        subscript(plane: Int, y: Int, x: Int) -> UInt8 {
            get { storage[plane][y * strides[plane] + x] }
            set { storage[plane][y * strides[plane] + x] = newValue }
        }

        func fill(seed: UInt64) {
            var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
            for (plane, size) in sizes.enumerated() {
                for y in 0..<size.height {
                    for x in 0..<size.width {
                        state ^= state << 13
                        state ^= state >> 7
                        state ^= state << 17
                        // Smooth with some noise, so that not all of it is clipped.
                        self[plane, y, x] = UInt8(64 + (5 * x + 9 * y + 40 * plane) % 100 + Int(state >> 59))
                    }
                }
            }
        }

        var marksStand: Bool {
            zip(storage, zip(sizes, strides)).allSatisfy { plane, layout in
                plane.indices.allSatisfy { $0 % layout.1 < layout.0.width || plane[$0] == Planes.mark }
            }
        }
    }

    private func format(_ size: (Int, Int), _ siting: (Double, Double), full: Bool) -> ChromaConverter.Format {
        ChromaConverter.Format(
            width: size.0, height: size.1, redShare: 0.2126, blueShare: 0.0722, isFullRange: full, chromaX: siting.0,
            chromaY: siting.1)
    }

    private func cubic(_ distance: Double) -> Double {
        let x = abs(distance)
        return x <= 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
    }

    /// The sample at `place` (in samples, from the first one's centre) of a row that its end samples continue.
    private func sample(_ place: Double, stretch: Double, count: Int, _ row: (Int) -> Double) -> Double {
        let reach = Int((2 * stretch).rounded(.up)) + 1, middle = Int(place.rounded())
        let weights = (middle - reach...middle + reach).map { ($0, cubic((Double($0) - place) / stretch)) }
        let sum = weights.reduce(0) { $0 + $1.1 }
        return weights.reduce(0) { $0 + $1.1 / sum * row(min(max($1.0, 0), count - 1)) }
    }

    /// RGB (0...255, not rounded, clipped) of the frame at a sample of a picture of `size`.
    private func colour(
        _ planes: Planes, _ format: ChromaConverter.Format, _ size: (Int, Int), x: Int, y: Int
    ) -> [Double] {
        let step = (x: Double(format.width) / Double(size.0), y: Double(format.height) / Double(size.1))
        let place = (x: (Double(x) + 0.5) * step.x - 0.5, y: (Double(y) + 0.5) * step.y - 0.5)
        let values: [Double] = (0..<3).map { (plane: Int) -> Double in
            let share = plane == 0 ? 1.0 : 2.0, own = planes.sizes[plane]
            let shift = plane == 0 ? (x: 0.0, y: 0.0) : (x: format.chromaX, y: format.chromaY)
            let at = (x: (place.x - shift.x) / share, y: (place.y - shift.y) / share)
            return sample(at.y, stretch: max(step.y / share, 1), count: own.height) { row in
                sample(at.x, stretch: max(step.x / share, 1), count: own.width) { Double(planes[plane, row, $0]) }
            }
        }
        let luma = format.isFullRange ? values[0] : (values[0] - 16) * 255 / 219
        let chroma = format.isFullRange ? 1.0 : 255.0 / 224
        let (cb, cr) = ((values[1] - 128) * chroma, (values[2] - 128) * chroma)
        let (kr, kb) = (format.redShare, format.blueShare)
        let red = luma + 2 * (1 - kr) * cr, blue = luma + 2 * (1 - kb) * cb
        return [red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue].map { min(max($0, 0), 255) }
    }

    @Test(arguments: sets, sizes) func expands(set: String, size: (Int, Int)) throws {
        for (number, siting) in Self.sitings.enumerated() {
            let format = format(size, siting, full: number % 2 == 1)
            let planes = Planes(size.0, size.1), picture = PlanarImage<UInt8>(width: size.0, height: size.1)
            planes.fill(seed: UInt64(number + 1))
            ChromaConverter(format, instructionSet: set).expand(try #require(planes.lent), into: picture)
            var worst = 0.0
            for y in 0..<size.1 {
                for x in stride(from: y % 2, to: size.0, by: 2) {
                    let wanted = colour(planes, format, size, x: x, y: y)
                    for plane in 0..<3 { worst = max(worst, abs(Double(picture[plane, y, x]) - wanted[plane])) }
                }
            }
            #expect(worst < 0.501)
        }
    }

    @Test(arguments: sets, [(2, 2), (17, 9), (34, 18), (64, 40), (150, 33)])
    func resamples(set: String, target: (Int, Int)) throws {
        for (number, size) in Self.sizes.enumerated() {
            let format = format(size, Self.sitings[number % Self.sitings.count], full: number % 2 == 0)
            let planes = Planes(size.0, size.1), picture = PlanarImage<Float>(width: target.0, height: target.1)
            planes.fill(seed: UInt64(number + 1))
            ChromaConverter(format, size: target, instructionSet: set).resample(try #require(planes.lent), into: picture)
            var worst = 0.0
            for y in 0..<target.1 {
                for x in stride(from: y % 3, to: target.0, by: 3) {
                    let wanted = colour(planes, format, target, x: x, y: y)
                    for plane in 0..<3 { worst = max(worst, abs((Double(picture[plane, y, x]) + 1) * 127.5 - wanted[plane])) }
                }
            }
            #expect(worst < 1e-3)
        }
    }

    @Test(arguments: sets, sizes) func reduces(set: String, size: (Int, Int)) throws {
        for (number, siting) in Self.sitings.enumerated() {
            let format = format(size, siting, full: number % 2 == 1)
            let picture = PlanarImage<UInt8>(width: size.0, height: size.1)
            for plane in 0..<3 {
                for y in 0..<size.1 {
                    for x in 0..<size.0 { picture[plane, y, x] = UInt8((x * (3 + plane) + y * 7 + (x * y) % 5 * 4) % 256) }
                }
            }
            let planes = Planes(size.0, size.1)
            ChromaConverter(format, instructionSet: set).reduce(picture, into: try #require(planes.lent))
            #expect(planes.marksStand)
            let (kr, kb) = (format.redShare, format.blueShare), scale = format.isFullRange ? 1 : 224.0 / 255
            func ycc(_ x: Int, _ y: Int) -> [Double] {
                let (r, g, b) = (Double(picture[0, y, x]), Double(picture[1, y, x]), Double(picture[2, y, x]))
                let luma = kr * r + (1 - kr - kb) * g + kb * b
                return [luma, (b - luma) / (2 * (1 - kb)), (r - luma) / (2 * (1 - kr))]
            }
            var worst = 0.0
            for y in 0..<size.1 {
                for x in 0..<size.0 {
                    let luma = ycc(x, y)[0] * (format.isFullRange ? 1 : 219.0 / 255) + (format.isFullRange ? 0 : 16)
                    worst = max(worst, abs(Double(planes[0, y, x]) - luma))
                }
            }
            for plane in 1..<3 {
                for y in 0..<planes.sizes[plane].height {
                    for x in stride(from: y % 2, to: planes.sizes[plane].width, by: 2) {
                        let value = sample(2 * Double(y) + siting.1, stretch: 2, count: size.1) { row in
                            sample(2 * Double(x) + siting.0, stretch: 2, count: size.0) { ycc($0, row)[plane] }
                        }
                        let wanted = min(max(value * scale + 128, 0), 255)
                        worst = max(worst, abs(Double(planes[plane, y, x]) - wanted))
                    }
                }
            }
            #expect(worst < 0.501)
        }
    }

    /// A pool lends the storage of a picture that has ended, and none that is in use.
    @Test func storageIsLentAgain() {
        let pool = PicturePool()
        func address(_ picture: PlanarImage<UInt8>) -> UnsafeMutablePointer<UInt8>? { picture.withPlane(0) { $0.baseAddress } }
        var first: PlanarImage<UInt8>? = PlanarImage(width: 40, height: 30, pool: pool)
        let place = first.flatMap(address)
        let second = PlanarImage<UInt8>(width: 40, height: 30, pool: pool)
        #expect(address(second) != place)
        first = nil
        let other = PlanarImage<UInt8>(width: 80, height: 30, pool: pool)
        #expect(address(other) != place)
        #expect(address(PlanarImage<UInt8>(width: 40, height: 30, pool: pool)) == place)
    }
}
