internal import FoundationEssentials

/// An array in NumPy's .npy format (version 1 to 3), float32 and C order only.
///
/// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
public struct NPYArray: Sendable, Equatable {
    public let shape: [Int]
    /// As many values as the product of `shape`, last axis fastest.
    public let values: [Float]

    init(shape: [Int], values: [Float]) {
        precondition(values.count == shape.reduce(1, *))
        self.shape = shape
        self.values = values
    }

    /// - Throws: `TSITError` `.noSuchFile` or `.damagedFile`.
    public init(contentsOfFile path: String) throws(TSITError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw TSITError(.noSuchFile, "cannot read \(path)")
        }
        do throws(TSITError) {
            try self.init([UInt8](data))
        } catch {
            throw TSITError(error.code, "\(path): \(error.message)")
        }
    }

    /// - Throws: `TSITError` `.damagedFile`.
    public init(_ bytes: [UInt8]) throws(TSITError) {
        let damaged = { (what: String) in TSITError(.damagedFile, what) }
        guard bytes.count >= 12, bytes.starts(with: [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]), (1...3).contains(bytes[6])
        else { throw damaged("not a .npy file") }
        let lengthBytes = bytes[6] == 1 ? 2 : 4
        let length = (0..<lengthBytes).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
        let start = 8 + lengthBytes + length
        guard start <= bytes.count else { throw damaged("a truncated .npy header") }
        let header = String(decoding: bytes[(8 + lengthBytes)..<start], as: UTF8.self)
        guard header.contains("'descr': '<f4'"), header.contains("'fortran_order': False") else {
            throw damaged("a .npy file that is not little-endian float32 in C order")
        }
        guard let shape = Self.shape(header) else { throw damaged("a .npy header without a shape") }
        var count = 1
        for side in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: side)
            guard !overflow, side >= 0 else { throw damaged("a .npy shape that is too large") }
            count = product
        }
        guard count <= (bytes.count - start) / 4, bytes.count - start == count * 4 else {
            throw damaged("\(bytes.count - start) bytes of data for shape \(shape)")
        }
        self.shape = shape
        values = (0..<count).map { index in
            let at = start + index * 4
            let bits = UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16 | UInt32(bytes[at + 3]) << 24
            return Float(bitPattern: bits)
        }
    }

    /// The tuple after `'shape':`, or nil.
    private static func shape(_ header: String) -> [Int]? {
        guard let key = header.range(of: "'shape':"),
            let open = header[key.upperBound...].firstIndex(of: "("),
            let close = header[open...].firstIndex(of: ")")
        else { return nil }
        let sides = header[header.index(after: open)..<close].split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        let shape = sides.compactMap { Int($0) }
        return shape.count == sides.count ? shape : nil
    }
}
