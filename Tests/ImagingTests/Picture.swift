import Imaging

/// Pictures for tests, and readings of them.
enum Picture {
    /// Noise in -1...1 from a small generator, the same on every machine.
    static func noise(width: Int, height: Int, seed: UInt64, smooth: Bool = false) -> PlanarImage<Float> {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        func next() -> Float {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Float(state >> 40) / Float(1 << 23) - 1
        }
        let picture = PlanarImage<Float>(width: width, height: height)
        for plane in 0..<3 {
            var last: Float = 0
            for y in 0..<height {
                for x in 0..<width {
                    last = smooth ? 0.9 * last + 0.1 * next() : next()
                    picture[plane, y, x] = last
                }
            }
        }
        return picture
    }

    static func constant(width: Int, height: Int, _ colour: [Float]) -> PlanarImage<Float> {
        let picture = PlanarImage<Float>(width: width, height: height)
        for plane in 0..<3 {
            for y in 0..<height { for x in 0..<width { picture[plane, y, x] = colour[plane] } }
        }
        return picture
    }

    /// `picture` in 8 bits.
    static func bytes(_ picture: PlanarImage<Float>) -> PlanarImage<UInt8> {
        map(picture) { UInt8((($0 + 1) * 127.5).rounded()) }
    }

    static func map<A, B>(_ picture: PlanarImage<A>, _ body: (A) -> B) -> PlanarImage<B> {
        let result = PlanarImage<B>(width: picture.width, height: picture.height)
        for plane in 0..<3 {
            for y in 0..<picture.height {
                for x in 0..<picture.width { result[plane, y, x] = body(picture[plane, y, x]) }
            }
        }
        return result
    }

    /// The samples, plane after plane, row after row.
    static func samples<S>(_ picture: PlanarImage<S>) -> [S] {
        (0..<3).flatMap { plane in
            (0..<picture.height).flatMap { y in (0..<picture.width).map { x in picture[plane, y, x] } }
        }
    }
}
