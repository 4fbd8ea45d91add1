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
}
