/// A checkpoint of PyTorch before 1.6: five pickles (magic number, protocol, facts about the machine, the state dict,
/// the keys of the storages), then each storage in the order of the keys: its element count as 8 bytes, and its values.
struct LegacyCheckpoint: StorageLocator {
    let tensors: [String: CheckpointTensor]
    private let ranges: [String: Range<Int>]

    /// The pickle of 0x1950a86a20f9469cfc6c in protocol 2: PROTO 2, LONG1 of 10 bytes, STOP.
    private static let magic: [UInt8] = [
        0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, UInt8(ascii: "."),
    ]

    static func isLegacy(_ prefix: [UInt8]) -> Bool { prefix.starts(with: magic) }

    init(_ file: RandomAccessFile) throws(TSITError) {
        let head = try file.bytes(at: 0, count: min(file.size, PickleMachine.longestPickle))
        let description: Description
        do {
            description = try Self.describe(head, path: file.path)
        } catch let error as PickleError {
            throw error.error(file.path)
        } catch let error as TSITError {
            throw error
        } catch {
            throw Self.damaged(file, "\(error)")
        }
        tensors = description.tensors
        ranges = try Self.locate(description, file)
        for (key, tensor) in tensors where ranges[tensor.storage.key] == nil {
            throw Self.damaged(file, "it lacks the storage of \(quoted(key))")
        }
    }

    func check(_ key: String) throws(TSITError) {}

    func range(of key: String) throws(TSITError) -> Range<Int> {
        guard let range = ranges[key] else {
            throw TSITError(.damagedFile, "the checkpoint has no storage \(quoted(key))")
        }
        return range
    }

    private struct Description {
        var tensors: [String: CheckpointTensor]
        /// All storages by key, those included that no tensor of the dict uses any more.
        var storages: [String: StorageReference]
        /// Keys in the order of the file.
        var order: [String]
        /// Offset of the first storage.
        var end: Int
    }

    private static func describe(_ head: [UInt8], path: String) throws -> Description {
        var machine = PickleMachine(head, at: magic.count)
        guard case .int(1001) = try machine.run() else {
            throw machine.malformed("its protocol is not 1001")
        }
        guard case .dictionary(let index) = try machine.run() else {
            throw machine.malformed("no facts about its machine")
        }
        for (key, value) in machine.dictionaries[index] {
            if case .text("little_endian") = key, case .bool(false) = value {
                throw TSITError(
                    .unsupported, "\(quoted(path)) was saved on a big-endian machine",
                    remedy: "save it again on a little-endian machine")
            }
        }
        let tensors = try StateDictionary.tensors(try machine.run(), machine, path: path)
        guard case .list(let list) = try machine.run() else { throw machine.malformed("no list of storages") }
        var order: [String] = []
        for value in machine.lists[list] {
            guard case .text(let key) = value else { throw machine.malformed("a storage whose key is \(value.kind)") }
            order.append(key)
        }
        return Description(tensors: tensors, storages: machine.storages, order: order, end: machine.position)
    }

    /// Walks the storages behind the pickles; each has exactly the elements that the pickle gave it.
    private static func locate(
        _ description: Description, _ file: RandomAccessFile
    ) throws(TSITError) -> [String: Range<Int>] {
        var ranges: [String: Range<Int>] = [:]
        var position = description.end
        for key in description.order {
            guard let storage = description.storages[key] else {
                throw damaged(file, "nothing says what its storage \(quoted(key)) holds")
            }
            let counts: [Int64] = try file.values(at: position, count: 1)
            guard let count = counts.first, count == Int64(storage.count) else {
                throw damaged(
                    file, "its storage \(quoted(key)) has not the \(storage.count) elements that it announces")
            }
            position += 8
            guard storage.count <= (file.size - position) / storage.type.width else {
                throw damaged(file, "it is truncated: its storage \(quoted(key)) goes beyond its end")
            }
            let end = position + storage.count * storage.type.width
            guard ranges.updateValue(position..<end, forKey: key) == nil else {
                throw damaged(file, "it lists the storage \(quoted(key)) twice")
            }
            position = end
        }
        return ranges
    }

    private static func damaged(_ file: RandomAccessFile, _ what: String) -> TSITError {
        TSITError(
            .damagedFile, "\(quoted(file.path)) is not a readable PyTorch checkpoint: \(what)",
            remedy: "download or copy it again")
    }
}
