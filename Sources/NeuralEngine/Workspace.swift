internal import CKernels

/// Scratch memory that the convolutions of one network share, since they run one after another; it grows to what the
/// largest of them needs while the network is built, and a frame allocates nothing.
public final class Workspace: @unchecked Sendable {
    // Safe to send: a network is built by one thread, and runs one pass at a time.
    /// Threads of the largest pool that may run the network.
    let threads: Int
    private var scratch: Storage?
    private var transformed: Storage?
    /// Floats of one thread's scratch.
    private(set) var scratchStride = 0

    public init(threads: Int) {
        precondition(threads > 0)
        self.threads = threads
    }

    /// Makes room for a pass of `scratch` floats for each thread and `transformed` floats for all of them.
    /// - Throws: `NeuralError` `.outOfMemory`.
    func reserve(scratch count: Int, transformed shared: Int) throws(NeuralError) {
        if count > scratchStride {
            // Threads keep to cache lines of their own.
            let stride = (count + 15) / 16 * 16
            scratch = nil
            scratch = try Storage(stride, threads)
            scratchStride = stride
        }
        if shared > transformed?.count ?? 0 {
            transformed = nil
            transformed = try Storage(count: shared)
        }
    }

    var scratchBase: UnsafeMutablePointer<Float>? { scratch?.base }
    var transformedBase: UnsafeMutablePointer<Float>? { transformed?.base }
}
