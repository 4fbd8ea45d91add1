internal import Base
public import Foundation

/// A program to start and what it is given.
public struct ChildOrder: Sendable {
    /// Path of the program. `ChildProcess.ownProgram` stays this very version while a newer one is installed in its place.
    public var executable: String
    /// Without the program's own name.
    public var arguments: [String]
    public var environment: [String: String]
    /// What stands on its standard input first.
    public var input: Data
    /// Standard input ends only with `closeInput()`, or when the parent dies: a child that watches for it never outlives the parent.
    public var keepsInputOpen: Bool
    /// 0...1000 (proc(5), oom_score_adj): where memory runs out, the kernel ends this process before its parent.
    public var oomScore: Int

    public init(
        _ executable: String, _ arguments: [String], environment: [String: String] = ChildProcess.inheritedEnvironment,
        input: Data = Data(), keepsInputOpen: Bool = true, oomScore: Int = 500
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.input = input
        self.keepsInputOpen = keepsInputOpen
        self.oomScore = oomScore
    }
}

/// How a child ended.
public struct ChildEnd: Sendable, Equatable {
    public enum Cause: Sendable, Equatable {
        case exited(Int32)
        case signalled(Int32)
    }

    public var cause: Cause
    /// The last signal that was sent through `ChildProcess`; nil where it ended by itself.
    public var sent: Int32?
    /// The last lines of standard error, `ChildProcess.mostErrors` bytes at most.
    public var errors: String
    /// Bytes of resident memory at its highest, seconds of CPU.
    public var peakMemory: Int
    public var cpuSeconds: Double

    public init(cause: Cause, sent: Int32? = nil, errors: String = "", peakMemory: Int = 0, cpuSeconds: Double = 0) {
        self.cause = cause
        self.sent = sent
        self.errors = errors
        self.peakMemory = peakMemory
        self.cpuSeconds = cpuSeconds
    }
}

