/// A PyTorch state dict on disk, in either serialisation: which tensors there are, and their values one at a time.
///
/// Source of the formats: what `torch.save` of PyTorch 1.1 and 2.x write, looked at byte by byte.
final class CheckpointFile {
    /// How the file was serialised.
    enum Serialization: String, Sendable {
        /// The zip archive of PyTorch 1.6 and later.
        case zip
        /// The pickles and raw storages of earlier versions.
        case legacy
    }

    let path: String
    let serialization: Serialization
    /// The tensors by key, a data-parallel save's `module.` taken off.
    let tensors: [String: CheckpointTensor]
    let file: RandomAccessFile
    private let storages: any StorageLocator

    /// Opens a checkpoint, reads its pickle and checks that every storage is there in full.
    ///
    /// - Throws: `TSITError` `.noSuchFile`, `.damagedFile`, `.unsafeCheckpoint` (it asks for more than tensors),
    ///   `.unsupported`.
    init(path: String) throws(TSITError) {
        file = try RandomAccessFile(path: path)
        self.path = path
        let prefix = try file.bytes(at: 0, count: min(64, file.size))
        if ZipArchive.isZip(prefix) {
            serialization = .zip
            let archive = try ZipCheckpoint(file)
            storages = archive
            tensors = Self.withoutModulePrefix(archive.tensors)
        } else if LegacyCheckpoint.isLegacy(prefix) {
            serialization = .legacy
            let legacy = try LegacyCheckpoint(file)
            storages = legacy
            tensors = Self.withoutModulePrefix(legacy.tensors)
        } else {
            throw TSITError(
                .damagedFile, "\(quoted(path)) is not a PyTorch checkpoint",
                remedy: "give a file that torch.save wrote, such as latest_net_G.pth",
                cause: "it begins neither as a zip file nor with PyTorch's magic number")
        }
    }

    /// Compares the contents of all storages with their checksums, where the serialisation has any (the zip one).
    ///
    /// - Throws: `TSITError` `.damagedFile`.
    func checkContents() throws(TSITError) {
        for key in Set(tensors.values.map(\.storage.key)).sorted() { try storages.check(key) }
    }

    /// The values of a tensor in the order of its shape.
    ///
    /// - Throws: `TSITError` `.damagedFile` where it is not of a floating type or its bytes cannot be read.
    func floats(_ key: String, _ tensor: CheckpointTensor) throws(TSITError) -> [Float] {
        let storage = tensor.storage
        let start = try storages.range(of: storage.key).lowerBound + tensor.offset * storage.type.width
        switch storage.type {
        case .float: return tensor.gathered(try file.values(at: start, count: tensor.span))
        case .half: return HalfPrecision.floats(tensor.gathered(try file.values(at: start, count: tensor.span)))
        case .bfloat16:
            let bits: [UInt16] = tensor.gathered(try file.values(at: start, count: tensor.span))
            return bits.map { Float(bitPattern: UInt32($0) << 16) }
        case .double:
            let values: [Double] = tensor.gathered(try file.values(at: start, count: tensor.span))
            return values.map { Float($0) }
        default:
            throw TSITError(
                .damagedFile, "\(quoted(path)): \(quoted(key)) holds \(storage.type.rawValue) instead of floats",
                remedy: "save the generator's state_dict() with torch.save")
        }
    }

    /// Data-parallel training puts `module.` before every key; anything less uniform is left as it is.
    private static func withoutModulePrefix(_ tensors: [String: CheckpointTensor]) -> [String: CheckpointTensor] {
        let prefix = "module."
        guard tensors.keys.allSatisfy({ $0.hasPrefix(prefix) }) else { return tensors }
        return Dictionary(uniqueKeysWithValues: tensors.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
    }
}

/// Where a checkpoint's storages lie in its file.
protocol StorageLocator {
    /// Compares what the file holds for a storage with its checksum, where there is one.
    func check(_ key: String) throws(TSITError)
    /// The byte range of a storage; checked to be as long as the pickle says.
    func range(of key: String) throws(TSITError) -> Range<Int>
}

/// Turns a checkpoint's pickled object into tensors by key.
enum StateDictionary {
    /// The tensors of the dict that `value` must be.
    ///
    /// - Throws: `TSITError` `.damagedFile` where it is anything but a dict of tensors.
    static func tensors(
        _ value: PickleValue, _ machine: PickleMachine, path: String
    ) throws(TSITError) -> [String: CheckpointTensor] {
        guard case .dictionary(let index) = value else {
            throw notStateDict(path, "it holds \(value.kind)")
        }
        var tensors: [String: CheckpointTensor] = [:]
        for (key, value) in machine.dictionaries[index] {
            guard case .text(let name) = key else { throw notStateDict(path, "it has a key that is \(key.kind)") }
            guard case .tensor(let tensor) = value else {
                throw notStateDict(path, "its entry \(quoted(name)) is \(value.kind), not a tensor")
            }
            tensors[name] = tensor
        }
        guard !tensors.isEmpty else { throw notStateDict(path, "it has no tensors") }
        return tensors
    }

    private static func notStateDict(_ path: String, _ why: String) -> TSITError {
        TSITError(
            .damagedFile, "\(quoted(path)) is not a state dict: \(why)",
            remedy: "save the generator's state_dict() with torch.save and import that")
    }
}
