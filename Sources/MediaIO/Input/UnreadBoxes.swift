/// Finds the boxes of an MP4 or MOV file (ISO/IEC 14496-12 §4.2) that have content which libavformat does not read:
/// unknown ones at the top level and directly in `moov`, `free` and `skip` that are not empty (BlackVue keeps its GPS
/// track in one), and the blocks in `mdat` that Novatek's `gps ` box points to.
enum UnreadBoxes {
    /// Throws `.unreadable`: boxes that cannot be read must not count as boxes that are not there.
    static func find(inFile path: String) throws(MediaError) -> [UnreadBox] { try find(in: FileBytes(path: path)) }

    static func find(in source: some ByteSource) throws(MediaError) -> [UnreadBox] {
        var found: [UnreadBox] = []
        for box in try children(of: source, from: 0, to: source.size) {
            if box.type == code("moov") {
                found += try insideMoov(box, source)
            } else if !readAtTop.contains(box.type), try hasContent(box, source) {
                found.append(UnreadBox(type: fourCharacterCode(box.type), parent: nil, offset: box.offset, size: box.size))
            }
        }
        return disjoint(found)
    }

    /// The boxes without those that share bytes with another one, of which the first in the file stays (at one offset the
    /// largest): a table may name the same block any number of times. All together are no larger than the file then.
    private static func disjoint(_ boxes: [UnreadBox]) -> [UnreadBox] {
        let order = boxes.indices.sorted { a, b in
            boxes[a].offset != boxes[b].offset ? boxes[a].offset < boxes[b].offset : boxes[a].size > boxes[b].size
        }
        var kept: Set<Int> = []
        var end: Int64 = 0
        for index in order where boxes[index].offset >= end {
            kept.insert(index)
            end = boxes[index].offset + boxes[index].size
        }
        return boxes.indices.filter(kept.contains).map { boxes[$0] }
    }

    private static func insideMoov(_ moov: Box, _ source: some ByteSource) throws(MediaError) -> [UnreadBox] {
        var found: [UnreadBox] = []
        for box in try children(of: source, from: moov.content, to: moov.end) where !readInMoov.contains(box.type) {
            guard try hasContent(box, source) else { continue }
            found.append(UnreadBox(type: fourCharacterCode(box.type), parent: "moov", offset: box.offset, size: box.size))
            if box.type == code("gps ") { found += try novatekBlocks(box, source) }
        }
        return found
    }

    // MARK: - Boxes

    struct Box: Equatable {
        var type: [UInt8]
        var offset: Int64
        var headerSize: Int64
        /// Header included, up to the end of what it lies in at most.
        var size: Int64
        var content: Int64 { offset + headerSize }
        var end: Int64 { offset + size }
    }

    /// Boxes looked at in one place; a fragmented recording of a day has fewer.
    private static let mostBoxes = 1 << 18

    /// The boxes side by side between two offsets, up to the first that is none.
    static func children(of source: some ByteSource, from start: Int64, to end: Int64) throws(MediaError) -> [Box] {
        var boxes: [Box] = []
        var offset = start
        while offset < end, boxes.count < mostBoxes, let box = try header(at: offset, in: source, end: end) {
            boxes.append(box)
            offset = box.end
        }
        return boxes
    }

    private static func header(at offset: Int64, in source: some ByteSource, end: Int64) throws(MediaError) -> Box? {
        let bytes = try source.read(at: offset, count: 16)
        guard bytes.count >= 8, end - offset >= 8 else { return nil }
        var size = Int64(bigEndian(bytes[0..<4]))
        var headerSize: Int64 = 8
        if size == 0 {
            size = end - offset
        } else if size == 1 {
            guard bytes.count == 16, let large = Int64(exactly: bigEndian(bytes[8..<16])) else { return nil }
            (size, headerSize) = (large, 16)
        }
        guard size >= headerSize else { return nil }
        return Box(type: Array(bytes[4..<8]), offset: offset, headerSize: headerSize, size: min(size, end - offset))
    }

    private static func bigEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    private static func code(_ name: StaticString) -> [UInt8] { name.withUTF8Buffer { Array($0) } }

    // MARK: - What is known

    private static let readAtTop = Set(
        [
            "ftyp", "moov", "mdat", "wide", "pnot", "PICT", "moof", "mfra", "sidx", "ssix", "styp", "emsg", "meta", "prft",
            "pdin", "bloc", "junk",
        ].map { Array($0.utf8) })

    private static let readInMoov = Set(
        ["mvhd", "trak", "udta", "iods", "mvex", "meta", "cmov", "rmra", "ctab", "clip", "prfl", "pssh", "keys", "wide"].map {
            Array($0.utf8)
        })

    /// Smooth Streaming's manifest, which libavformat reads.
    private static let knownUUID: [UInt8] = [
        0xa5, 0xd4, 0x0b, 0x30, 0xe8, 0x14, 0x11, 0xdd, 0xba, 0x2f, 0x08, 0x00, 0x20, 0x0c, 0x9a, 0x66,
    ]

    /// False for padding: nothing, zeros, or the few words that a program leaves about itself.
    private static func hasContent(_ box: Box, _ source: some ByteSource) throws(MediaError) -> Bool {
        let size = box.end - box.content
        guard size > 0 else { return false }
        if box.type == code("uuid") { return try source.read(at: box.content, count: 16) != knownUUID }
        guard box.type == code("free") || box.type == code("skip") else { return true }
        let sample = try source.read(at: box.content, count: Int(min(size, 1 << 16)))
        guard size > 8, sample.contains(where: { $0 != 0 }) else { return false }
        let isText = sample.allSatisfy { (0x20...0x7e).contains($0) || $0 == 0 || $0 == 0x0a || $0 == 0x0d }
        return !(isText && size <= 256)
    }

    // MARK: - Novatek

    /// Novatek's `gps ` box: 8 bytes of version and count, then offset and size (32 bits, big endian) of `free` boxes
    /// among the samples, whose content starts with `GPS `.
    private static func novatekBlocks(_ box: Box, _ source: some ByteSource) throws(MediaError) -> [UnreadBox] {
        let tableSize = min(box.end - box.content - 8, Int64(mostBoxes) * 8)
        guard tableSize >= 8 else { return [] }
        let table = try source.read(at: box.content + 8, count: Int(tableSize))
        var blocks: [UnreadBox] = []
        for place in stride(from: 0, to: table.count - 7, by: 8) {
            let offset = Int64(bigEndian(table[place..<place + 4]))
            let size = Int64(bigEndian(table[place + 4..<place + 8]))
            guard size >= 12, offset <= source.size - size else { continue }
            guard try source.read(at: offset + 4, count: 8) == Array("freeGPS ".utf8) else { continue }
            blocks.append(UnreadBox(type: "free", parent: "gps ", offset: offset, size: size))
        }
        return blocks
    }
}
