internal import Foundation
internal import Synchronization

/// What one stage did with its time, in seconds.
public struct StageTimes: Sendable, Equatable, Codable {
    public let name: String
    /// Elements worked on.
    public internal(set) var count = 0
    /// Time spent working.
    public internal(set) var busy = 0.0
    /// CPU time of that on the stage's own thread: less than `busy` where the machine has other work, or where a pool or
    /// a library's threads do a part of it.
    public internal(set) var cpu = 0.0
    /// Time spent waiting for something to work on.
    public internal(set) var starved = 0.0
    /// Time spent waiting for room behind.
    public internal(set) var blocked = 0.0
}

/// One piece of work of one stage: what a trace is made of. Times are seconds since the trace began.
public struct TraceEvent: Sendable, Equatable {
    public let stage: String
    /// Which frame (or packet) of the stage's own count it was.
    public let index: Int
    public let start: Double
    public let end: Double
}

/// Collects what stages did, for tests and for `bench`.
public final class Trace: Sendable {
    private let origin = ContinuousClock.now
    private let storage = Mutex<[TraceEvent]>([])

    public init() {}

    public var events: [TraceEvent] { storage.withLock { $0 } }

    func record(_ stage: String, index: Int, from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) {
        let event = TraceEvent(
            stage: stage, index: index, start: (start - origin).seconds, end: (end - origin).seconds)
        storage.withLock { $0.append(event) }
    }
}

/// Measures one stage. A stage uses its own meter from its own thread; anybody may read `times`.
public final class StageMeter: Sendable {
    private let state: Mutex<StageTimes>
    private let trace: Trace?

    public init(_ name: String, trace: Trace? = nil) {
        state = Mutex(StageTimes(name: name))
        self.trace = trace
    }

    public var times: StageTimes { state.withLock { $0 } }

    /// Times `body` as work on one element.
    func work<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        let start = ContinuousClock.now, startCPU = Self.threadCPU
        let result = try body()
        let end = ContinuousClock.now, endCPU = Self.threadCPU
        let (name, index) = state.withLock { times in
            times.busy += (end - start).seconds
            times.cpu += endCPU - startCPU
            times.count += 1
            return (times.name, times.count - 1)
        }
        trace?.record(name, index: index, from: start, to: end)
        return result
    }

    /// CPU seconds of the current thread.
    private static var threadCPU: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// Receives from `channel`, counting the wait.
    func receive<Element>(_ channel: Channel<Element>) -> Element? {
        let start = ContinuousClock.now
        let element = channel.receive()
        let waited = (ContinuousClock.now - start).seconds
        state.withLock { $0.starved += waited }
        return element
    }

    /// Sends to `channel`, counting the wait.
    ///
    /// Throws `CancellationError` when nobody will receive any more: another stage has failed or the run is cancelled.
    func send<Element>(_ element: Element, to channel: Channel<Element>) throws {
        let start = ContinuousClock.now
        let accepted = channel.send(element)
        let waited = (ContinuousClock.now - start).seconds
        state.withLock { $0.blocked += waited }
        guard accepted else { throw CancellationError() }
    }
}

extension Duration {
    var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
