/// Looks whether a JPEG file is whole: libav's decoder fills up what a cut-off one lacks without a word.
enum JPEGPicture {
    private static let startOfScan: UInt8 = 0xDA
    private static let endOfImage: UInt8 = 0xD9

    /// True where an end-of-image marker follows the picture's own first scan (ITU-T T.81, annex B).
    ///
    /// Segments before it are skipped by their lengths, since a thumbnail in one of them has markers of its own; in a scan
    /// 0xFF is always stuffed, so that the marker's two bytes cannot be data.
    static func isWhole(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 4, bytes[0] == 0xFF, bytes[1] == 0xD8 else { return false }
        var offset = 2
        while offset + 4 <= bytes.count, bytes[offset] == 0xFF {
            let marker = bytes[offset + 1]
            if marker == 0xFF {
                offset += 1
                continue
            }
            if marker == startOfScan { return hasEnd(bytes, from: offset + 2) }
            // Restart markers and TEM have no length.
            let isBare = marker == 0x01 || (0xD0...0xD7).contains(marker)
            offset += 2 + (isBare ? 0 : Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3]))
        }
        return false
    }

    private static func hasEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Bool {
        var offset = start
        while offset + 1 < bytes.count {
            if bytes[offset] == 0xFF, bytes[offset + 1] == endOfImage { return true }
            offset += 1
        }
        return false
    }
}
