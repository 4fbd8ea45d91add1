internal import CKernels

/// Threads that compute one pass at a time: its items are claimed one by one, by the caller's thread as well.
///
/// Workers wait spinning for a moment, then asleep. A pass blocks its caller until all items are done, so stages call it
/// on threads of their own. Passes of several callers run one after the other.
public final class ThreadPool: @unchecked Sendable {
    // Safe to share: the C pool serialises its callers, and `pool` never changes.
    private let pool: OpaquePointer

    /// Starts `threads - 1` workers (at most 1023); the caller of `run` is the remaining thread.
    ///
    /// Where the system gives fewer threads the pool works with those: results do not depend on their number.
    public init(threads: Int) {
        guard let pool = ck_pool_create(Int32(min(max(threads, 1), 1024))) else {
            fatalError("no memory for a pool of threads")
        }
        self.pool = pool
    }

    /// Cores that this process may run on.
    public static var coreCount: Int { Int(ck_core_count()) }

    deinit { ck_pool_destroy(pool) }

    public var threads: Int { Int(ck_pool_threads(pool)) }

    /// Calls `body` once for every index below `count`, in any order, on any of the threads; returns when all are done.
    public func run(_ count: Int, _ body: @Sendable (Int) -> Void) {
        withoutActuallyEscaping(body) { escaping in
            var box = escaping
            withUnsafePointer(to: &box) { pointer in
                let item: @convention(c) (UnsafeRawPointer?, Int) -> Void = { context, index in
                    context?.assumingMemoryBound(to: (@Sendable (Int) -> Void).self).pointee(index)
                }
                ck_pool_run(pool, max(0, count), item, pointer)
            }
        }
    }

    /// Runs a kernel's pass: `task` is the kernel's description, copied for the time of the call.
    func run<Task>(_ count: Int, _ kernel: @convention(c) (UnsafeRawPointer?, Int) -> Void, _ task: Task) {
        withUnsafePointer(to: task) { ck_pool_run(pool, count, kernel, $0) }
    }
}
