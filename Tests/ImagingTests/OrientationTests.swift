import Imaging
import Testing

@Suite struct OrientationTests {
    /// A picture whose every sample is different.
    private func numbered(_ width: Int, _ height: Int) -> PlanarImage<UInt16> {
        let picture = PlanarImage<UInt16>(width: width, height: height)
        for plane in 0..<3 {
            for y in 0..<height {
                for x in 0..<width { picture[plane, y, x] = UInt16(plane * 10_000 + y * 100 + x) }
            }
        }
        return picture
    }

    private func samples(_ picture: PlanarImage<UInt16>) -> [UInt16] {
        (0..<3).flatMap { plane in
            (0..<picture.height).flatMap { y in (0..<picture.width).map { x in picture[plane, y, x] } }
        }
    }

    @Test(arguments: Orientation.allCases, [(7, 5), (1, 9), (33, 2)])
    func inverseUndoesTurn(orientation: Orientation, size: (Int, Int)) {
        let picture = numbered(size.0, size.1)
        let turned = picture.turned(by: orientation)
        #expect(turned.width == (orientation.swapsAxes ? size.1 : size.0))
        #expect(turned.height == (orientation.swapsAxes ? size.0 : size.1))
        let back = turned.turned(by: orientation.inverse)
        #expect(back.width == size.0 && back.height == size.1)
        #expect(samples(back) == samples(picture))
    }

    /// Where the corners of a 3 x 2 picture go says which turn it was.
    @Test func cornersGoWhereTheNameSays() {
        let picture = numbered(3, 2)  // 0 1 2 / 100 101 102
        func corners(_ orientation: Orientation) -> [UInt16] {
            let turned = picture.turned(by: orientation)
            return [
                turned[0, 0, 0], turned[0, 0, turned.width - 1], turned[0, turned.height - 1, 0],
                turned[0, turned.height - 1, turned.width - 1],
            ]
        }
        #expect(corners(.upright) == [0, 2, 100, 102])
        #expect(corners(.clockwise90) == [100, 0, 102, 2])
        #expect(corners(.clockwise180) == [102, 100, 2, 0])
        #expect(corners(.clockwise270) == [2, 102, 0, 100])
        #expect(corners(.mirrored) == [2, 0, 102, 100])
        #expect(corners(.mirroredClockwise90) == [102, 2, 100, 0])
        #expect(corners(.mirroredClockwise180) == [100, 102, 0, 2])
        #expect(corners(.mirroredClockwise270) == [0, 100, 2, 102])
    }
}
