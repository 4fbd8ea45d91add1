internal import CKernels
internal import Synchronization

/// Threads that compute one pass at a time: its items are claimed one by one, by the caller's thread as well.
///
/// Workers wait spinning for a moment, then asleep. A pass blocks its caller until all items are done, so stages call it
/// on threads of their own. Passes of several callers run one after the other.
public final class ThreadPool: @unchecked Sendable {
    // Safe to share: the C pool serialises its callers, and `pool` never changes.
    private let pool: OpaquePointer
    private let recorder: PassRecorder?

    /// Starts `threads - 1` workers (at most 1023); the caller of `run` is the remaining thread.
    ///
    /// Where the system gives fewer threads the pool works with those: results do not depend on their number.
    ///
    /// - Parameter recorder: times every pass, for measurements.
    public init(threads: Int, recorder: PassRecorder? = nil) {
        self.recorder = recorder
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

    /// Runs a kernel's pass, called `name` in measurements: `task` is the kernel's description, copied for the time of the call.
    func run<Task>(
        _ name: String, _ count: Int, _ kernel: @convention(c) (UnsafeRawPointer?, Int) -> Void, _ task: Task
    ) {
        guard let recorder else {
            withUnsafePointer(to: task) { ck_pool_run(pool, count, kernel, $0) }
            return
        }
        let time = ContinuousClock().measure { withUnsafePointer(to: task) { ck_pool_run(pool, count, kernel, $0) } }
        recorder.record(name, time)
    }
}

/// The passes that a pool has run, in order, with the time that each took.
public final class PassRecorder: Sendable {
    private let passes = Mutex<[(name: String, time: Duration)]>([])

    public init() {}

    func record(_ name: String, _ time: Duration) { passes.withLock { $0.append((name, time)) } }

    /// What has been recorded since the last call.
    public func take() -> [(name: String, time: Duration)] {
        passes.withLock { passes in
            defer { passes = [] }
            return passes
        }
    }
}
