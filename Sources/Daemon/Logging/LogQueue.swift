internal import Base
internal import Foundation
internal import Logging

/// Hands records to a sink on a thread of its own: a log that is not read must not hold up the work.
final class LogQueue: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `condition`.
    private let condition = MonotonicCondition()
    private var waiting: [LogRecord] = []
    private var lost = 0
    private var isWriting = false
    private let sink: any LogSink

    /// Records that may wait; beyond them new ones are lost, and counted.
    static let most = 4096

    init(_ sink: any LogSink) { self.sink = sink }

    /// Never waits for the sink.
    func put(_ record: LogRecord) {
        condition.lock()
        defer { condition.unlock() }
        guard waiting.count < Self.most else {
            lost += 1
            return
        }
        waiting.append(record)
        guard !isWriting else { return }
        isWriting = true
        let thread = Thread { [self] in writeAll() }
        thread.name = "log"
        thread.stackSize = 512 << 10
        thread.start()
    }

    /// Waits until all is written, but no longer than so many seconds; false where records are left.
    @discardableResult
    func finish(patience: Double) -> Bool {
        let deadline = MonotonicDeadline(after: patience)
        condition.lock()
        defer { condition.unlock() }
        while isWriting { if !condition.wait(until: deadline) { return !isWriting } }
        return true
    }

    private func writeAll() {
        condition.lock()
        while !waiting.isEmpty {
            var records = waiting
            waiting = []
            if lost > 0 {
                records.append(LogRecord(level: .warning, text: "the log was not read fast enough", metadata: ["lost": "\(lost)"]))
                lost = 0
            }
            condition.unlock()
            for record in records { sink.write(record) }
            condition.lock()
        }
        isWriting = false
        condition.broadcast()
        condition.unlock()
    }
}
