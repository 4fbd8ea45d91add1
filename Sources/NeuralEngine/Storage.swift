internal import Glibc
internal import Synchronization

/// Zeroed floats at an address that is a multiple of 64 bytes (2 MiB for large ones, on huge pages where the system has them).
final class Storage: @unchecked Sendable {
    // Safe to send: the memory is owned by this object alone; who may write it is its owner's affair.
    let base: UnsafeMutablePointer<Float>
    let count: Int
    private let claimed: Int

    /// The product of `sides` values, each at least 0.
    /// - Throws: `NeuralError` `.outOfMemory`.
    convenience init(_ sides: Int...) throws(NeuralError) {
        var count = 1
        for side in sides {
            let (product, overflow) = count.multipliedReportingOverflow(by: side)
            guard !overflow else { throw Self.outOfMemory(sides) }
            count = product
        }
        try self.init(count: count)
    }

    /// - Throws: `NeuralError` `.outOfMemory`.
    init(count: Int) throws(NeuralError) {
        precondition(count >= 0)
        let bytes = count * MemoryLayout<Float>.stride
        guard count <= Self.physical, Self.claim(bytes) else { throw Self.outOfMemory([count]) }
        claimed = bytes
        let alignment = bytes >= Self.hugePage ? Self.hugePage : 64
        let whole = (bytes + alignment) / alignment * alignment
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, alignment, whole) == 0, let memory else {
            Self.total.subtract(bytes, ordering: .relaxed)
            throw Self.outOfMemory([count])
        }
        if alignment == Self.hugePage { madvise(memory, whole, MADV_HUGEPAGE) }
        memset(memory, 0, whole)
        base = memory.bindMemory(to: Float.self, capacity: count)
        self.count = count
    }

    /// Bytes of the machine's memory.
    private static let physical = max(1, sysconf(Int32(_SC_PHYS_PAGES))) * max(1, sysconf(Int32(_SC_PAGESIZE)))
    /// Bytes of all storage that there is.
    private static let total = Atomic<Int>(0)

    /// Counts `bytes` in; false where all storage would then be larger than the machine's memory: the system would grant it
    /// and kill the program when it is used.
    private static func claim(_ bytes: Int) -> Bool {
        guard total.add(bytes, ordering: .relaxed).newValue <= physical else {
            total.subtract(bytes, ordering: .relaxed)
            return false
        }
        return true
    }

    private static func outOfMemory(_ sides: [Int]) -> NeuralError {
        NeuralError(
            .outOfMemory, "no memory for \(sides.map(String.init).joined(separator: " x ")) values",
            remedy: "use a smaller network size")
    }

    deinit {
        free(base)
        Self.total.subtract(claimed, ordering: .relaxed)
    }

    private static var hugePage: Int { 2 << 20 }

    /// Copies `values` to the front; the rest stays as it is.
    func fill(_ values: [Float]) {
        precondition(values.count <= count)
        base.update(from: values, count: values.count)
    }
}
