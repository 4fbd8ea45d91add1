/// Element types of PyTorch's typed storages, by the name of their class.
enum StorageType: String, Sendable, CaseIterable {
    case float = "FloatStorage"
    case half = "HalfStorage"
    case bfloat16 = "BFloat16Storage"
    case double = "DoubleStorage"
    case long = "LongStorage"
    case int = "IntStorage"
    case short = "ShortStorage"
    case char = "CharStorage"
    case byte = "ByteStorage"
    case bool = "BoolStorage"

    /// Bytes per element.
    var width: Int {
        switch self {
        case .double, .long: 8
        case .float, .int: 4
        case .half, .bfloat16, .short: 2
        case .char, .byte, .bool: 1
        }
    }

    var isFloating: Bool {
        switch self {
        case .float, .half, .bfloat16, .double: true
        default: false
        }
    }
}

/// A storage as a checkpoint's pickle names it; the numbers lie elsewhere in the file.
struct StorageReference: Sendable, Equatable {
    var type: StorageType
    /// The name of its record in the zip, or its key in the legacy list.
    var key: String
    /// Elements, as declared; compared with what the file holds before any use.
    var count: Int
}

/// A tensor as a checkpoint's pickle describes it: a view of a storage.
struct CheckpointTensor: Sendable, Equatable {
    var storage: StorageReference
    /// First element within the storage.
    var offset: Int
    var shape: [Int]
    /// Distance in elements between neighbours along each dimension.
    var strides: [Int]
    /// Product of the shape.
    var count: Int

    /// A view whose every element lies within the storage, of no more elements than the storage has.
    ///
    /// Returns nil for any other view: a tensor that repeats elements (an expanded one) could claim any amount of
    /// memory with a few bytes.
    init?(storage: StorageReference, offset: Int, shape: [Int], strides: [Int]) {
        // An empty view has a place too, which readers turn into a byte offset.
        guard shape.count == strides.count, shape.count <= 8, storage.count >= 0, (0...storage.count).contains(offset) else { return nil }
        guard let count = elementCount(shape), count <= storage.count else { return nil }
        guard strides.allSatisfy({ $0 >= 0 }) else { return nil }
        var last = offset
        if count > 0 {
            for (size, stride) in zip(shape, strides) {
                let (span, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
                let (sum, overflowed) = last.addingReportingOverflow(span)
                guard !overflow, !overflowed else { return nil }
                last = sum
            }
            guard last < storage.count else { return nil }
        }
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.strides = strides
        self.count = count
    }

    /// True where the elements lie one after the other in the order of the shape.
    var isContiguous: Bool {
        if count == 0 { return true }
        var expected = 1
        for (size, stride) in zip(shape, strides).reversed() where size != 1 {
            guard stride == expected else { return false }
            expected *= size
        }
        return true
    }

    /// Elements from the first to the last one that the view takes.
    var span: Int { count == 0 ? 0 : zip(shape, strides).reduce(1) { $0 + ($1.0 - 1) * $1.1 } }

    /// Puts the elements of `values`, which holds `span` of them, into the order of the shape.
    func gathered<Element>(_ values: [Element]) -> [Element] {
        guard !isContiguous, count > 0 else { return values }
        var result: [Element] = []
        result.reserveCapacity(count)
        var index = [Int](repeating: 0, count: shape.count)
        var position = 0
        for _ in 0..<count {
            result.append(values[position])
            for axis in shape.indices.reversed() {
                index[axis] += 1
                position += strides[axis]
                if index[axis] < shape[axis] { break }
                position -= index[axis] * strides[axis]
                index[axis] = 0
            }
        }
        return result
    }
}
