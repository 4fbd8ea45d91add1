internal import FoundationEssentials

/// Element types of safetensors that solstice's files use.
enum SafetensorsType: String, Sendable {
    case float32 = "F32"
    case half = "F16"
    case byte = "U8"

    /// Bytes per element.
    var width: Int {
        switch self {
        case .float32: 4
        case .half: 2
        case .byte: 1
        }
    }
}

/// One tensor as a safetensors header describes it.
struct SafetensorsEntry: Sendable, Equatable {
    var type: SafetensorsType
    var shape: [Int]
    /// Byte range within the data section, which begins after the header.
    var range: Range<Int>

    /// The product of the shape; checked not to overflow when the header was read.
    var count: Int { range.count / type.width }
}

/// The header of a safetensors file: 8 bytes of length, JSON, then the data section
/// (https://huggingface.co/docs/safetensors, section Format).
struct SafetensorsHeader: Sendable {
    var metadata: [String: String]
    var entries: [String: SafetensorsEntry]
    /// Offset of the data section in the file.
    var dataStart: Int

    /// Longest header that is read; a TSIT model's is about 40 kB.
    static let longest = 16 << 20

    /// The length of the JSON, from the first 8 bytes of a file of `fileSize` bytes.
    ///
    /// - Throws: `TSITError` `.damagedFile` where this cannot be a safetensors file.
    static func length(prefix: some Collection<UInt8>, fileSize: Int, path: String) throws(TSITError) -> Int {
        guard prefix.count == 8 else { throw notSafetensors(path, "it has only \(fileSize) bytes") }
        let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length >= 2, length <= UInt64(longest) else { throw notSafetensors(path, "no header at its start") }
        guard Int(length) <= fileSize - 8 else { throw truncated(path) }
        return Int(length)
    }

    /// Parses and checks the JSON of a file of `fileSize` bytes.
    ///
    /// - Throws: `TSITError` `.damagedFile` where the header is not one, tensors overlap, leave holes or lie outside
    ///   the file, or a shape does not go with its range.
    init(json: Data, fileSize: Int, path: String) throws(TSITError) {
        let parsed: ParsedHeader
        do {
            parsed = try JSONDecoder().decode(ParsedHeader.self, from: json)
        } catch {
            throw Self.notSafetensors(path, Self.words(of: error))
        }
        metadata = parsed.metadata
        dataStart = 8 + json.count
        entries = [:]
        for (key, tensor) in parsed.tensors {
            entries[key] = try Self.entry(key, tensor, path)
        }
        try checkCoverage(fileSize: fileSize, path: path)
    }

    private static func entry(
        _ key: String, _ tensor: ParsedTensor, _ path: String
    ) throws(TSITError) -> SafetensorsEntry {
        func bad(_ why: String) -> TSITError {
            TSITError(
                .damagedFile, "\(quoted(path)): tensor \(quoted(key)) \(why)", remedy: "download or make it again")
        }
        guard let type = SafetensorsType(rawValue: tensor.dtype) else {
            throw bad("has the element type \(quoted(tensor.dtype)), which is none of F32, F16, U8")
        }
        guard tensor.data_offsets.count == 2, tensor.data_offsets[0] >= 0,
            tensor.data_offsets[0] <= tensor.data_offsets[1]
        else { throw bad("has no valid range") }
        let range = tensor.data_offsets[0]..<tensor.data_offsets[1]
        guard let count = elementCount(tensor.shape), count <= Int.max / type.width else {
            throw bad("has an impossible shape")
        }
        guard count * type.width == range.count else {
            throw bad("has \(range.count) bytes, its shape \(shapeText(tensor.shape)) needs \(count * type.width)")
        }
        return SafetensorsEntry(type: type, shape: tensor.shape, range: range)
    }

    /// The format allows neither overlaps nor holes, which makes the end of the last tensor the end of the file.
    private func checkCoverage(fileSize: Int, path: String) throws(TSITError) {
        var end = 0
        for range in entries.values.map(\.range).sorted(by: {
            ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound)
        }) {
            guard range.lowerBound == end else {
                throw TSITError(
                    .damagedFile, "\(quoted(path)): tensors overlap or leave a hole at byte \(range.lowerBound)",
                    remedy: "download or make it again")
            }
            end = range.upperBound
        }
        guard end <= fileSize - dataStart else { throw Self.truncated(path) }
        guard end == fileSize - dataStart else {
            throw TSITError(
                .damagedFile, "\(quoted(path)) goes on after its last tensor", remedy: "download or make it again")
        }
    }

    private static func notSafetensors(_ path: String, _ why: String) -> TSITError {
        TSITError(
            .damagedFile, "\(quoted(path)) is not a safetensors file",
            remedy: "import PyTorch checkpoints with `solstice model import`", cause: why)
    }

    private static func truncated(_ path: String) -> TSITError {
        TSITError(
            .damagedFile, "\(quoted(path)) is truncated: it ends before the data that its header announces",
            remedy: "download or make it again")
    }

    private static func words(of error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "its header lacks \(quoted(key.stringValue))"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "a wrong value at \(quoted(context.codingPath.map(\.stringValue).joined(separator: "/"))) in its header"
        default: "its header is not valid JSON"
        }
    }
}

/// The product of `shape`, or nil where it is negative anywhere or overflows.
func elementCount(_ shape: [Int]) -> Int? {
    var count = 1
    for size in shape {
        let (product, overflow) = count.multipliedReportingOverflow(by: size)
        guard size >= 0, !overflow else { return nil }
        count = product
    }
    return count
}

/// `[64, 3, 3, 3]` as `64x3x3x3`.
func shapeText(_ shape: [Int]) -> String {
    shape.isEmpty ? "scalar" : shape.prefix(8).map(String.init).joined(separator: "x") + (shape.count > 8 ? "x…" : "")
}

/// The JSON as it stands, before any check.
private struct ParsedHeader: Decodable {
    var metadata: [String: String] = [:]
    var tensors: [String: ParsedTensor] = [:]

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: AnyKey.self)
        for key in container.allKeys {
            if key.stringValue == "__metadata__" {
                metadata = try container.decode([String: String].self, forKey: key)
            } else {
                tensors[key.stringValue] = try container.decode(ParsedTensor.self, forKey: key)
            }
        }
    }
}

private struct ParsedTensor: Decodable {
    var dtype: String
    var shape: [Int]
    var data_offsets: [Int]
}

private struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}
