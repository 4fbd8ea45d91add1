/// The few calls that a state dict's pickle makes, answered with descriptions of tensors.
extension PickleMachine {
    /// What `REDUCE` of `callee` with `arguments` stands for.
    mutating func rebuilt(_ callee: PickleValue, _ arguments: PickleValue) throws(PickleError) -> PickleValue {
        guard case .global(let global) = callee else { throw refused("REDUCE calls \(callee.kind)") }
        guard case .tuple(let index) = arguments else { throw malformed("REDUCE without a tuple") }
        let values = tuples[index]
        switch global {
        case .orderedDictionary: return try orderedDictionary(values)
        case .rebuildTensor: return .tensor(try tensor(values))
        case .rebuildParameter:
            guard values.count == 3, case .tensor = values[0] else { throw malformed("a parameter without a tensor") }
            return values[0]
        case .storage: throw refused("REDUCE calls \(global.name)")
        }
    }

    /// `BUILD` is what gives an OrderedDict its attributes; the only one of a state dict is `_metadata`, the versions
    /// of its modules, which say nothing about tensors.
    func checkState(_ state: PickleValue, of target: PickleValue) throws(PickleError) {
        guard case .dictionary = target else { throw refused("BUILD changes \(target.kind)") }
        guard case .dictionary(let index) = state, dictionaries[index].count <= 16 else {
            throw refused("BUILD sets \(state.kind)")
        }
        for (key, _) in dictionaries[index] {
            guard case .text("_metadata") = key else {
                if case .text(let name) = key { throw refused("BUILD sets the attribute \(quoted(name))") }
                throw refused("BUILD sets an attribute named by \(key.kind)")
            }
        }
    }

    /// A persistent id: ('storage', type, key, location, count), and in old files a view, which was None by then.
    mutating func storage(_ identifier: PickleValue) throws(PickleError) -> StorageReference {
        guard case .tuple(let index) = identifier else { throw refused("a persistent id that is \(identifier.kind)") }
        let values = tuples[index]
        guard case .text(let tag)? = values.first else { throw refused("a persistent id without a name") }
        guard tag == "storage" else { throw refused("a persistent id for \(quoted(tag))") }
        guard values.count == 5 || values.count == 6, case .global(.storage(let type)) = values[1],
            case .text(let key) = values[2], case .text = values[3], case .int(let count) = values[4], count >= 0
        else { throw malformed("a storage that is not described as one") }
        if values.count == 6 {
            guard case .none = values[5] else { throw refused("a view of a storage in place of a storage") }
        }
        let storage = StorageReference(type: type, key: key, count: Int(count))
        guard storages[key] == nil || storages[key] == storage else {
            throw malformed("the storage \(quoted(key)) described in two ways")
        }
        storages[key] = storage
        return storage
    }

    /// OrderedDict() or, from Python 2, OrderedDict([[key, value], ...]).
    private mutating func orderedDictionary(_ values: [PickleValue]) throws(PickleError) -> PickleValue {
        guard let first = values.first else { return try dictionary([]) }
        guard values.count == 1, case .list(let index) = first else {
            throw malformed("an OrderedDict of \(first.kind)")
        }
        var pairs: [(key: PickleValue, value: PickleValue)] = []
        for item in lists[index] {
            let pair: [PickleValue]
            switch item {
            case .list(let index): pair = lists[index]
            case .tuple(let index): pair = tuples[index]
            default: throw malformed("an OrderedDict with \(item.kind) for a pair")
            }
            guard pair.count == 2 else { throw malformed("an OrderedDict with a pair of \(pair.count)") }
            pairs.append((pair[0], pair[1]))
        }
        return try dictionary(pairs)
    }

    /// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]).
    private func tensor(_ values: [PickleValue]) throws(PickleError) -> CheckpointTensor {
        guard values.count == 6 || values.count == 7, case .storage(let storage) = values[0],
            case .int(let offset) = values[1], let shape = integers(values[2]), let strides = integers(values[3])
        else { throw malformed("a tensor that is not described as one") }
        guard let tensor = CheckpointTensor(storage: storage, offset: Int(offset), shape: shape, strides: strides)
        else {
            throw malformed(
                "a tensor of \(shapeText(shape)) that does not lie within its storage of \(storage.count) elements")
        }
        return tensor
    }

    private func integers(_ value: PickleValue) -> [Int]? {
        guard case .tuple(let index) = value, tuples[index].count <= 16 else { return nil }
        var result: [Int] = []
        for element in tuples[index] {
            guard case .int(let number) = element else { return nil }
            result.append(Int(number))
        }
        return result
    }
}
