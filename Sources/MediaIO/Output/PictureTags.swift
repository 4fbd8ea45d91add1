import Glibc

/// What a JPEG or PNG file says about its picture beside the samples: Exif (camera, place, rotation), XMP, ICC profile.
///
/// libavcodec's encoders write none of it, so it is put into their files as it stands in the source.
struct PictureTags: Equatable {
    /// A TIFF structure (Exif 2.32 §4.5), without the JPEG segment's identifier.
    private(set) var exif: [UInt8]?
    /// Whole JPEG segments, marker included: XMP and ICC profile.
    private(set) var segments: [[UInt8]] = []

    private static let exifIdentifier = Array("Exif\0\0".utf8)
    private static let copiedIdentifiers = [Array("http://ns.adobe.com/xap/1.0/\0".utf8), Array("ICC_PROFILE\0".utf8)]
    private static let pngSignature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

    var isEmpty: Bool { exif == nil && segments.isEmpty }

    /// Reads the head of a file; empty where there is nothing, or the file is of another kind. Throws `.unreadable`.
    init(file path: String) throws(MediaError) {
        let file = try FileBytes(path: path)
        read(try file.read(at: 0, count: 4 << 20)[...])
    }

    private mutating func read(_ head: ArraySlice<UInt8>) {
        if head.starts(with: [0xff, 0xd8]) {
            readJPEG(head)
        } else if head.starts(with: Self.pngSignature) {
            readPNG(head)
        }
    }

    private mutating func readJPEG(_ bytes: ArraySlice<UInt8>) {
        var position = bytes.startIndex + 2
        while position + 4 <= bytes.endIndex, bytes[position] == 0xff {
            let marker = bytes[position + 1]
            let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
            // The image data follows its header.
            guard marker != 0xda, length >= 2, position + 2 + length <= bytes.endIndex else { return }
            let content = bytes[position + 4..<position + 2 + length]
            if marker == 0xe1, content.starts(with: Self.exifIdentifier) {
                if exif == nil { exif = Array(content.dropFirst(Self.exifIdentifier.count)) }
            } else if Self.copiedIdentifiers.contains(where: { content.starts(with: $0) }) {
                segments.append(Array(bytes[position..<position + 2 + length]))
            }
            position += 2 + length
        }
    }

    private mutating func readPNG(_ bytes: ArraySlice<UInt8>) {
        var position = bytes.startIndex + 8
        while position + 12 <= bytes.endIndex {
            let length = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
            let type = bytes[position + 4..<position + 8]
            guard length <= bytes.endIndex - position - 12, !type.elementsEqual("IDAT".utf8) else { return }
            if type.elementsEqual("eXIf".utf8) { exif = Array(bytes[position + 8..<position + 8 + length]) }
            position += 12 + length
        }
    }

    /// An encoder's JPEG or PNG with these tags in it; nil for a file of another kind, or where they are too long for it.
    func inserted(into picture: UnsafeRawBufferPointer) -> [UInt8]? {
        if picture.starts(with: [0xff, 0xd8]) { return insertedIntoJPEG(Array(picture)) }
        // A PNG's header (IHDR) is its first chunk, of 25 bytes.
        guard picture.starts(with: Self.pngSignature), picture.count > 33, let exif else { return nil }
        return Array(picture[..<33]) + Self.chunk("eXIf", exif) + Array(picture[33...])
    }

    private func insertedIntoJPEG(_ picture: [UInt8]) -> [UInt8]? {
        var added: [UInt8] = []
        if let exif {
            let length = 2 + Self.exifIdentifier.count + exif.count
            guard length <= 0xffff else { return nil }
            added += [0xff, 0xe1, UInt8(length >> 8), UInt8(length & 0xff)] + Self.exifIdentifier + exif
        }
        added += segments.joined()
        // JFIF's own segment stays the first.
        var place = 2
        if picture.count > 6, picture[2] == 0xff, picture[3] == 0xe0 {
            place += 2 + (Int(picture[4]) << 8 | Int(picture[5]))
        }
        guard place <= picture.count else { return nil }
        return Array(picture[..<place]) + added + Array(picture[place...])
    }

    private static func chunk(_ type: String, _ content: [UInt8]) -> [UInt8] {
        let body = Array(type.utf8) + content
        return MovieIndex.bigEndian(UInt32(clamping: content.count)) + body + MovieIndex.bigEndian(crc(body))
    }

    /// CRC-32 (ISO 3309), as PNG §5.5 has it.
    private static func crc(_ bytes: [UInt8]) -> UInt32 {
        var value = ~UInt32(0)
        for byte in bytes {
            value ^= UInt32(byte)
            for _ in 0..<8 { value = value & 1 != 0 ? 0xedb8_8320 ^ (value >> 1) : value >> 1 }
        }
        return ~value
    }
}
