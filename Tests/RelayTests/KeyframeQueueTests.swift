import Testing

@testable import Relay

@Suite struct KeyframeQueueTests {
    @Test func beginsWithAKeyFrame() {
        var queue = KeyframeQueue<Int>(mostElements: 4, mostBytes: 100)
        #expect(queue.push(1, bytes: 1, role: .delta) == 0 && queue.push(2, bytes: 1, role: .other) == 0)
        #expect(queue.isEmpty)
        _ = queue.push(3, bytes: 1, role: .key)
        _ = queue.push(4, bytes: 1, role: .other)
        #expect(queue.pop() == 3 && queue.pop() == 4 && queue.pop() == nil)
        #expect(queue.lost == 0)
    }

    @Test func losesEverythingUpToTheNextKeyFrameWhenItIsFull() {
        var queue = KeyframeQueue<Int>(mostElements: 3, mostBytes: 100)
        for index in 0..<3 { #expect(queue.push(index, bytes: 1, role: index == 0 ? .key : .delta) == 0) }
        #expect(queue.push(3, bytes: 1, role: .delta) == 4)
        #expect(queue.push(4, bytes: 1, role: .delta) == 1)
        #expect(queue.push(5, bytes: 1, role: .key) == 0)
        #expect(queue.pop() == 5 && queue.lost == 5)
    }

    @Test func aKeyFrameTakesThePlaceOfAFullQueue() {
        var queue = KeyframeQueue<Int>(mostElements: 2, mostBytes: 100)
        _ = queue.push(0, bytes: 1, role: .key)
        _ = queue.push(1, bytes: 1, role: .delta)
        #expect(queue.push(2, bytes: 1, role: .key) == 2)
        #expect(queue.count == 1 && queue.pop() == 2)
    }

    @Test func isBoundedInBytes() {
        var queue = KeyframeQueue<Int>(mostElements: 1000, mostBytes: 100)
        _ = queue.push(0, bytes: 60, role: .key)
        #expect(queue.push(1, bytes: 60, role: .delta) == 2 && queue.bytes == 0)
        #expect(queue.push(2, bytes: 101, role: .key) == 1 && queue.isEmpty)
    }

    @Test func staysBoundedForLong() {
        var queue = KeyframeQueue<Int>(mostElements: 10, mostBytes: 1000)
        for index in 0..<10_000 {
            _ = queue.push(index, bytes: 10, role: index % 25 == 0 ? .key : .delta)
            if index % 3 != 0 { _ = queue.pop() }
            #expect(queue.count <= 10 && queue.bytes == queue.count * 10)
        }
    }
}
