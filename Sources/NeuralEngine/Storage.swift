internal import Glibc
internal import Synchronization

/// Zeroed floats at an address that is a multiple of 64 bytes; large ones are mapped on their own, on huge pages where the
/// system has them, and take memory only where they have been written to.
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
        guard let memory = bytes >= Self.hugePage ? Self.mapped(bytes) : Self.allocated(bytes) else {
            Self.total.subtract(bytes, ordering: .relaxed)
            throw Self.outOfMemory([count])
        }
        base = memory.bindMemory(to: Float.self, capacity: count)
        self.count = count
    }

    private static func allocated(_ bytes: Int) -> UnsafeMutableRawPointer? {
        let whole = (bytes + 64) / 64 * 64
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, 64, whole) == 0, let memory else { return nil }
        memset(memory, 0, whole)
        return memory
    }

    /// Whole pages that begin where a huge page may. They come as zeros when they are first touched, and what lies behind the
    /// last huge page is small pages: rounding up would cost a megabyte for each of a network's hundred maps and weights.
    private static func mapped(_ bytes: Int) -> UnsafeMutableRawPointer? {
        let whole = wholePages(bytes)
        let size = whole + hugePage
        let mapping = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapping, mapping != MAP_FAILED else { return nil }
        let before = -Int(bitPattern: mapping) & (hugePage - 1)
        let memory = mapping + before
        if before > 0 { munmap(mapping, before) }
        if size - before > whole { munmap(memory + whole, size - before - whole) }
        madvise(memory, whole, MADV_HUGEPAGE)
        return memory
    }

    private static func wholePages(_ bytes: Int) -> Int { (bytes + pageSize - 1) / pageSize * pageSize }

    /// Bytes of the machine's memory.
    private static let physical = max(1, sysconf(Int32(_SC_PHYS_PAGES))) * pageSize
    private static let pageSize = max(1, sysconf(Int32(_SC_PAGESIZE)))
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
        if claimed >= Self.hugePage {
            munmap(base, Self.wholePages(claimed))
        } else {
            free(base)
        }
        Self.total.subtract(claimed, ordering: .relaxed)
    }

    private static var hugePage: Int { 2 << 20 }

    /// Copies `values` to the front; the rest stays as it is.
    func fill(_ values: [Float]) {
        precondition(values.count <= count)
        base.update(from: values, count: values.count)
    }
}
