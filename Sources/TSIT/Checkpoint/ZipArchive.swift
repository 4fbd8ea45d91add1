/// The directory of a zip archive whose records are stored, not compressed: the container of `torch.save` since
/// PyTorch 1.6 (PKWARE's APPNOTE.TXT 6.3; section numbers below).
///
/// Nothing that the archive says about itself is believed before it is checked against the file: every record lies
/// within the file, before the directory, and overlaps no other, so the sum of all records is at most the file's size.
struct ZipArchive {
    struct Record {
        /// Where the record's local header begins.
        var headerOffset: Int
        /// Where its bytes lie in the file.
        var range: Range<Int>
        /// Checksum of the bytes; 0 where the writer left it out, which torch.save can be told to.
        var crc: UInt32
    }

    private(set) var records: [String: Record] = [:]
    private let file: RandomAccessFile

    /// Reads the directory of `file`.
    ///
    /// - Throws: `TSITError` `.damagedFile` where it is inconsistent or truncated, `.unsupported` where records are
    ///   compressed or encrypted, or the archive is split.
    init(_ file: RandomAccessFile) throws(TSITError) {
        self.file = file
        let end = try Self.endOfDirectory(file)
        guard end.size <= 256 << 20 else { throw Self.damaged(file, "its directory is too large") }
        var reader = ByteReader(try file.bytes(at: end.offset, count: end.size))
        var taken: [Range<Int>] = []
        while reader.remaining > 0 {
            let (name, record) = try Self.record(&reader, file, dataEnd: end.offset)
            guard records.updateValue(record, forKey: name) == nil else {
                throw Self.damaged(file, "it has two records named \(quoted(name))")
            }
            taken.append(record.headerOffset..<record.range.upperBound)
        }
        guard records.count == end.count else {
            throw Self.damaged(file, "its directory has not as many records as it says")
        }
        taken.sort { $0.lowerBound < $1.lowerBound }
        for (earlier, later) in zip(taken, taken.dropFirst()) where earlier.upperBound > later.lowerBound {
            throw Self.damaged(file, "its records overlap")
        }
    }

    /// True where the file begins as a zip archive does.
    static func isZip(_ prefix: [UInt8]) -> Bool { prefix.starts(with: [0x50, 0x4b, 3, 4]) }

    /// Checks a record's bytes against its checksum, where it has one.
    func checkContents(of record: Record, name: String) throws(TSITError) {
        guard record.crc != 0 else { return }
        var crc = CRC32()
        try file.forEachChunk(at: record.range.lowerBound, count: record.range.count) { chunk throws(TSITError) in
            crc.update(chunk)
        }
        guard crc.value == record.crc else {
            throw Self.damaged(file, "the checksum of its record \(quoted(name)) is wrong")
        }
    }

    // MARK: Directory

    private struct DirectoryEnd {
        var offset: Int
        var size: Int
        var count: Int
    }

    /// The end record (4.3.16), or the zip64 one (4.3.14) that its locator (4.3.15) points to.
    private static func endOfDirectory(_ file: RandomAccessFile) throws(TSITError) -> DirectoryEnd {
        let tailStart = max(0, file.size - 22 - 65535)
        let tail = try file.bytes(at: tailStart, count: file.size - tailStart)
        // The comment's length must reach exactly to the end of the file.
        let found = stride(from: tail.count - 22, through: 0, by: -1).first { index in
            tail[index...].starts(with: [0x50, 0x4b, 5, 6])
                && Int(tail[index + 20]) | Int(tail[index + 21]) << 8 == tail.count - index - 22
        }
        guard let found else { throw damaged(file, "its directory is missing: it is truncated, or not a zip file") }
        var reader = ByteReader(Array(tail[(found + 4)...]))
        guard let disk = reader.integer(2), let startDisk = reader.integer(2), let here = reader.integer(2),
            let count = reader.integer(2), let size = reader.integer(4), let offset = reader.integer(4)
        else { throw damaged(file, "its end record is truncated") }
        var end = DirectoryEnd(offset: offset, size: size, count: count)
        var limit = tailStart + found
        if limit >= 20, try file.bytes(at: limit - 20, count: 4) == [0x50, 0x4b, 6, 7] {
            (end, limit) = try zip64End(file, locator: limit - 20)
        } else if disk != 0 || startDisk != 0 || here != count {
            throw TSITError(
                .unsupported, "\(quoted(file.path)) is one part of a split zip archive", remedy: "join the parts")
        }
        guard end.offset <= limit, end.size <= limit - end.offset else {
            throw damaged(file, "its directory lies outside the file")
        }
        return end
    }

