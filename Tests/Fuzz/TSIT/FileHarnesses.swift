import FuzzKit

@testable import TSIT

/// Opens a checkpoint, reads all its tensors and plans its import.
@Sendable func checkpoint(_ bytes: [UInt8]) throws -> Bool {
    try Scratch.withFile(bytes) { path in
        var isRead = false
        _ = try refusable {
            let checkpoint = try CheckpointFile(path: path)
            try checkpoint.checkContents()
            for (key, tensor) in checkpoint.tensors {
                try checkTensor(tensor)
                guard tensor.storage.type.isFloating else { continue }
                let count = try checkpoint.floats(key, tensor).count
                try hold(count == tensor.count, "\(count) values of \(tensor.count)")
                try hold(count <= bytes.count, "\(count) values of \(bytes.count) bytes")
            }
            isRead = true
            _ = try ImportPlan(checkpoint, encoder: nil, CheckpointImporter.Options())
        }
        return isRead
    }
}

/// Opens a safetensors file as it is and as a model, reads all its tensors, and writes them again.
@Sendable func safetensors(_ bytes: [UInt8]) throws -> Bool {
    try Scratch.withFile(bytes) { path in
        _ = try refusable { _ = try ModelFile(contentsOfFile: path).summary }
        return try refusable {
            let file = try SafetensorsFile(contentsOfFile: path)
            let size = file.header.entries.values.reduce(file.header.dataStart) { $0 + $1.range.count }
            try hold(size == bytes.count, "a header and tensors of \(size) of \(bytes.count) bytes")
            try Scratch.withFolder { try writeAgain(file, to: "\($0)/again") }
        }
    }
}

/// What is written has the same tensors and metadata when it is read.
private func writeAgain(_ file: SafetensorsFile, to path: String) throws {
    let entries = file.header.entries.sorted { $0.key < $1.key }
    let tensors = entries.map { (key: $0.key, type: $0.value.type == .half ? .float32 : $0.value.type, shape: $0.value.shape) }
    let writer = try SafetensorsWriter(path: path, tensors: tensors, metadata: file.header.metadata, digestKey: nil)
    for (key, entry) in entries {
        if entry.type == .byte { try writer.append(key, try file.integers(key) ?? []) } else { try writer.append(key, try file.floats(key) ?? []) }
    }
    let written = try writer.commit()
    let again = try SafetensorsFile(contentsOfFile: path)
    try hold(again.header.metadata == file.header.metadata, "other metadata after writing")
    try hold(again.header.entries.keys.sorted() == entries.map(\.key), "other tensors after writing")
    for (key, entry) in entries {
        try hold(again.header.entries[key]?.shape == entry.shape, "another shape after writing")
        let same = try again.integers(key) == file.integers(key) && again.floats(key)?.map(\.bitPattern) == file.floats(key)?.map(\.bitPattern)
        try hold(same, "other values after writing")
    }
    try hold(try again.digest() == written.digest && again.size == written.size, "another digest or size after writing")
}

/// Reads an array of NumPy.
@Sendable func npy(_ bytes: [UInt8]) throws -> Bool {
    try refusable {
        let array = try NPYArray(bytes)
        try hold(array.values.count == array.shape.reduce(1, *), "\(array.values.count) values of \(array.shape)")
        try hold(array.values.count * 4 < bytes.count, "\(array.values.count) values of \(bytes.count) bytes")
    }
}

/// Opens a style file, and writes what is in it again. Where only its digest is wrong, that is put right first: a fuzzer does not
/// find the digest of what it has changed.
@Sendable func style(_ bytes: [UInt8]) throws -> Bool {
    try Scratch.withFile(bytes) { path in
        _ = StyleFile.isMeant(by: path)
        _ = try refusable { _ = try StyleFile(contentsOfFile: path) }
        guard let file = try? SafetensorsFile(contentsOfFile: path), let wrong = file.header.metadata["digest"],
            let right = try? file.digest(), let fixed = replace(wrong, with: right, in: bytes)
        else { return false }
        return try Scratch.withFile(fixed) { path in
            try refusable {
                let style = try StyleFile(contentsOfFile: path)
                try Scratch.withFolder { folder in
                    try style.write(to: "\(folder)/again.style")
                    let again = try StyleFile(contentsOfFile: "\(folder)/again.style")
                    try hold(again == style, "another style after writing")
                }
            }
        }
    }
}

/// `bytes` with the first `old` replaced by `new` of the same length; nil where it is not there.
private func replace(_ old: String, with new: String, in bytes: [UInt8]) -> [UInt8]? {
    let (old, new) = (Array(old.utf8), Array(new.utf8))
    guard old.count == new.count, bytes.count >= old.count else { return nil }
    guard let place = (0...bytes.count - old.count).first(where: { bytes[$0...].starts(with: old) }) else { return nil }
    return Array(bytes[..<place]) + new + bytes[(place + old.count)...]
}

/// Calls `body`, which may refuse its input: false then. Its words are one line, whatever names the input holds.
func refusable(_ body: () throws -> Void) throws -> Bool {
    do {
        try body()
        return true
    } catch let error as TSITError {
        let isPlain = error.description.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        try hold(isPlain, "control characters in an error: \(error.description)")
        return false
    }
}
