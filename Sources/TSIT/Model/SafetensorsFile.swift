internal import Crypto
internal import FoundationEssentials

/// A safetensors file, memory-mapped: tensors are read from the page cache when they are asked for.
struct SafetensorsFile: Sendable {
    let path: String
    /// Size of the file in bytes.
    let size: Int
    let header: SafetensorsHeader
    private let contents: Data

    /// Maps the file and checks its header.
    ///
    /// - Throws: `TSITError` `.noSuchFile`, `.damagedFile`.
    init(contentsOfFile path: String) throws(TSITError) {
        // Opened first for its checks: mapping a folder or a pipe gives no useful error.
        _ = try RandomAccessFile(path: path)
        do {
            contents = try Data(contentsOf: URL(filePath: path), options: .alwaysMapped)
        } catch {
            throw TSITError(.noSuchFile, "cannot read \(quoted(path))", cause: "\(error)")
        }
        self.path = path
        size = contents.count
        let length = try SafetensorsHeader.length(prefix: contents.prefix(8), fileSize: contents.count, path: path)
        header = try SafetensorsHeader(json: contents[8..<8 + length], fileSize: contents.count, path: path)
    }

    /// The tensor named `key` as Float, or nil where there is none of a floating type by that name.
    func floats(_ key: String) -> [Float]? {
        guard let entry = header.entries[key] else { return nil }
        let bytes = self.bytes(of: entry)
        switch entry.type {
        case .float32: return Self.values(in: bytes, count: entry.count)
        case .half: return HalfPrecision.floats(Self.values(in: bytes, count: entry.count))
        case .byte: return nil
        }
    }

    /// The tensor named `key`, or nil where there is none of U8 by that name.
    func integers(_ key: String) -> [UInt8]? {
        guard let entry = header.entries[key], entry.type == .byte else { return nil }
        return Array(bytes(of: entry))
    }

    /// sha256 over all tensors, as `TensorDigest` defines it; reads the whole file.
    func digest() -> String {
        var digest = TensorDigest()
        for (key, entry) in header.entries.sorted(by: { $0.key < $1.key }) {
            digest.begin(key: key, type: entry.type, shape: entry.shape)
            digest.update(bytes(of: entry))
        }
        return digest.finish()
    }

    private func bytes(of entry: SafetensorsEntry) -> Data {
        let start = contents.startIndex + header.dataStart
        return contents[start + entry.range.lowerBound..<start + entry.range.upperBound]
    }

    /// Copies numbers out of the file, where they need not be aligned; file and machine are little-endian.
    private static func values<Element: BitwiseCopyable & Numeric>(in bytes: Data, count: Int) -> [Element] {
        var result = [Element](repeating: 0, count: count)
        _ = result.withUnsafeMutableBytes { bytes.copyBytes(to: $0) }
        return result
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

    mutating func update(_ bytes: Data) { hasher.update(data: bytes) }

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
