internal import Base
internal import Foundation

/// Writes lines on a thread of its own: a log whose reader has stopped reading must not hold up the stream.
final class LinePrinter: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `condition`.
    private let condition = MonotonicCondition()
    private var lines: [Line] = []
    private var isWriting = false
    private let write: @Sendable (Line) -> Void

    struct Line: Sendable, Equatable {
        var text: String
        /// On standard output rather than on standard error.
        var isOutput: Bool
    }

    /// Lines that may wait; beyond them the oldest are lost.
    static let most = 1000

    /// - Parameter write: may block; called for one line at a time.
    init(write: @escaping @Sendable (Line) -> Void) { self.write = write }

    /// Never waits for what is written.
    func put(_ line: Line) {
        condition.lock()
        defer { condition.unlock() }
        if lines.count >= Self.most { lines.removeFirst() }
        lines.append(line)
        guard !isWriting else { return }
        isWriting = true
        let thread = Thread { [self] in writeAll() }
        thread.name = "print"
        thread.start()
    }

    /// Waits until all is written, but no longer than so many seconds; false where lines are left.
    @discardableResult
    func finish(patience: Double = 0.5) -> Bool {
        let deadline = MonotonicDeadline(after: patience)
        condition.lock()
        defer { condition.unlock() }
        while isWriting { if !condition.wait(until: deadline) { return !isWriting } }
        return true
    }

    private func writeAll() {
        condition.lock()
        while !lines.isEmpty {
            let line = lines.removeFirst()
            condition.unlock()
            write(line)
            condition.lock()
        }
        isWriting = false
        condition.broadcast()
        condition.unlock()
    }
}
