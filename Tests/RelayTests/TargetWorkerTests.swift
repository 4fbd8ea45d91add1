import Synchronization
import Testing

@testable import MediaIO
@testable import Relay

@Suite struct TargetWorkerTests {
    private final class Sink: TargetSink {
        let notices: [String] = []
        func write(_ packet: Packet) throws { throw MediaError(.diskFull, "full") }
        func finish() throws {}
    }

    /// A key frame.
    private static func packet() throws -> TimedPacket {
        let packet = try Packet().restamped(
            streamIndex: RelayClock.video, pts: 0, dts: 0, duration: 1, timeBase: LiveFormat.timeBase)
        packet.raw.pointee.flags = 1
        return TimedPacket(packet: packet, at: 0)
    }

    /// Between two attempts a stop means that there is no further one, though packets may still be made.
    @Test func aStopBetweenTwoAttemptsIsTheEnd() throws {
        let stop = StopSign(), attempts = Mutex(0)
        let worker = TargetWorker(
            label: "target", maxAge: 1, stop: stop, clock: RelayClock(), keyframes: KeyframeWish(interval: 2),
            tell: { if case .lost = $0 { stop.raise() } }, notice: { _ in },
            open: { _ in
                let attempt = attempts.withLock { count in
                    count += 1
                    return count
                }
                // Without end where the stop is not heeded.
                throw MediaError(attempt < 10 ? .unreachable : .denied, "nobody answers")
            })
        try worker.run()
        #expect(attempts.withLock { $0 } == 1)
    }

    /// A full disk lets a file be opened, and a server may hang up at once: the pauses grow all the same.
    @Test func aConnectionThatBreaksAtOnceIsNoSuccess() throws {
        let stop = StopSign(), attempts = Mutex<[Int]>([]), packet = try Self.packet()
        let made = Mutex<TargetWorker?>(nil)
        let worker = TargetWorker(
            label: "target", maxAge: nil, stop: stop, clock: RelayClock(), keyframes: KeyframeWish(interval: 2),
            tell: { state in
                switch state {
                case .connecting(let attempt): attempts.withLock { $0.append(attempt) }
                case .running: _ = made.withLock { $0 }?.ring.offer(packet)
                case .lost where attempts.withLock { $0.count } == 3: stop.raise()
                default: break
                }
            }, notice: { _ in }, open: { _ in Sink() })
        made.withLock { $0 = worker }
        try worker.run()
        made.withLock { $0 = nil }
        #expect(attempts.withLock { $0 } == [1, 2, 3])
    }
}
