internal import CFFmpeg

/// Converts planar 8-bit 4:2:0 pictures from one matrix and range to another, sample by sample.
///
/// libswscale does this by way of RGB at full size, which costs many times as much as decoding. Both matrices being
/// linear, luma changes by a share of its chroma, and chroma by a 2x2 matrix of its own (ITU-T H.273, section 8.3). The
/// chroma of a luma sample is the nearest one: its share is small.
struct MatrixConversion {
    /// Factors in 1/2^14.
    private let lumaFactor, lumaOffset, lumaFromBlue, lumaFromRed: Int32
    private let blueFromBlue, blueFromRed, redFromBlue, redFromRed: Int32
    private static let bits: Int32 = 14

    /// Nil for a matrix that libswscale does not know.
    init?(from source: SampleColour, to target: SampleColour) {
        guard let old = Shares(source.matrix), let new = Shares(target.matrix) else { return nil }
        let scaleY = (target.isFullRange ? 255.0 : 219) / (source.isFullRange ? 255 : 219)
        let scaleC = (target.isFullRange ? 255.0 : 224) / (source.isFullRange ? 255 : 224)
        // Chroma spans 224 steps where luma spans 219, in limited range.
        let mix = (target.isFullRange ? 255.0 : 219) / (source.isFullRange ? 255 : 224)
        // Green, the new luma and the new chroma per unit of the old chroma.
        let greenBlue = -2 * old.blue * (1 - old.blue) / old.green, greenRed = -2 * old.red * (1 - old.red) / old.green
        let lumaBlue = new.blue * 2 * (1 - old.blue) + new.green * greenBlue
        let lumaRed = new.red * 2 * (1 - old.red) + new.green * greenRed
        func fixed(_ value: Double) -> Int32 { Int32((value * Double(1 << Self.bits)).rounded()) }
        lumaFactor = fixed(scaleY)
        lumaOffset = fixed((target.isFullRange ? 0 : 16) - scaleY * (source.isFullRange ? 0 : 16) + 0.5)
        lumaFromBlue = fixed(mix * lumaBlue)
        lumaFromRed = fixed(mix * lumaRed)
        blueFromBlue = fixed(scaleC * (2 * (1 - old.blue) - lumaBlue) / (2 * (1 - new.blue)))
        blueFromRed = fixed(scaleC * -lumaRed / (2 * (1 - new.blue)))
        redFromBlue = fixed(scaleC * -lumaBlue / (2 * (1 - new.red)))
        redFromRed = fixed(scaleC * (2 * (1 - old.red) - lumaRed) / (2 * (1 - new.red)))
    }

    /// What red, green and blue add to luma.
    private struct Shares {
        let red, green, blue: Double

        init?(_ matrix: Int32) {
            guard let coefficients = sws_getCoefficients(matrix) else { return nil }
            // libswscale keeps 2 (1 - Kr) and 2 (1 - Kb) for chroma in limited range, in 1/65536.
            func share(_ coefficient: Int32) -> Double { 1 - Double(coefficient) / 65536 * 224 / 255 / 2 }
            red = share(coefficients[0])
            blue = share(coefficients[1])
            green = 1 - red - blue
        }
    }

    /// Both frames planar 8-bit 4:2:0 of the same even size; they may be the same.
    func convert(_ frame: Frame, to target: Frame) throws(MediaError) {
        let columns = frame.width / 2
        try frame.withPlanes { (from) throws(MediaError) in
            try target.withPlanes { (to) throws(MediaError) in
                guard let source = Planes(from), let goal = Planes(to) else {
                    throw MediaError(.internalFailure, "a frame of \(frame.pixelFormatName) lacks planes")
                }
                withUnsafeTemporaryAllocation(of: Int32.self, capacity: columns * 2) { shares in
                    for row in 0..<frame.height / 2 {
                        let (blue, red) = (source.blue + row * source.blueStride, source.red + row * source.redStride)
                        fill(shares, blue, red, columns)
                        for line in 2 * row...2 * row + 1 {
                            luma(source.luma + line * source.lumaStride, shares, goal.luma + line * goal.lumaStride, columns * 2)
                        }
                        chroma(blue, red, goal.blue + row * goal.blueStride, goal.red + row * goal.redStride, columns)
                    }
                }
            }
        }
    }

    private struct Planes {
        let luma, blue, red: UnsafeMutablePointer<UInt8>
        let lumaStride, blueStride, redStride: Int

        init?(_ planes: Rescaler.Planes) {
            guard let luma = planes.pointers[0], let blue = planes.pointers[1], let red = planes.pointers[2] else { return nil }
            (self.luma, self.blue, self.red) = (luma, blue, red)
            (lumaStride, blueStride, redStride) = (Int(planes.strides[0]), Int(planes.strides[1]), Int(planes.strides[2]))
        }
    }

    /// What a row of chroma adds to each luma sample of its two lines.
    private func fill(
        _ shares: UnsafeMutableBufferPointer<Int32>, _ blue: UnsafePointer<UInt8>, _ red: UnsafePointer<UInt8>, _ count: Int
    ) {
        guard let base = shares.baseAddress else { return }
        for x in 0..<count {
            let share = lumaFromBlue &* (Int32(blue[x]) &- 128) &+ lumaFromRed &* (Int32(red[x]) &- 128) &+ lumaOffset
            base[2 * x] = share
            base[2 * x + 1] = share
        }
    }

    private func luma(
        _ from: UnsafePointer<UInt8>, _ shares: UnsafeMutableBufferPointer<Int32>, _ to: UnsafeMutablePointer<UInt8>, _ count: Int
    ) {
        guard let base = shares.baseAddress else { return }
        for x in 0..<count { to[x] = Self.sample(lumaFactor &* Int32(from[x]) &+ base[x]) }
    }

    private func chroma(
        _ blue: UnsafePointer<UInt8>, _ red: UnsafePointer<UInt8>, _ newBlue: UnsafeMutablePointer<UInt8>,
        _ newRed: UnsafeMutablePointer<UInt8>, _ count: Int
    ) {
        let centre = Int32(128) << Self.bits + Int32(1) << (Self.bits - 1)
        for x in 0..<count {
            let (b, r) = (Int32(blue[x]) &- 128, Int32(red[x]) &- 128)
            newBlue[x] = Self.sample(blueFromBlue &* b &+ blueFromRed &* r &+ centre)
            newRed[x] = Self.sample(redFromBlue &* b &+ redFromRed &* r &+ centre)
        }
    }

    @inline(__always) private static func sample(_ value: Int32) -> UInt8 {
        UInt8(truncatingIfNeeded: max(0, min(255, value >> bits)))
    }
}
