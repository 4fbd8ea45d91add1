import Foundation
import Synchronization
import Testing

@testable import Pipeline

@Suite("Channel") struct ChannelTests {
    @Test("delivers in order and ends when every sender has finished")
    func order() async throws {
        let channel = Channel<Int>(capacity: 2, senders: 2)
        async let received = onOwnThread(named: "receiver") {
            var all: [Int] = []
            while let element = channel.receive() { all.append(element) }
            return all
        }
        try await onOwnThread(named: "sender") {
            for value in 0..<100 { #expect(channel.send(value)) }
            channel.finish()
        }
        channel.finish()
        #expect(try await received == Array(0..<100))
    }

    @Test("never holds more than its capacity")
    func bounded() async throws {
        let channel = Channel<Int>(capacity: 3)
        let sent = Box(0)
        async let sender: Void = onOwnThread(named: "sender") {
            for value in 0..<50 {
                channel.send(value)
                sent.mutate { $0 += 1 }
            }
            channel.finish()
        }
        // Not here: a test that blocks holds one of the few threads that tasks run on, the sender's too.
        let received = try await onOwnThread(named: "receiver") {
            var received = 0
            while channel.receive() != nil {
                received += 1
                // At most the capacity lies in the queue; the element just received may not have been counted as sent yet.
                #expect(sent.value <= received + 3)
            }
            return received
        }
        try await sender
        #expect(received == 50)
    }

    @Test("cancel ends a waiting receiver and a waiting sender")
    func cancel() async throws {
        let empty = Channel<Int>(capacity: 1)
        let full = Channel<Int>(capacity: 1)
        full.send(1)
        async let received = onOwnThread(named: "receiver") { empty.receive() }
        async let accepted = onOwnThread(named: "sender") { full.send(2) }
        empty.cancel()
        full.cancel()
        #expect(try await received == nil)
        #expect(try await accepted == false)
        #expect(full.receive() == nil)
    }
}

@Suite("StageGroup") struct StageGroupTests {
    private struct Broken: Error, Equatable {}

    /// A source that never ends by itself, three stages and a sink; `failing` throws at its tenth element.
    private func endlessGroup(failing: String?, shutdowns: Box<Int>) -> StageGroup {
        var group = StageGroup(onShutdown: { shutdowns.mutate { $0 += 1 } })
        let first = group.channel(of: Int.self, capacity: 1)
        let second = group.channel(of: Int.self, capacity: 1)
        let meters = ["source", "middle", "sink"].map { StageMeter($0) }
        @Sendable func work(_ meter: StageMeter) throws {
            try meter.work { if meter.times.name == failing, meter.times.count == 9 { throw Broken() } }
        }
        group.add("source") {
            while true {
                try work(meters[0])
                try meters[0].send(0, to: first)
            }
        }
        group.add("middle") {
            while let element = meters[1].receive(first) {
                try work(meters[1])
                try meters[1].send(element, to: second)
            }
        }
        group.add("sink") {
            while meters[2].receive(second) != nil { try work(meters[2]) }
        }
        return group
    }

    @Test("the first failure ends every other stage and is the one that is thrown", arguments: ["source", "middle", "sink"])
    func failure(stage: String) async throws {
        let shutdowns = Box(0)
        await #expect(throws: Broken.self) { try await endlessGroup(failing: stage, shutdowns: shutdowns).run() }
        #expect(shutdowns.value >= 1)
    }

    @Test("cancelling the task ends all stages")
    func cancellation() async throws {
        let shutdowns = Box(0)
        let task = Task { try await endlessGroup(failing: nil, shutdowns: shutdowns).run() }
        try await Task.sleep(for: .milliseconds(20))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(shutdowns.value >= 1)
    }

    @Test("leaves no thread and no element behind")
    func leaks() async throws {
        final class Element: Sendable {
            let alive: Box<Int>
            init(_ alive: Box<Int>) { self.alive = alive; alive.mutate { $0 += 1 } }
            deinit { alive.mutate { $0 -= 1 } }
        }
        let alive = Box(0)
        for _ in 0..<20 {
            var group = StageGroup(onShutdown: {})
            let channel = group.channel(of: Element.self, capacity: 4)
            group.add("source") { while channel.send(Element(alive)) {} }
            group.add("sink") { for _ in 0..<5 { _ = channel.receive() }; throw Broken() }
            await #expect(throws: Broken.self) { try await group.run() }
        }
        #expect(alive.value == 0)
    }
}

/// A counter that several threads may change.
final class Box<Value: Sendable>: Sendable {
    private let storage: Mutex<Value>
    init(_ value: Value) { storage = Mutex(value) }
    var value: Value { storage.withLock { $0 } }
    func mutate(_ body: (inout Value) -> Void) { storage.withLock { body(&$0) } }
}
