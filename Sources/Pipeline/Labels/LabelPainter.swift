internal import Imaging
internal import TSIT

/// Shows labels in colours: the data set's own, or for another set one for each class, spread around the colour circle.
struct LabelPainter: Sendable {
    /// 0xRRGGBB of each class.
    private let colours: [UInt32]

    init(_ table: [(colour: UInt32, id: UInt8)]?) {
        var colours = (0...UInt8.max).map(Self.colour)
        // Of several colours of a class, and of classes with one colour, the first stands.
        for (colour, id) in (table ?? []).reversed() { colours[Int(id)] = colour }
        self.colours = colours
    }

    /// The picture that shows `labels`, of their size.
    func picture(of labels: LabelImage) -> PlanarImage<UInt8> {
        let picture = PlanarImage<UInt8>(width: labels.width, height: labels.height)
        for plane in 0..<PlanarImage<UInt8>.planeCount {
            let samples = colours.map { UInt8(truncatingIfNeeded: $0 >> UInt32(16 - 8 * plane)) }
            picture.withPlane(plane) { to in
                for y in 0..<labels.height {
                    for x in 0..<labels.width {
                        to[y * picture.rowStride + x] = samples[Int(labels.classes[y * labels.width + x])]
                    }
                }
            }
        }
        return picture
    }

    /// Steps of the golden angle keep neighbouring classes far apart; 255 ('don't care') is black.
    private static func colour(_ id: UInt8) -> UInt32 {
        guard id != LabelSet.dontCare else { return 0 }
        let hue = (Double(id) * 0.618033988749895).truncatingRemainder(dividingBy: 1) * 6
        func channel(_ offset: Double) -> UInt32 {
            let distance = abs((hue + offset).truncatingRemainder(dividingBy: 6) - 3)
            return UInt32(255 * min(1, max(0, distance - 1)))
        }
        return channel(0) << 16 | channel(4) << 8 | channel(2)
    }
}
