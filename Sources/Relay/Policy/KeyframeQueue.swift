/// A bounded queue of a video's packets and what goes with them, whose receiver may be too slow: it then loses everything up
/// to the next key frame, since nothing before that could be decoded.
struct KeyframeQueue<Element> {
    /// What an element is to the decoder behind the queue.
    enum Role: Sendable { case key, delta, other }

    private var elements: [(element: Element, bytes: Int)] = []
    /// Index of the oldest element; those before it are gone.
    private var start = 0
    private(set) var bytes = 0
    private let mostElements: Int
    private let mostBytes: Int
    /// True until a key frame comes.
    private(set) var waitsForKey = true
    /// Elements lost so far, apart from those before the first key frame.
    private(set) var lost = 0
    private var hasStarted = false

    init(mostElements: Int, mostBytes: Int) {
        precondition(mostElements > 0 && mostBytes > 0)
        self.mostElements = mostElements
        self.mostBytes = mostBytes
    }

    var count: Int { elements.count - start }
    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : elements[start].element }

    /// Queues an element, or loses it; returns how many were lost by that.
    mutating func push(_ element: Element, bytes size: Int, role: Role) -> Int {
        let before = lost
        if !waitsForKey, count >= mostElements || bytes + size > mostBytes { flush() }
        if role == .key, size <= mostBytes { waitsForKey = false }
        guard !waitsForKey else {
            if hasStarted { lost += 1 }
            return lost - before
        }
        hasStarted = true
        elements.append((element, size))
        bytes += size
        return lost - before
    }

    mutating func pop() -> Element? {
        guard start < elements.count else { return nil }
        let (element, size) = elements[start]
        start += 1
        bytes -= size
        if start > 64, start * 2 > elements.count {
            elements.removeFirst(start)
            start = 0
        }
        return element
    }

    /// Loses everything; the next element will be a key frame.
    mutating func flush() {
        lost += count
        clear()
    }

    /// Begins anew, for a receiver that has to begin anew: nothing counts as lost.
    mutating func restart() {
        clear()
        hasStarted = false
    }

    private mutating func clear() {
        elements.removeAll(keepingCapacity: true)
        start = 0
        bytes = 0
        waitsForKey = true
    }
}
