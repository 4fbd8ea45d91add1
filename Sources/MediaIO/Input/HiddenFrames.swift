/// The few header bits that tell a shown frame from a hidden one.
///
/// A damaged packet must not pass for a hidden one, or its frame would be missed: where the header does not add up, the
/// frame counts as shown.
enum HiddenFrames {
    /// An MPEG-4 picture that repeats the one before ('not coded') is a header and nothing else.
    static let largestNotCodedMPEG4 = 19

    /// RFC 6386 §9.1: of the frame tag bit 0 is 0 for a key frame, bit 4 `show_frame`, bits 5 to 23 the size of the first
    /// partition; a key frame goes on with a start code.
    static func showsVP8(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes.count >= 10, bytes[0] & 0x10 == 0 else { return true }
        let partition = (Int(bytes[0]) | Int(bytes[1]) << 8 | Int(bytes[2]) << 16) >> 5
        guard partition > 0, partition <= bytes.count - 3 else { return true }
        return bytes[0] & 1 == 0 && !bytes[3..<6].elementsEqual([0x9d, 0x01, 0x2a])
    }

    /// VP9 bitstream specification §6.2 and annex B: true where any frame of the superframe is shown.
    ///
    /// - Parameter profile: the stream's, negative where unknown.
    static func showsVP9(_ bytes: UnsafeBufferPointer<UInt8>, profile: Int32) -> Bool {
        guard let marker = bytes.last else { return true }
        let frames = Int(marker & 7) + 1
        let lengthSize = Int(marker >> 3 & 3) + 1
        let indexSize = 2 + frames * lengthSize
        guard marker & 0xe0 == 0xc0, bytes.count > indexSize, bytes[bytes.count - indexSize] == marker else {
            return showsVP9Frame(bytes[...], profile)
        }
        var lengths = bytes.suffix(indexSize).dropFirst()
        var rest = bytes.dropLast(indexSize)
        for _ in 0..<frames {
            let length = lengths.prefix(lengthSize).reversed().reduce(0) { $0 << 8 | Int($1) }
            lengths = lengths.dropFirst(lengthSize)
            if length > 0, showsVP9Frame(rest, profile) { return true }
            rest = rest.dropFirst(length)
        }
        return false
    }

    /// frame_marker (2 bits), profile (2 bits, and a reserved one for profile 3), show_existing_frame, frame_type (0 for
    /// a key frame, which goes on with a sync code), show_frame.
    private static func showsVP9Frame(_ frame: Slice<UnsafeBufferPointer<UInt8>>, _ profile: Int32) -> Bool {
        guard let first = frame.first, first >> 6 == 2 else { return true }
        let own = Int32(first >> 5 & 1 | first >> 3 & 2)
        guard profile < 0 || own == profile else { return true }
        let shift = own == 3 ? 1 : 0
        let showsExisting = first & (0x08 >> shift) != 0
        let isKey = first & (0x04 >> shift) == 0
        let shows = first & (0x02 >> shift) != 0
        if isKey, own < 3, !frame.dropFirst().prefix(3).elementsEqual([0x49, 0x83, 0x42]) { return true }
        return showsExisting || shows
    }
}
