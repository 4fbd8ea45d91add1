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
        /// When the connection at hand was made; nil while there is none.
        var connectedAt: Double?
    }
    private let state = Mutex(State())

    /// Seconds that a connection may take, that one packet may take, and that saying goodbye may take.
    static let connecting = 10.0
    static let writing = 5.0
    static let finishing = 2.0
    /// Seconds that a connection must last before the next loss counts as the first again: a server that hangs up at once, or
    /// a full disk, is not to be tried twice a second.
    static let steady = 3.0

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
        while !ring.isEnded, !stop.isRaised {
            do {
                try connectOnce(attempt: backoff.failures + 1)
            } catch {
                ring.close()
                if ring.isEnded || stop.isRaised { return note("lost", .lost(reason: "\(error)", retryIn: 0)) }
                let state = state.withLock { $0 }
                if state.connections == 0, Self.isPermanent(error) { throw error }
                if let since = state.connectedAt, clock.now - since >= Self.steady { backoff.succeeded() }
                let pause = backoff.next(using: &generator).inSeconds
                note("lost", .lost(reason: "\(error)", retryIn: pause))
                _ = stop.sleep(pause)
            }
        }
    }

    private func connectOnce(attempt: Int) throws {
        state.withLock { $0.connectedAt = nil }
        note("connecting", .connecting(attempt: attempt))
        let interrupt = Interrupt()
        try stop.doing({ interrupt.expire(after: .seconds(Self.finishing)) }) {
            allow(Self.connecting, interrupt)
            let sink = try open(interrupt)
            for text in sink.notices { notice("\(label): \(text)") }
            state.withLock { state in
                state.connections += 1
                state.connectedAt = clock.now
            }
            ring.open()
            keyframes.wish()
            note("running", .running)
            while let packet = next() {
                if !stop.isRaised { allow(Self.writing, interrupt) }
                try sink.write(packet)
            }
            interrupt.expire(after: .seconds(Self.finishing))
            try sink.finish()
        }
        note("finished", .finished)
    }

    /// Lets the next call take so many seconds; where the stop comes meanwhile, what it leaves.
    private func allow(_ seconds: Double, _ interrupt: Interrupt) {
        interrupt.expire(after: .seconds(seconds))
        // The stop's own, shorter limit may have been set a moment ago, and is not to be lifted again.
        if stop.isRaised { interrupt.expire(after: .seconds(Self.finishing)) }
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