    private static func zip64End(
        _ file: RandomAccessFile, locator: Int
    ) throws(TSITError) -> (end: DirectoryEnd, limit: Int) {
        var pointer = ByteReader(try file.bytes(at: locator + 8, count: 8))
        guard let position = pointer.integer(8), position <= locator - 56 else {
            throw damaged(file, "its zip64 end record lies outside the file")
        }
        var reader = ByteReader(try file.bytes(at: position, count: 56))
        guard reader.integer(4) == 0x0606_4b50, reader.skip(12 + 8), let here = reader.integer(8),
            let count = reader.integer(8), let size = reader.integer(8), let offset = reader.integer(8), here == count
        else { throw damaged(file, "its zip64 end record is invalid") }
        return (DirectoryEnd(offset: offset, size: size, count: count), position)
    }

    /// One central file header (4.3.12) and the local header (4.3.7) that it points to.
    private static func record(
        _ reader: inout ByteReader, _ file: RandomAccessFile, dataEnd: Int
    ) throws(TSITError) -> (String, Record) {
        guard reader.integer(4) == 0x0201_4b50, reader.skip(4), let flags = reader.integer(2),
            let method = reader.integer(2), reader.skip(4), let crc = reader.integer(4),
            var stored = reader.integer(4), var size = reader.integer(4), let nameLength = reader.integer(2),
            let extraLength = reader.integer(2), let commentLength = reader.integer(2), reader.skip(8),
            var offset = reader.integer(4), let nameBytes = reader.take(nameLength),
            let extra = reader.take(extraLength), reader.skip(commentLength)
        else { throw damaged(file, "its directory is invalid") }
        let name = String(decoding: nameBytes, as: UTF8.self)
        try readZip64(extra, &size, &stored, &offset, file)
        guard flags & 1 == 0 else { throw refused(file, name, "encrypted") }
        guard method == 0, size == stored else { throw refused(file, name, "compressed (method \(method))") }
        guard offset <= dataEnd - 30 else { throw damaged(file, "its record \(quoted(name)) lies outside the file") }
        var local = ByteReader(try file.bytes(at: offset, count: 30))
        guard local.integer(4) == 0x0403_4b50, local.skip(22), let localName = local.integer(2),
            let localExtra = local.integer(2)
        else { throw damaged(file, "its record \(quoted(name)) has no header") }
        let start = offset + 30 + localName + localExtra
        guard start <= dataEnd, size <= dataEnd - start else {
            throw damaged(file, "its record \(quoted(name)) claims more bytes than the file has")
        }
        guard try file.bytes(at: offset + 30, count: localName) == Array(nameBytes) else {
            throw damaged(file, "its record \(quoted(name)) has another name in its own header")
        }
        return (name, Record(headerOffset: offset, range: start..<start + size, crc: UInt32(crc)))
    }

    /// The extended information field (4.5.3) holds, in this order, the values that are all ones in the header.
    private static func readZip64(
        _ extra: ArraySlice<UInt8>, _ size: inout Int, _ stored: inout Int, _ offset: inout Int,
        _ file: RandomAccessFile
    ) throws(TSITError) {
        let absent = 0xffff_ffff
        guard size == absent || stored == absent || offset == absent else { return }
        var fields = ByteReader(Array(extra))
        while let tag = fields.integer(2), let length = fields.integer(2), let body = fields.take(length) {
            guard tag == 1 else { continue }
            var values = ByteReader(Array(body))
            func next(_ value: Int) -> Int? { value == absent ? values.integer(8) : value }
            guard let a = next(size), let b = next(stored), let c = next(offset) else { break }
            (size, stored, offset) = (a, b, c)
            return
        }
        throw damaged(file, "its zip64 fields are invalid")
    }

    private static func refused(_ file: RandomAccessFile, _ name: String, _ what: String) -> TSITError {
        TSITError(
            .unsupported, "\(quoted(file.path)): the record \(quoted(name)) is \(what), torch.save only stores",
            remedy: "save the checkpoint with torch.save again")
    }

    private static func damaged(_ file: RandomAccessFile, _ what: String) -> TSITError {
        TSITError(
            .damagedFile, "\(quoted(file.path)) is not a readable PyTorch checkpoint: \(what)",
            remedy: "download or copy it again")
    }
}

/// Little-endian numbers from a run of bytes; nil past its end.
struct ByteReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var remaining: Int { bytes.count - position }

    /// An unsigned number of `width` bytes, at most 8; nil too where it exceeds `Int`.
    mutating func integer(_ width: Int) -> Int? {
        guard let taken = take(width) else { return nil }
        return Int(exactly: taken.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= remaining else { return nil }
        position += count
        return bytes[position - count..<position]
    }

    mutating func skip(_ count: Int) -> Bool { take(count) != nil }
}
