internal import Glibc

/// Zeroed floats at an address that is a multiple of 64 bytes (2 MiB for large ones, on huge pages where the system has them).
final class Storage: @unchecked Sendable {
    // Safe to send: the memory is owned by this object alone; who may write it is its owner's affair.
    let base: UnsafeMutablePointer<Float>
    let count: Int

    /// - Throws: `NeuralError` `.outOfMemory`.
    init(count: Int) throws(NeuralError) {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
        let alignment = bytes >= Self.hugePage ? Self.hugePage : 64
        let (padded, tooLarge) = bytes.addingReportingOverflow(alignment)
        var memory: UnsafeMutableRawPointer?
        guard count >= 0, !overflow, !tooLarge,
            posix_memalign(&memory, alignment, padded / alignment * alignment) == 0, let memory
        else { throw NeuralError(.outOfMemory, "no memory for \(count) values", remedy: "use a smaller network size") }
        if alignment == Self.hugePage { madvise(memory, padded / alignment * alignment, MADV_HUGEPAGE) }
        memset(memory, 0, padded / alignment * alignment)
        base = memory.bindMemory(to: Float.self, capacity: count)
        self.count = count
    }

    deinit { free(base) }

    private static var hugePage: Int { 2 << 20 }

    /// Copies `values` to the front; the rest stays as it is.
    func fill(_ values: [Float]) {
        precondition(values.count <= count)
        base.update(from: values, count: values.count)
    }
}
