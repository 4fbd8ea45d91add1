internal import Foundation

/// The pipes of a child: the ends it gets, and those that stay here.
struct ChildPipes: Sendable {
    struct Ends: Sendable {
        var input: Int32
        var output: Int32
        var errors: Int32

        func close() { for end in [input, output, errors] where end >= 0 { _ = Foundation.close(end) } }
    }

    let child: Ends
    let own: Ends

    /// Throws `SystemFailure` `.cannotStart` where there are no more file descriptors.
    init() throws(SystemFailure) {
        var open: [Int32] = []
        do {
            for _ in 0..<3 {
                let pair = try Self.pair()
                open += [pair.read, pair.write]
            }
        } catch {
            for end in open { close(end) }
            throw error
        }
        child = Ends(input: open[0], output: open[3], errors: open[5])
        own = Ends(input: open[1], output: open[2], errors: open[4])
        for end in [own.input, own.output, own.errors] { Self.makeNonblocking(end) }
    }

    /// A pipe whose ends are closed in every child and are no standard streams.
    static func pair() throws(SystemFailure) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemFailure(.cannotStart, "no pipe can be made", errno: errno) }
        for place in 0..<2 where ends[place] <= STDERR_FILENO {
            let higher = fcntl(ends[place], F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
            let error = errno
            close(ends[place])
            ends[place] = higher
            guard higher >= 0 else {
                close(ends[1 - place])
                throw SystemFailure(.cannotStart, "no pipe can be made", errno: error)
            }
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    static func makeNonblocking(_ end: Int32) { _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) }
}

/// Reads a child's output and writes its input, all on one thread.
final class ChildStreams: @unchecked Sendable {
    // Safe to share: `waiting`, `closes`, `hasEnded`, `isOver` and `wake` are only touched with `lock` held, the rest by the thread in `run`.
    private let lock = NSLock()
    private var waiting: Data
    private var closes: Bool
    private var hasEnded = false
    private var isOver = false
    private var wake: (read: Int32, write: Int32) = (-1, -1)

    private var ends: ChildPipes.Ends
    private var errorTail = Data()
    private let over = DispatchSemaphore(value: 0)

    /// Seconds that a descendant outside the group may go on holding the pipes once the child has ended.
    private static let lingering = 1.0

    init(_ ends: ChildPipes.Ends, input: Data, keepsInputOpen: Bool) {
        self.ends = ends
        waiting = input
        closes = !keepsInputOpen
        if let pair = try? ChildPipes.pair() {
            wake = pair
            for end in [pair.read, pair.write] { ChildPipes.makeNonblocking(end) }
        }
    }

    func send(_ data: Data) -> Bool {
        lock.withLock {
            guard !closes, !isOver, waiting.count + data.count <= ChildProcess.mostInput else { return false }
            waiting += data
            wakeUp()
            return true
        }
    }

    func closeInput() {
        lock.withLock {
            closes = true
            wakeUp()
        }
    }

    /// Lets everything come in that the child has left behind; returns the last of its standard error.
    func finish() -> String {
        lock.withLock {
            hasEnded = true
            wakeUp()
        }
        over.wait()
        return String(decoding: errorTail, as: UTF8.self)
    }

    /// Closes all ends; for a child that never was.
    func close() {
        lock.withLock {
            isOver = true
            for end in [wake.read, wake.write] where end >= 0 { Foundation.close(end) }
            wake = (-1, -1)
        }
        ends.close()
    }

    /// With `lock` held.
    private func wakeUp() {
        guard wake.write >= 0 else { return }
        var byte: UInt8 = 1
        _ = Foundation.write(wake.write, &byte, 1)
    }

    // MARK: - The thread

    func run(onLine: (Data) -> Void, onErrorLine: (Data) -> Void) {
        var output = LineSplitter(limit: ChildProcess.longestLine), errors = LineSplitter(limit: ChildProcess.mostErrors)
        var deadline: ContinuousClock.Instant?
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while ends.output >= 0 || ends.errors >= 0 {
            writeInput()
            let (isWriting, childHasEnded) = lock.withLock { (!waiting.isEmpty && ends.input >= 0, hasEnded) }
            if childHasEnded && deadline == nil { deadline = .now + .seconds(Self.lingering) }
            if let deadline, .now >= deadline { break }
            var polled = [
                pollfd(fd: ends.output, events: Int16(POLLIN), revents: 0), pollfd(fd: ends.errors, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isWriting ? ends.input : -1, events: Int16(POLLOUT), revents: 0),
            ]
            // Without a pipe to be woken by, it looks ten times a second.
            let patience: Int32 = childHasEnded || wake.read < 0 ? 100 : -1
            guard poll(&polled, nfds_t(polled.count), patience) >= 0 || errno == EINTR else { break }
            if polled[2].revents != 0 { _ = read(wake.read, &buffer, buffer.count) }
            if polled[0].revents != 0 { take(&ends.output, &buffer) { output.add($0, onLine) } }
            if polled[1].revents != 0 {
                take(&ends.errors, &buffer) {
                    keep($0)
                    errors.add($0, onErrorLine)
                }
            }
        }
        output.finish(onLine)
        errors.finish(onErrorLine)
        close()
        ends = ChildPipes.Ends(input: -1, output: -1, errors: -1)
        over.signal()
    }

    /// Reads once what is there; closes the end that has no more to give.
    private func take(_ end: inout Int32, _ buffer: inout [UInt8], _ body: (ArraySlice<UInt8>) -> Void) {
        let count = read(end, &buffer, buffer.count)
        if count > 0 { return body(buffer[..<count]) }
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        Foundation.close(end)
        end = -1
    }

    private func keep(_ bytes: ArraySlice<UInt8>) {
        errorTail += bytes
        guard errorTail.count > ChildProcess.mostErrors else { return }
        errorTail = Data(errorTail.suffix(ChildProcess.mostErrors))
    }

    private func writeInput() {
        lock.withLock {
            while ends.input >= 0, !waiting.isEmpty {
                let count = waiting.withUnsafeBytes { Foundation.write(ends.input, $0.baseAddress, $0.count) }
                if count > 0 {
                    waiting = Data(waiting.dropFirst(count))
                } else if errno == EAGAIN {
                    return
                } else if errno != EINTR {
                    // It reads no more; what it says about that comes on its output.
                    waiting = Data()
                    closes = true
                }
            }
            guard closes, ends.input >= 0 else { return }
            Foundation.close(ends.input)
            ends.input = -1
        }
    }
}

/// Cuts a stream of bytes into lines of bounded length.
struct LineSplitter {
    private var line = Data()
    private let limit: Int

    /// - Parameter limit: bytes of a line; what goes beyond is left out.
    init(limit: Int) { self.limit = limit }

    mutating func add(_ bytes: ArraySlice<UInt8>, _ body: (Data) -> Void) {
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            append(rest[..<end])
            body(line)
            line = Data()
            rest = rest[(end + 1)...]
        }
        append(rest)
    }

    /// A last line without an end.
    mutating func finish(_ body: (Data) -> Void) {
        guard !line.isEmpty else { return }
        body(line)
        line = Data()
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>) { line += bytes.prefix(max(0, limit - line.count)) }
}
