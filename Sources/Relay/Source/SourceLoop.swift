internal import MediaIO
internal import Synchronization

/// Keeps the source playing: connects, reads, and connects again for ever when it goes away.
final class SourceLoop: Sendable {
    private let request: RelayRequest
    private let stop: StopSign
    private let clock: RelayClock
    private let meter: RelayMeter
    private let loss: LossState
    private let tell: @Sendable (RelayEvent) -> Void
    /// Makes the outputs when the first source is known; gives them back from then on. Blocks.
    private let settle: @Sendable (LiveInput) throws -> OutputParts
    private let makeSession: @Sendable (LiveInput, OutputParts, Interrupt, _ onFirstFrame: @escaping @Sendable () -> Void) -> SourceSession
    /// Connections that have given a frame.
    private let played = Atomic<Int>(0)

    /// Seconds that a connection may take.
    static let connecting = 10.0

    init(
        _ request: RelayRequest, stop: StopSign, clock: RelayClock, meter: RelayMeter, loss: LossState,
        tell: @escaping @Sendable (RelayEvent) -> Void, settle: @escaping @Sendable (LiveInput) throws -> OutputParts,
        makeSession: @escaping @Sendable (LiveInput, OutputParts, Interrupt, _ onFirstFrame: @escaping @Sendable () -> Void) -> SourceSession
    ) {
        self.request = request
        self.stop = stop
        self.clock = clock
        self.meter = meter
        self.loss = loss
        self.tell = tell
        self.settle = settle
        self.makeSession = makeSession
    }

    /// Runs until the source has ended for good or the relay is stopped.
    ///
    /// - Throws: where the source can never work: the first attempt fails for a reason that time does not change; with
    ///   `onLoss` `.end` also what ended a source that has played.
    func run() throws {
        var backoff = Backoff(), generator = SystemRandomNumberGenerator()
        while !stop.isRaised {
            meter.note(source: "connecting")
            tell(.source(.connecting(attempt: backoff.failures + 1)))
            let before = played.load(ordering: .relaxed)
            do {
                try playOnce()
                if stop.isRaised { return }
                guard played.load(ordering: .relaxed) > before else {
                    throw MediaError(.noVideo, "no picture of \(request.source) can be decoded")
                }
                if request.loops { continue }
                meter.note(source: "ended")
                return tell(.source(.ended))
            } catch {
                if stop.isRaised { return }
                let after = played.load(ordering: .relaxed), hasPlayed = after > 0
                if after > before { backoff.succeeded() }
                if !hasPlayed, isPermanent(error) { throw error }
                loss.set(true)
                if hasPlayed, request.onLoss == .end { throw error }
                let pause = backoff.next(using: &generator).inSeconds
                meter.note(source: "lost")
                tell(.source(.lost(reason: "\(error)", retryIn: pause)))
                _ = stop.sleep(pause)
            }
        }
    }

    /// One connection. Returns where a file has come to its end; anything else that ends is a loss.
    private func playOnce() throws {
        let interrupt = Interrupt()
        try stop.doing({ interrupt.trigger() }) {
            interrupt.expire(after: .seconds(Self.connecting))
            let input = try opened(interrupt)
            let output = try settle(input)
            clock.beginConnection()
            meter.note(source: "playing")
            tell(.source(.playing(description: input.summary)))
            let session = makeSession(input, output, interrupt) { [self] in
                if played.add(1, ordering: .relaxed).oldValue > 0 { meter.noteReconnect() }
            }
            try session.run()
            if stop.isRaised { return }
            guard request.source.scheme == .file else {
                throw MediaError(.unreachable, "\(request.source) has ended its stream")
            }
        }
    }

    private func opened(_ interrupt: Interrupt) throws -> LiveInput {
        do {
            return try LiveInput(request.source, transport: request.sourceTransport, interrupt: interrupt)
        } catch {
            guard error.code == .cancelled, interrupt.isExpired else { throw error }
            throw MediaError(.unreachable, "\(request.source) does not answer")
        }
    }

    /// True for what another attempt will not mend.
    private func isPermanent(_ error: any Error) -> Bool {
        guard let error = error as? MediaError else { return true }
        switch error.code {
        // A camera that is not plugged in yet is down like any other.
        case .noSuchFile: return request.source.scheme != .device
        case .unreachable, .stalled, .cancelled, .damaged: return false
        default: return true
        }
    }
}
