internal import MediaIO
internal import Synchronization

/// Keeps one target supplied: connects, writes, and connects again for ever when it goes away.
final class TargetWorker: Sendable {
    let label: String
    let ring = PacketRing()
    /// Seconds that a packet may wait; nil where everything is to be kept.
    private let maxAge: Double?
    private let open: @Sendable (Interrupt) throws -> any TargetSink
    private let stop: StopSign
    private let clock: RelayClock
    private let keyframes: KeyframeWish
    private let tell: @Sendable (RelayEvent.TargetState) -> Void
    private let notice: @Sendable (String) -> Void
    private struct State: Sendable {
        var name = "connecting"
        var connections = 0
    }
    private let state = Mutex(State())

    /// Seconds that a connection may take, that one packet may take, and that saying goodbye may take.
    static let connecting = 10.0
    static let writing = 5.0
    static let finishing = 2.0

    /// - Parameters:
    ///   - maxAge: seconds that a packet may wait for this target before it is lost; nil where completeness counts.
    ///   - open: connects; called again after each loss.
    init(
        label: String, maxAge: Double?, stop: StopSign, clock: RelayClock, keyframes: KeyframeWish,
        tell: @escaping @Sendable (RelayEvent.TargetState) -> Void, notice: @escaping @Sendable (String) -> Void,
        open: @escaping @Sendable (Interrupt) throws -> any TargetSink
    ) {
        self.label = label
        self.maxAge = maxAge
        self.stop = stop
        self.clock = clock
        self.keyframes = keyframes
        self.tell = tell
        self.notice = notice
        self.open = open
    }

    var status: RelayStatus.Target {
        let state = state.withLock { $0 }
        return RelayStatus.Target(
            address: label, state: state.name, dropped: ring.lost, reconnects: max(0, state.connections - 1))
    }

    /// Runs until the ring has ended.
    ///
    /// - Throws: where the target can never work: the first attempt fails for a reason that time does not change.
    func run() throws {
        var backoff = Backoff(), generator = SystemRandomNumberGenerator()
        while !ring.isEnded {
            do {
                try connectOnce(attempt: backoff.failures + 1) { backoff.succeeded() }
            } catch {
                ring.close()
                if ring.isEnded { return note("lost", .lost(reason: "\(error)", retryIn: 0)) }
                if state.withLock({ $0.connections }) == 0, Self.isPermanent(error) { throw error }
                let pause = backoff.next(using: &generator).inSeconds
                note("lost", .lost(reason: "\(error)", retryIn: pause))
                _ = stop.sleep(pause)
            }
        }
    }

    private func connectOnce(attempt: Int, onConnection: () -> Void) throws {
        note("connecting", .connecting(attempt: attempt))
        let interrupt = Interrupt()
        try stop.doing({ interrupt.expire(after: .seconds(Self.finishing)) }) {
            interrupt.expire(after: .seconds(Self.connecting))
            let sink = try open(interrupt)
            for text in sink.notices { notice("\(label): \(text)") }
            state.withLock { $0.connections += 1 }
            onConnection()
            ring.open()
            keyframes.wish()
            note("running", .running)
            while let packet = next() {
                if !stop.isRaised { interrupt.expire(after: .seconds(Self.writing)) }
                try sink.write(packet)
            }
            interrupt.expire(after: .seconds(Self.finishing))
            try sink.finish()
        }
        note("finished", .finished)
    }

    private func next() -> Packet? {
        if let maxAge, ring.flush(olderThan: clock.now - maxAge) > 0 { keyframes.wish() }
        return ring.take()?.packet
    }

    private func note(_ name: String, _ event: RelayEvent.TargetState) {
        state.withLock { $0.name = name }
        tell(event)
    }

    /// True for what another attempt will not mend.
    private static func isPermanent(_ error: any Error) -> Bool {
        guard let error = error as? MediaError else { return false }
        switch error.code {
        case .denied, .unsupportedOption, .unsupported, .unknownContainer, .outputExists, .outputIsInput, .unwritable: return true
        default: return false
        }
    }
}
