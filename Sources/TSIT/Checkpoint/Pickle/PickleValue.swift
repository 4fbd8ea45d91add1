/// A value on the pickle machine's stack.
///
/// Containers are indices into the machine's arenas, so that a value is never deeper than one level: no nesting in a
/// file can exhaust the call stack, and no cycle can leak.
enum PickleValue: Sendable {
    case mark
    case none
    case bool(Bool)
    case int(Int64)
    /// An integer that does not fit 64 bits, little-endian two's complement.
    case long([UInt8])
    case float(Double)
    case text(String)
    case tuple(Int)
    case list(Int)
    case dictionary(Int)
    case global(PickleGlobal)
    case storage(StorageReference)
    case tensor(CheckpointTensor)

    /// What the value is, for error messages.
    var kind: String {
        switch self {
        case .mark: "a mark"
        case .none: "None"
        case .bool: "a bool"
        case .int, .long: "an integer"
        case .float: "a float"
        case .text: "a string"
        case .tuple: "a tuple"
        case .list: "a list"
        case .dictionary: "a dict"
        case .global(let global): global.name
        case .storage: "a storage"
        case .tensor: "a tensor"
        }
    }
}

/// The only names that a checkpoint may refer to: what `torch.save` of a state dict writes. None of them is a piece of
/// code here; each stands for a way to describe a tensor.
enum PickleGlobal: Sendable, Equatable {
    case orderedDictionary
    case rebuildTensor
    case rebuildParameter
    case storage(StorageType)

    init?(module: String, name: String) {
        switch (module, name) {
        case ("collections", "OrderedDict"): self = .orderedDictionary
        case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
        case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
        case ("torch", _):
            guard let type = StorageType(rawValue: name) else { return nil }
            self = .storage(type)
        default: return nil
        }
    }

    var name: String {
        switch self {
        case .orderedDictionary: "collections.OrderedDict"
        case .rebuildTensor: "torch._utils._rebuild_tensor_v2"
        case .rebuildParameter: "torch._utils._rebuild_parameter"
        case .storage(let type): "torch.\(type.rawValue)"
        }
    }
}

/// Why a pickle is not read: the position, and what stands there.
struct PickleError: Error, Sendable {
    enum Kind: Sendable {
        /// It asks for something that rebuilding tensors does not need.
        case refused
        /// It is not a well-formed pickle, or goes beyond a limit.
        case malformed
    }

    var kind: Kind
    var what: String
    /// Offset of the opcode in the pickle's buffer.
    var offset: Int

    func error(_ path: String) -> TSITError {
        switch kind {
        case .refused:
            TSITError(
                .unsafeCheckpoint, "\(quoted(path)) is refused: \(what), which rebuilding tensors does not need",
                remedy: "save the generator's state_dict() with torch.save and import that; nothing was executed",
                cause: "byte \(offset) of the pickle")
        case .malformed:
            TSITError(
                .damagedFile, "\(quoted(path)) is not a readable PyTorch checkpoint: \(what)",
                remedy: "download it again, or save the generator's state_dict() with torch.save",
                cause: "byte \(offset) of the pickle")
        }
    }
}
