internal import Crypto
internal import FoundationEssentials

/// A safetensors file, whose tensors are read when they are asked for.
///
/// They are read and not mapped: pages of a mapping count as the program's memory for as long as it lasts, and a file that is
/// cut short while it is mapped kills the program.
struct SafetensorsFile: Sendable {
    /// Size of the file in bytes.
    var size: Int { file.size }
    var path: String { file.path }
    let header: SafetensorsHeader
    private let file: RandomAccessFile

    /// Opens the file and checks its header.
    ///
    /// - Throws: `TSITError` `.noSuchFile`, `.damagedFile`.
    init(contentsOfFile path: String) throws(TSITError) {
        file = try RandomAccessFile(path: path)
        let prefix = try file.bytes(at: 0, count: min(8, file.size))
        let length = try SafetensorsHeader.length(prefix: prefix, fileSize: file.size, path: path)
        let json = Data(try file.bytes(at: 8, count: length))
        header = try SafetensorsHeader(json: json, fileSize: file.size, path: path)
    }

    /// The tensor named `key` as Float, or nil where there is none of a floating type by that name.
    ///
    /// - Throws: `TSITError` `.damagedFile` where reading fails.
    func floats(_ key: String) throws(TSITError) -> [Float]? {
        guard let entry = header.entries[key], entry.type != .byte else { return nil }
        return try floats(of: entry, 0..<entry.count)
    }

    /// Some values of a tensor of a floating type.
    ///
    /// - Throws: `TSITError` `.damagedFile` where reading fails.
    func floats(of entry: SafetensorsEntry, _ range: Range<Int>) throws(TSITError) -> [Float] {
        precondition(range.lowerBound >= 0 && range.upperBound <= entry.count && entry.type != .byte)
        let start = header.dataStart + entry.range.lowerBound + range.lowerBound * entry.type.width
        guard entry.type == .half else { return try file.values(at: start, count: range.count) }
        return HalfPrecision.floats(try file.values(at: start, count: range.count))
    }

    /// The tensor named `key`, or nil where there is none of U8 by that name.
    ///
    /// - Throws: `TSITError` `.damagedFile` where reading fails.
    func integers(_ key: String) throws(TSITError) -> [UInt8]? {
        guard let entry = header.entries[key], entry.type == .byte else { return nil }
        return try file.bytes(at: header.dataStart + entry.range.lowerBound, count: entry.range.count)
    }

    /// sha256 over all tensors, as `TensorDigest` defines it; reads the whole file.
    ///
    /// - Throws: `TSITError` `.damagedFile` where reading fails.
    func digest() throws(TSITError) -> String {
        var digest = TensorDigest()
        for (key, entry) in header.entries.sorted(by: { $0.key < $1.key }) {
            digest.begin(key: key, type: entry.type, shape: entry.shape)
            try file.forEachChunk(at: header.dataStart + entry.range.lowerBound, count: entry.range.count) {
                (chunk) throws(TSITError) in digest.update(chunk)
            }
        }
        return digest.finish()
    }
}

/// sha256 of a set of tensors, taken in the order of their keys: names, types, shapes and values count, the layout of
/// the file and its metadata do not.
struct TensorDigest {
    private var hasher = SHA256()

    /// Announces the next tensor; its elements follow by `update`.
    mutating func begin(key: String, type: SafetensorsType, shape: [Int]) {
        hasher.update(data: Array("\(key)\n\(type.rawValue)\n\(shape.map(String.init).joined(separator: ","))\n".utf8))
    }

    mutating func update<Element: BitwiseCopyable>(_ values: [Element]) {
        values.withUnsafeBytes { hasher.update(bufferPointer: $0) }
    }

    /// The digest in lower-case hexadecimal.
    consuming func finish() -> String { hexadecimal(hasher.finalize()) }
}

/// sha256 of a file's bytes.
public enum ContentDigest {
    /// The digest of the file at `path` in lower-case hexadecimal, read in pieces.
    ///
    /// - Throws: `TSITError` `.noSuchFile`, `.damagedFile` where reading fails.
    public static func ofFile(_ path: String) throws(TSITError) -> String {
        try of(try RandomAccessFile(path: path))
    }

    /// The digest of the file at `path`; `check` is called between pieces of it and may throw, so that a large file can be
    /// given up. Throws what `check` throws, and as `ofFile(_:)`.
    public static func ofFile(_ path: String, check: () throws -> Void) throws -> String {
        let file = try RandomAccessFile(path: path)
        var hasher = SHA256()
        for start in stride(from: 0, to: file.size, by: 1 << 22) {
            try check()
            hasher.update(data: try file.bytes(at: start, count: min(1 << 22, file.size - start)))
        }
        return hexadecimal(hasher.finalize())
    }

    /// The digest of `bytes` in lower-case hexadecimal.
    public static func of(_ bytes: [UInt8]) -> String { hexadecimal(SHA256.hash(data: bytes)) }

    static func of(_ file: RandomAccessFile) throws(TSITError) -> String {
        var hasher = SHA256()
        try file.forEachChunk(at: 0, count: file.size) { chunk throws(TSITError) in hasher.update(data: chunk) }
        return hexadecimal(hasher.finalize())
    }
}

private func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
