internal import Foundation
internal import MediaIO

/// A packet and when it came to be, in seconds of the relay's clock.
struct TimedPacket: Sendable {
    let packet: Packet
    let at: Double
}

/// What waits for one thread: bounded, and never in the way of whoever offers.
final class PacketRing: @unchecked Sendable {
    // Safe to share: every access to the mutable state below holds `condition`.
    private let condition = NSCondition()
    private var queue: KeyframeQueue<TimedPacket>
    /// False while there is nobody to receive: what is offered is then not even lost.
    private var isOpen: Bool
    private var hasEnded = false

    /// - Parameters:
    ///   - mostPackets: how many packets may wait.
    ///   - mostBytes: how many bytes of payload may wait.
    init(mostPackets: Int = 512, mostBytes: Int = 16 << 20, isOpen: Bool = false) {
        queue = KeyframeQueue(mostElements: mostPackets, mostBytes: mostBytes)
        self.isOpen = isOpen
    }

    /// Queues a packet of the relay's timeline, or loses it where the receiver is too slow; returns how many were lost.
    func offer(_ packet: TimedPacket) -> Int {
        condition.lock()
        defer { condition.unlock() }
        guard isOpen, !hasEnded else { return 0 }
        let raw = packet.packet
        let role: KeyframeQueue<TimedPacket>.Role = raw.streamIndex != RelayClock.video ? .other : raw.isKey ? .key : .delta
        let lost = queue.push(packet, bytes: raw.size, role: role)
        condition.signal()
        return lost
    }

    /// The oldest packet, waiting for one; nil once ended and empty.
    func take() -> TimedPacket? {
        condition.lock()
        defer { condition.unlock() }
        while queue.isEmpty && !hasEnded { condition.wait() }
        return queue.pop()
    }

    /// Loses what waits where the oldest of it came before `time`; returns how many were lost.
    func flush(olderThan time: Double) -> Int {
        condition.lock()
        defer { condition.unlock() }
        guard let oldest = queue.first, oldest.at < time else { return 0 }
        let before = queue.lost
        queue.flush()
        return queue.lost - before
    }

    var isEmpty: Bool {
        condition.lock()
        defer { condition.unlock() }
        return queue.isEmpty
    }

    /// Forgets what waits and takes what is offered from now on, beginning with a key frame.
    func open() {
        condition.lock()
        defer { condition.unlock() }
        queue.restart()
        isOpen = true
    }

    /// Takes nothing more until it is opened again.
    func close() {
        condition.lock()
        defer { condition.unlock() }
        queue.restart()
        isOpen = false
    }

    var isEnded: Bool {
        condition.lock()
        defer { condition.unlock() }
        return hasEnded
    }

    /// Packets lost so far.
    var lost: Int {
        condition.lock()
        defer { condition.unlock() }
        return queue.lost
    }

    /// Nothing follows; what waits can still be taken.
    func end() {
        condition.lock()
        defer { condition.unlock() }
        hasEnded = true
        condition.broadcast()
    }
}