/// A child process in a process group of its own, spoken to in lines.
///
/// One thread starts it and waits for its end, one reads and writes. The starting thread lives as long as the child, so a child
/// may ask for a signal on its parent's death (prctl(2), PR_SET_PDEATHSIG), which the kernel ties to that thread.
public final class ChildProcess: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `condition`.
    private let condition = MonotonicCondition()
    private var isReaped = false
    private var lastSent: Int32?
    private var ending: ChildEnd?
    private var waiters: [CheckedContinuation<ChildEnd, Never>] = []

    /// Process id, and that of its group.
    public private(set) var pid: Int32 = 0
    private let streams: ChildStreams
    private let onEnd: @Sendable (ChildEnd) -> Void

    /// Bytes of a line of output; the rest of a longer one is left out.
    public static let longestLine = 1 << 20
    /// Bytes of standard error that are kept.
    public static let mostErrors = 16 << 10
    /// Bytes that may wait for a child that does not read.
    public static let mostInput = 1 << 20

    /// Path of the running program itself, even after it was replaced or removed on the disk.
    public static let ownProgram = "/proc/self/exe"

    /// The environment without what systemd meant for this process alone.
    public static var inheritedEnvironment: [String: String] {
        let own = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "INVOCATION_ID"]
        return ProcessInfo.processInfo.environment.filter { !own.contains($0.key) }
    }

    private init(streams: ChildStreams, onEnd: @escaping @Sendable (ChildEnd) -> Void) {
        self.streams = streams
        self.onEnd = onEnd
    }

    /// Starts a program; returns once it runs.
    ///
    /// - Parameters:
    ///   - onLine: one line of standard output without its end; called on the reading thread, and the child waits while it takes long.
    ///   - onErrorLine: the same for standard error.
    ///   - onEnd: called once, after all lines; on a thread of its own.
    /// - Throws: `SystemFailure` `.cannotStart`.
    public static func start(
        _ order: ChildOrder, onLine: @escaping @Sendable (Data) -> Void = { _ in },
        onErrorLine: @escaping @Sendable (Data) -> Void = { _ in }, onEnd: @escaping @Sendable (ChildEnd) -> Void = { _ in }
    ) throws(SystemFailure) -> ChildProcess {
        let pipes = try ChildPipes()
        let streams = ChildStreams(pipes.own, input: order.input, keepsInputOpen: order.keepsInputOpen)
        let child = ChildProcess(streams: streams, onEnd: onEnd)
        let start = Handback<Result<Int32, SystemFailure>>()
        startThread("child") {
            let result = Spawn.start(order, pipes.child)
            pipes.child.close()
            if case .success(let pid) = result { child.pid = pid }
            start.put(result)
            guard case .success = result else { return }
            startThread("child streams") { streams.run(onLine: onLine, onErrorLine: onErrorLine) }
            child.waitAndReap()
        }
        do {
            _ = try start.take().get()
        } catch {
            streams.close()
            throw error
        }
        return child
    }

    // MARK: - Speaking to it

    /// Adds a line to standard input; false where that is closed or too much is waiting already. Never blocks.
    @discardableResult
    public func send(line: Data) -> Bool { streams.send(line + [UInt8(ascii: "\n")]) }

    /// Ends standard input once what waits is written.
    public func closeInput() { streams.closeInput() }

    /// Sends a signal to the child alone; nothing happens once it has ended.
    public func signal(_ number: Int32) { signal(number, toGroup: false) }

    /// Asks it to end with SIGTERM; where it still runs after `patience`, its whole group is killed.
    public func stop(patience: Duration) {
        signal(SIGTERM)
        DispatchQueue.global().asyncAfter(deadline: .now() + patience.seconds) { [weak self] in self?.kill() }
    }

    /// Ends it and its group at once.
    public func kill() { signal(SIGKILL, toGroup: true) }

    private func signal(_ number: Int32, toGroup: Bool) {
        condition.lock()
        defer { condition.unlock() }
        // Until it is reaped its number belongs to nobody else.
        guard !isReaped, pid > 0 else { return }
        lastSent = number
        Foundation.kill(toGroup ? -pid : pid, number)
    }

    // MARK: - Its end

    public var isRunning: Bool { end == nil }

    /// Nil while it runs.
    public var end: ChildEnd? {
        condition.lock()
        defer { condition.unlock() }
        return ending
    }

    /// Blocks until it has ended, or for `seconds`; nil in the latter case.
    public func wait(seconds: Double) -> ChildEnd? {
        let deadline = MonotonicDeadline(after: seconds)
        condition.lock()
        defer { condition.unlock() }
        while ending == nil && condition.wait(until: deadline) {}
        return ending
    }

    /// Waits for its end without blocking a thread.
    public func ended() async -> ChildEnd {
        await withCheckedContinuation { continuation in
            condition.lock()
            let ending = ending
            if ending == nil { waiters.append(continuation) }
            condition.unlock()
            if let ending { continuation.resume(returning: ending) }
        }
    }

    private func waitAndReap() {
        Spawn.awaitEnd(of: pid)
        condition.lock()
        // What it started in its group must not hold on to the pipes, nor outlive it.
        Foundation.kill(-pid, SIGKILL)
        let (cause, peakMemory, cpuSeconds) = Spawn.reap(pid)
        isReaped = true
        let sent = lastSent
        condition.unlock()
        let errors = streams.finish()
        let end = ChildEnd(cause: cause, sent: sent, errors: errors, peakMemory: peakMemory, cpuSeconds: cpuSeconds)
        onEnd(end)
        condition.lock()
        ending = end
        let waiters = waiters
        self.waiters = []
        condition.broadcast()
        condition.unlock()
        for waiter in waiters { waiter.resume(returning: end) }
    }

    private static func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread {
            // Signals are for the program's other threads; a child that reads no more shows as an error of the write.
            Spawn.blockSignals()
            body()
        }
        thread.name = name
        thread.stackSize = 512 << 10
        thread.start()
    }
}

/// One value handed from one thread to another that waits for it.
final class Handback<Value: Sendable>: @unchecked Sendable {
    // Safe to share: `value` is written before the semaphore is raised and read after it was taken.
    private let semaphore = DispatchSemaphore(value: 0)
    private var value: Value?

    func put(_ value: Value) {
        self.value = value
        semaphore.signal()
    }

    func take() -> Value {
        semaphore.wait()
        return value!
    }
}
