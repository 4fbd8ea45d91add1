/// A checkpoint in a zip archive: `NAME/data.pkl` describes the tensors, `NAME/data/KEY` holds a storage each.
struct ZipCheckpoint: StorageLocator {
    let tensors: [String: CheckpointTensor]
    private let archive: ZipArchive
    private let folder: String

    init(_ file: RandomAccessFile) throws(TSITError) {
        archive = try ZipArchive(file)
        let pickles = archive.records.keys.filter { $0.hasSuffix("/data.pkl") && $0.split(separator: "/").count == 2 }
        guard pickles.count == 1, let name = pickles.first, let record = archive.records[name] else {
            throw TSITError(
                .damagedFile, "\(quoted(file.path)) is a zip file, but not a PyTorch checkpoint",
                remedy: "give a file that torch.save wrote", cause: "it has no single data.pkl")
        }
        folder = String(name.dropLast("data.pkl".count))
        guard record.range.count <= PickleMachine.longestPickle else {
            throw TSITError(
                .unsupported, "\(quoted(file.path)) has a pickle of \(record.range.count) bytes",
                remedy: "save only the generator's state_dict()")
        }
        try Self.checkByteOrder(archive.records[folder + "byteorder"], file)
        try archive.checkContents(of: record, name: name)
        var machine = PickleMachine(try file.bytes(at: record.range.lowerBound, count: record.range.count))
        do {
            tensors = try StateDictionary.tensors(try machine.run(), machine, path: file.path)
        } catch let error as PickleError {
            throw error.error(file.path)
        } catch let error as TSITError {
            throw error
        } catch {
            throw TSITError(.damagedFile, "\(quoted(file.path)) cannot be read", cause: "\(error)")
        }
        for (key, tensor) in tensors { try checkSize(tensor.storage, of: key, path: file.path) }
    }

    func check(_ key: String) throws(TSITError) {
        guard let record = archive.records[folder + "data/" + key] else { return }
        try archive.checkContents(of: record, name: folder + "data/" + key)
    }

    func range(of key: String) throws(TSITError) -> Range<Int> {
        guard let record = archive.records[folder + "data/" + key] else {
            throw TSITError(.damagedFile, "the checkpoint has no storage \(quoted(key))")
        }
        return record.range
    }

    private func checkSize(_ storage: StorageReference, of key: String, path: String) throws(TSITError) {
        guard let record = archive.records[folder + "data/" + storage.key] else {
            throw TSITError(
                .damagedFile, "\(quoted(path)) lacks the storage of \(quoted(key))", remedy: "download or copy it again"
            )
        }
        guard storage.count <= record.range.count / storage.type.width else {
            throw TSITError(
                .damagedFile,
                "\(quoted(path)): the storage of \(quoted(key)) has \(record.range.count) bytes, "
                    + "not \(storage.count) elements",
                remedy: "download or copy it again")
        }
    }

    private static func checkByteOrder(_ record: ZipArchive.Record?, _ file: RandomAccessFile) throws(TSITError) {
        guard let record else { return }
        let order = try file.bytes(at: record.range.lowerBound, count: min(16, record.range.count))
        guard order == Array("little".utf8) else {
            throw TSITError(
                .unsupported,
                "\(quoted(file.path)) was saved in the byte order \(quoted(String(decoding: order, as: UTF8.self)))",
                remedy: "save it again on a little-endian machine")
        }
    }
}
