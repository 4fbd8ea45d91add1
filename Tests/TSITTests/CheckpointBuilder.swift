@testable import TSIT

/// Writes zip archives as torch.save does, and the ways in which an archive can lie.
struct ZipBuilder {
    struct Entry {
        var name: String
        var bytes: [UInt8]
        var method: UInt16 = 0
        var flags: UInt16 = 0
        /// Sizes that the headers claim in place of the true ones.
        var claimedSize: UInt64?
        var claimedStored: UInt64?
        /// Offset that the directory gives in place of the true one.
        var claimedOffset: UInt64?
        var crc: UInt32?
        /// Name in the local header in place of `name`.
        var localName: String?
    }

    var entries: [Entry]
    /// Writes every size and offset into zip64 fields, and zip64 end records.
    var isZip64 = false

    func build() -> [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for entry in entries {
            let offset = entry.claimedOffset ?? UInt64(file.count)
            let size = entry.claimedSize ?? UInt64(entry.bytes.count)
            let stored = entry.claimedStored ?? size
            var crc = CRC32()
            crc.update(entry.bytes)
            let wide = isZip64 || max(size, stored, offset) > 0xffff_fffe
            let common =
                littleEndian(UInt16(20)) + littleEndian(entry.flags) + littleEndian(entry.method) + [0, 0, 0, 0]
                + littleEndian(entry.crc ?? crc.value)
                + littleEndian(wide ? UInt32.max : UInt32(stored)) + littleEndian(wide ? UInt32.max : UInt32(size))
            let sizes = littleEndian(size) + littleEndian(stored)
            let local: [UInt8] = wide ? littleEndian(UInt16(1)) + littleEndian(UInt16(16)) + sizes : []
            let extra: [UInt8] =
                wide ? littleEndian(UInt16(1)) + littleEndian(UInt16(24)) + sizes + littleEndian(offset) : []
            let localName = Array((entry.localName ?? entry.name).utf8)
            file += [0x50, 0x4b, 3, 4] + common + littleEndian(UInt16(localName.count))
            file += littleEndian(UInt16(local.count)) + localName + local + entry.bytes
            directory += [0x50, 0x4b, 1, 2, 20, 0] + common + littleEndian(UInt16(entry.name.utf8.count))
            directory += littleEndian(UInt16(extra.count)) + [UInt8](repeating: 0, count: 10)
            directory += littleEndian(wide ? UInt32.max : UInt32(offset)) + Array(entry.name.utf8) + extra
        }
        return file + directory + ends(directoryOffset: file.count, directorySize: directory.count)
    }

    private func ends(directoryOffset: Int, directorySize: Int) -> [UInt8] {
        var result: [UInt8] = []
        let count = entries.count
        if isZip64 {
            result += [0x50, 0x4b, 6, 6] + littleEndian(UInt64(44)) + [45, 0, 45, 0] + [UInt8](repeating: 0, count: 8)
            result += littleEndian(UInt64(count)) + littleEndian(UInt64(count)) + littleEndian(UInt64(directorySize))
            result += littleEndian(UInt64(directoryOffset))
            result +=
                [0x50, 0x4b, 6, 7, 0, 0, 0, 0] + littleEndian(UInt64(directoryOffset + directorySize)) + [1, 0, 0, 0]
        }
        let narrow = isZip64 ? UInt16.max : UInt16(count)
        result += [0x50, 0x4b, 5, 6, 0, 0, 0, 0] + littleEndian(narrow) + littleEndian(narrow)
        result += littleEndian(isZip64 ? UInt32.max : UInt32(directorySize))
        return result + littleEndian(isZip64 ? UInt32.max : UInt32(directoryOffset)) + [0, 0]
    }
}

/// Writes state dicts as torch.save pickles them.
struct CheckpointBuilder {
    struct Tensor {
        var shape: [Int]
        var values: [Float]
    }

    var tensors: [String: Tensor]

    /// What the fixture holds; tests then change single tensors.
    init(fixture name: String = "zip.pth") throws {
        try self.init(path: CheckpointFixture.path(name))
    }

    init(path: String) throws {
        let checkpoint = try CheckpointFile(path: path)
        tensors = [:]
        for (key, tensor) in checkpoint.tensors where !key.hasSuffix("num_batches_tracked") {
            tensors[key] = Tensor(shape: tensor.shape, values: try checkpoint.floats(key, tensor))
        }
    }

    func zip() -> [UInt8] {
        let keys = tensors.keys.sorted()
        var entries = [ZipBuilder.Entry(name: "a/data.pkl", bytes: pickle(keys))]
        for (index, key) in keys.enumerated() {
            let bytes = tensors[key]?.values.withUnsafeBytes { Array($0) } ?? []
            entries.append(ZipBuilder.Entry(name: "a/data/\(index)", bytes: bytes))
        }
        return ZipBuilder(entries: entries).build()
    }

    private func pickle(_ keys: [String]) -> [UInt8] {
        var program: [UInt8] = [0x80, 2] + Pickled.emptyDictionary + [UInt8(ascii: "(")]
        for (index, key) in keys.enumerated() {
            guard let tensor = tensors[key] else { continue }
            program +=
                Pickled.text(key) + Pickled.tensor(storage: "\(index)", count: tensor.values.count, shape: tensor.shape)
        }
        return program + Array("u.".utf8)
    }
}

/// Pieces of pickles.
enum Pickled {
    static let emptyDictionary = global("collections", "OrderedDict") + Array(")R".utf8)

    static func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }

    static func text(_ text: String) -> [UInt8] {
        [UInt8(ascii: "X")] + littleEndian(UInt32(text.utf8.count)) + Array(text.utf8)
    }

    static func integer(_ value: Int) -> [UInt8] { [0x8a, 8] + littleEndian(Int64(value)) }

    static func tuple(_ values: [Int]) -> [UInt8] {
        [UInt8(ascii: "(")] + values.flatMap(integer) + [UInt8(ascii: "t")]
    }

    static func storage(_ key: String, type: String = "FloatStorage", count: Int) -> [UInt8] {
        Array("(".utf8) + text("storage") + global("torch", type) + text(key) + text("cpu") + integer(count)
            + Array("tQ".utf8)
    }

    static func tensor(
        storage key: String, type: String = "FloatStorage", count: Int, offset: Int = 0, shape: [Int],
        strides: [Int]? = nil
    ) -> [UInt8] {
        var contiguous = [Int](repeating: 1, count: shape.count)
        for axis in shape.indices.dropLast().reversed() { contiguous[axis] = contiguous[axis + 1] &* shape[axis + 1] }
        return global("torch._utils", "_rebuild_tensor_v2") + Array("(".utf8) + storage(key, type: type, count: count)
            + integer(offset) + tuple(shape) + tuple(strides ?? contiguous) + [0x89] + emptyDictionary
            + Array("tR".utf8)
    }

    /// A zip checkpoint whose data.pkl is `program`, with one storage of `floats` zeros.
    static func checkpoint(_ program: [UInt8], floats: Int = 4) -> [UInt8] {
        ZipBuilder(entries: [
            .init(name: "a/data.pkl", bytes: program),
            .init(name: "a/data/0", bytes: [UInt8](repeating: 0, count: 4 * floats)),
        ]).build()
    }
}
