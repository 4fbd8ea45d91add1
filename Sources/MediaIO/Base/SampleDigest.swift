internal import CFFmpeg

extension Frame {
    /// A 64-bit digest of the picture's samples, size and pixel format, to recognise a frame that is decoded a second time.
    /// It is no protection against intent.
    public var sampleDigest: UInt64 {
        var digest = SampleDigest()
        digest.mix(UInt64(UInt32(bitPattern: raw.pointee.width)) << 32 | UInt64(UInt32(bitPattern: raw.pointee.height)))
        digest.mix(UInt64(UInt32(bitPattern: raw.pointee.format)))
        let planes = [raw.pointee.data.0, raw.pointee.data.1, raw.pointee.data.2, raw.pointee.data.3]
        let strides = [raw.pointee.linesize.0, raw.pointee.linesize.1, raw.pointee.linesize.2, raw.pointee.linesize.3]
        let chroma = PixelFormat.chromaSteps(of: format)
        for (plane, base) in planes.enumerated() {
            let width = av_image_get_linesize(format, raw.pointee.width, Int32(plane))
            guard let base, width > 0 else { continue }
            let isChroma = plane == 1 || plane == 2
            let rows = isChroma ? (height + chroma.y - 1) / chroma.y : height
            for y in 0..<rows { digest.mix(UnsafeRawBufferPointer(start: base + y * Int(strides[plane]), count: Int(width))) }
        }
        withExtendedLifetime(self) {}
        return digest.value
    }
}

/// Multiplies and rotates word by word (the scheme of FNV-1a on 64-bit words), four lanes side by side.
private struct SampleDigest {
    private var lanes = SIMD4<UInt64>(0xcbf2_9ce4_8422_2325, 0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb)
    private static let prime: UInt64 = 0x0000_0100_0000_01b3

    mutating func mix(_ word: UInt64) {
        lanes[0] = (lanes[0] ^ word) &* Self.prime
        lanes[0] ^= lanes[0] >> 29
    }

    mutating func mix(_ bytes: UnsafeRawBufferPointer) {
        var place = 0
        let prime = SIMD4(repeating: Self.prime)
        while place + 32 <= bytes.count {
            lanes = (lanes ^ bytes.loadUnaligned(fromByteOffset: place, as: SIMD4<UInt64>.self)) &* prime
            lanes ^= lanes &>> SIMD4(repeating: 29)
            place += 32
        }
        while place < bytes.count {
            mix(UInt64(bytes[place]))
            place += 1
        }
    }

    var value: UInt64 {
        var mixed = lanes
        for lane in 0..<4 { mixed[lane] = (mixed[lane] ^ (mixed[lane] >> 30)) &* 0xbf58_476d_1ce4_e5b9 }
        return mixed[0] ^ (mixed[1] << 1 | mixed[1] >> 63) ^ (mixed[2] << 2 | mixed[2] >> 62) ^ (mixed[3] << 3 | mixed[3] >> 61)
    }
}
