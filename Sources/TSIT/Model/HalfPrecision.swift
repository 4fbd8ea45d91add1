/// IEEE 754 binary16 to and from Float, in integer arithmetic that the compiler turns into vector code.
///
/// `Float16` would call a library routine per value on x86-64 without F16C.
enum HalfPrecision {
    /// The greatest finite magnitude of binary16.
    static let greatest: Float = 65504

    /// The value of every bit pattern; exact, subnormals, infinities and NaNs included.
    static func floats(_ halves: [UInt16]) -> [Float] {
        var result = [Float](repeating: 0, count: halves.count)
        for index in halves.indices { result[index] = float(halves[index]) }
        return result
    }

    /// The bit pattern of every value, rounded to nearest, ties to even.
    ///
    /// Magnitudes beyond 65504 become 65504 and are counted as clipped, values that are not zero but become zero as
    /// flushed. The values are finite.
    static func rounded(_ floats: [Float]) -> (halves: [UInt16], clipped: Int, flushed: Int) {
        var halves = [UInt16](repeating: 0, count: floats.count)
        var clipped = 0
        var flushed = 0
        for index in floats.indices {
            let value = floats[index]
            let magnitude = value.magnitude
            if magnitude > greatest { clipped += 1 }
            halves[index] = half(value)
            if magnitude != 0, halves[index] & 0x7fff == 0 { flushed += 1 }
        }
        return (halves, clipped, flushed)
    }

    @inline(__always)
    static func float(_ half: UInt16) -> Float {
        let magnitude = UInt32(half & 0x7fff) << 13
        let exponent = magnitude & 0x0f80_0000
        let rebased = magnitude &+ (112 << 23)
        // A subnormal is 2^-14 * m/1024: give it the implicit one, then subtract it; exact, and no subnormal float
        // appears that a thread set to flush them could lose.
        let subnormal = (Float(bitPattern: rebased &+ (1 << 23)) - Float(bitPattern: 113 << 23)).bitPattern
        let special = rebased &+ (112 << 23)
        let bits = exponent == 0 ? subnormal : (exponent == 0x0f80_0000 ? special : rebased)
        return Float(bitPattern: bits | UInt32(half & 0x8000) << 16)
    }

    @inline(__always)
    static func half(_ value: Float) -> UInt16 {
        let bits = min(value.magnitude, greatest).bitPattern
        let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
        // Below 2^-14 the spacing is 2^-24: adding 1/2, whose own spacing that is, rounds ties to even.
        let subnormal = (Float(bitPattern: bits) + 0.5).bitPattern &- Float(0.5).bitPattern
        let odd = (bits >> 13) & 1
        let normal = (bits &- (112 << 23) &+ 0xfff &+ odd) >> 13
        return sign | UInt16(truncatingIfNeeded: bits < 113 << 23 ? subnormal : normal)
    }
}
