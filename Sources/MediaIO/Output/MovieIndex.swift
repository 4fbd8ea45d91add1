/// The index (`moov` box) of a finished MP4 or MOV file, for the few bytes that libavformat cannot be told to write.
struct MovieIndex {
    private(set) var offset: Int64
    /// The whole box.
    private(set) var bytes: [UInt8]

    /// nil unless `moov` is the file's last box (as libavformat writes it) and of a sane size.
    init?(of file: PartialFile) throws(MediaError) {
        let length = try file.length()
        var offset: Int64 = 0
        while offset + 8 <= length {
            let header = try file.read(at: offset, count: 16)
            guard header.count >= 8 else { return nil }
            var size = Int64(Self.value(header[..<4]))
            if size == 1, header.count == 16 { size = Int64(clamping: Self.value(header[8...])) }
            guard size >= 8, size <= length - offset else { return nil }
            if offset + size == length {
                guard Array(header[4..<8]) == Array("moov".utf8), size < 1 << 30 else { return nil }
                self.offset = offset
                bytes = try file.read(at: offset, count: Int(size))
                return
            }
            offset += size
        }
        return nil
    }

    /// Adds a box behind the others.
    mutating func append(_ box: [UInt8]) {
        bytes += box
        bytes.replaceSubrange(0..<4, with: Self.bigEndian(UInt32(clamping: bytes.count)))
    }

    /// Gives the sample description of the track at `position` another four-character code.
    mutating func retag(track position: Int, _ tag: UInt32) {
        let tracks = children(of: 0..<bytes.count, named: "trak")
        guard tracks.indices.contains(position) else { return }
        var box = tracks[position]
        for name in ["mdia", "minf", "stbl", "stsd"] {
            guard let next = children(of: box, named: name).first else { return }
            box = next
        }
        // Version, flags and count, then the first entry's size.
        let place = box.lowerBound + 8 + 8 + 4
        guard place + 4 <= box.upperBound else { return }
        for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: tag >> (8 * index)) }
    }

    func write(to file: PartialFile) throws(MediaError) { try file.write(bytes, at: offset) }

    private func children(of box: Range<Int>, named name: String) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var position = box.lowerBound + 8
        while position + 8 <= box.upperBound {
            let size = Int(Self.value(bytes[position..<position + 4]))
            guard size >= 8, size <= box.upperBound - position else { return found }
            if bytes[position + 4..<position + 8].elementsEqual(name.utf8) { found.append(position..<position + size) }
            position += size
        }
        return found
    }

    private static func value(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    static func bigEndian(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }

    /// A box of this type (ISO/IEC 14496-12 §4.2).
    static func box(_ type: String, _ content: [UInt8]) -> [UInt8] {
        bigEndian(UInt32(clamping: content.count + 8)) + Array(type.utf8) + content
    }
}
