/// Things to be done by time: the earliest comes out first.
struct DeadlineHeap<Element: Sendable>: Sendable {
    private var items: [(deadline: Duration, element: Element)] = []

    /// The earliest deadline.
    var first: Duration? { items.first?.deadline }

    mutating func push(_ deadline: Duration, _ element: Element) {
        items.append((deadline, element))
        var child = items.count - 1
        while child > 0, items[child].deadline < items[(child - 1) / 2].deadline {
            items.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// The earliest of those that are due at `now`.
    mutating func pop(upTo now: Duration) -> (deadline: Duration, element: Element)? {
        guard let first = items.first, first.deadline <= now else { return nil }
        items.swapAt(0, items.count - 1)
        items.removeLast()
        var parent = 0
        while true {
            let children = (2 * parent + 1)..<min(2 * parent + 3, max(items.count, 2 * parent + 1))
            guard let least = children.min(by: { items[$0].deadline < items[$1].deadline }),
                items[least].deadline < items[parent].deadline
            else { return first }
            items.swapAt(parent, least)
            parent = least
        }
    }
}
