/// Writes a safetensors file tensor by tensor: the layout is fixed first, the values follow one at a time.
///
/// The data section begins at a multiple of 64 bytes. Tensors whose size is a multiple of 64 come first, so that they
/// are aligned as well; the format forbids padding between tensors.
final class SafetensorsWriter {
    private let file: AtomicFile
    private let entries: [String: SafetensorsEntry]
    private let metadata: [String: String]
    private let digestKey: String?
    private let dataStart: Int
    private var digest = TensorDigest()
    private var remaining: [String]

    /// Starts the file.
    ///
    /// - Parameters:
    ///   - tensors: names, types and shapes of everything that will be written.
    ///   - digestKey: the metadata key that `commit` sets to the tensors' digest, or nil for none.
    /// - Throws: `TSITError` `.unwritable`.
    init(
        path: String, tensors: [(key: String, type: SafetensorsType, shape: [Int])], metadata: [String: String],
        digestKey: String?
    ) throws(TSITError) {
        entries = Self.layOut(tensors)
        self.metadata = metadata
        self.digestKey = digestKey
        // The digest is known last but stands first: its place is kept by zeros of the same length.
        let placeholder = String(repeating: "0", count: 64)
        dataStart = Self.header(entries, metadata, digestKey, placeholder).count
        remaining = entries.keys.sorted(by: >)
        file = try AtomicFile(path: path)
    }

    /// Writes the next tensor; they come in the order of their keys, and the type's width matches the layout.
    func append<Element: BitwiseCopyable>(_ key: String, _ values: [Element]) throws(TSITError) {
        guard let next = remaining.popLast(), next == key, let entry = entries[key] else {
            preconditionFailure("tensors are written in the order of their keys")
        }
        precondition(values.count == entry.count && MemoryLayout<Element>.stride == entry.type.width)
        digest.begin(key: key, type: entry.type, shape: entry.shape)
        digest.update(values)
        try file.write(values, at: dataStart + entry.range.lowerBound)
    }

    /// Writes the header, syncs the file and gives it its name.
    ///
    /// - Returns: the tensors' digest and the file's size in bytes.
    func commit() throws(TSITError) -> (digest: String, size: Int) {
        precondition(remaining.isEmpty, "every tensor of the layout is written before the end")
        let text = digest.finish()
        try file.write(Self.header(entries, metadata, digestKey, text), at: 0)
        try file.commit()
        return (text, dataStart + (entries.values.map(\.range.upperBound).max() ?? 0))
    }

    private static func layOut(
        _ tensors: [(key: String, type: SafetensorsType, shape: [Int])]
    ) -> [String: SafetensorsEntry] {
        func size(_ tensor: (key: String, type: SafetensorsType, shape: [Int])) -> Int {
            tensor.shape.reduce(tensor.type.width, *)
        }
        let ordered = tensors.sorted { $0.key < $1.key }
        var end = 0
        var entries: [String: SafetensorsEntry] = [:]
        for tensor in ordered.filter({ size($0) % 64 == 0 }) + ordered.filter({ size($0) % 64 != 0 }) {
            entries[tensor.key] = SafetensorsEntry(
                type: tensor.type, shape: tensor.shape, range: end..<end + size(tensor))
            end += size(tensor)
        }
        return entries
    }

    /// Length, JSON with sorted keys, and spaces up to a multiple of 64 bytes.
    private static func header(
        _ entries: [String: SafetensorsEntry], _ metadata: [String: String], _ digestKey: String?, _ digest: String
    ) -> [UInt8] {
        var metadata = metadata
        if let digestKey { metadata[digestKey] = digest }
        let pairs = metadata.sorted { $0.key < $1.key }.map { "\(jsonText($0.key)):\(jsonText($0.value))" }
        var members = metadata.isEmpty ? [] : ["\"__metadata__\":{\(pairs.joined(separator: ","))}"]
        for (key, entry) in entries.sorted(by: { $0.key < $1.key }) {
            let shape = entry.shape.map(String.init).joined(separator: ",")
            let offsets = "\(entry.range.lowerBound),\(entry.range.upperBound)"
            members.append(
                "\(jsonText(key)):{\"dtype\":\"\(entry.type.rawValue)\",\"shape\":[\(shape)],\"data_offsets\":[\(offsets)]}"
            )
        }
        var json = Array("{\(members.joined(separator: ","))}".utf8)
        json += [UInt8](repeating: UInt8(ascii: " "), count: (64 - (8 + json.count) % 64) % 64)
        return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Array($0) } + json
    }

    /// A JSON string literal (RFC 8259, section 7).
    private static func jsonText(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
