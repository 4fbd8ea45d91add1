internal import Base
internal import Foundation

/// A place for one element, the newest: an older one that nobody has taken makes way for it.
final class Newest<Element: Sendable>: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `condition`.
    private let condition = NSCondition()
    private var element: Element?
    private var hasEnded = false

    /// Puts `new` in place; true where that threw an older one away.
    func put(_ new: Element) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        let overtakes = element != nil
        element = hasEnded ? nil : new
        condition.signal()
        return overtakes
    }

    /// The newest element, waiting for one; nil once ended.
    func take() -> Element? {
        condition.lock()
        defer { condition.unlock() }
        while element == nil && !hasEnded { condition.wait() }
        defer { element = nil }
        return element
    }

    /// Ends every present and future wait.
    func end() {
        condition.lock()
        defer { condition.unlock() }
        hasEnded = true
        element = nil
        condition.broadcast()
    }
}

/// Hands elements from one thread to another, which waits for them no longer than it wants.
final class Handover<Element: Sendable>: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `condition`.
    private let condition = MonotonicCondition()
    private let capacity: Int
    private var queue: [Element] = []
    private var hasEnded = false

    enum Outcome {
        case element(Element)
        case nothingYet
        case ended
    }

    init(capacity: Int) { self.capacity = capacity }

    /// Waits while the queue is full; false once ended.
    @discardableResult
    func send(_ element: Element) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while queue.count >= capacity && !hasEnded { condition.wait() }
        guard !hasEnded else { return false }
        queue.append(element)
        condition.broadcast()
        return true
    }

    /// The oldest element, waiting at most `patience` seconds for one.
    func receive(patience: Double) -> Outcome {
        condition.lock()
        defer { condition.unlock() }
        let deadline = MonotonicDeadline(after: patience)
        while queue.isEmpty && !hasEnded {
            if !condition.wait(until: deadline) { break }
        }
        if hasEnded { return .ended }
        guard !queue.isEmpty else { return .nothingYet }
        let element = queue.removeFirst()
        condition.broadcast()
        return .element(element)
    }

    /// Ends every present and future wait; what is queued is let go.
    func end() {
        condition.lock()
        defer { condition.unlock() }
        hasEnded = true
        queue = []
        condition.broadcast()
    }
}

/// Lets a thread sleep until it is told to stop.
final class StopSign: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `condition`.
    private let condition = MonotonicCondition()
    private var isUp = false
    private var actions: [Int: @Sendable () -> Void] = [:]
    private var nextAction = 0

    var isRaised: Bool {
        condition.lock()
        defer { condition.unlock() }
        return isUp
    }

    /// Sleeps for `seconds` or until the sign is raised; false in the latter case.
    func sleep(_ seconds: Double) -> Bool {
        let deadline = MonotonicDeadline(after: seconds)
        condition.lock()
        defer { condition.unlock() }
        while !isUp && condition.wait(until: deadline) {}
        return !isUp
    }

    func raise() {
        condition.lock()
        isUp = true
        let actions = Array(actions.values)
        self.actions = [:]
        condition.broadcast()
        condition.unlock()
        for action in actions { action() }
    }

    /// Runs `action` when the sign is raised, at once where it is already, as long as `body` runs.
    func doing<Result>(_ action: @escaping @Sendable () -> Void, while body: () throws -> Result) rethrows -> Result {
        condition.lock()
        let place = nextAction
        nextAction += 1
        let isLate = isUp
        if !isLate { actions[place] = action }
        condition.unlock()
        if isLate { action() }
        defer {
            condition.lock()
            actions[place] = nil
            condition.unlock()
        }
        return try body()
    }
}
