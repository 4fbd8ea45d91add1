internal import Foundation
internal import MediaIO
internal import Pipeline
internal import Synchronization

/// One connection to the source, from its first packet to its last: a thread that reads, and one that decodes.
final class SourceSession: Sendable {
    private let input: LiveInput
    private let output: OutputParts
    private let interrupt: Interrupt
    private let context: Context
    private let onFirstFrame: @Sendable () -> Void
    private let ring = PacketRing(mostPackets: 1024, mostBytes: 64 << 20, isOpen: true)
    private let frames = Atomic<Int>(0)

    /// What all connections share.
    struct Context: Sendable {
        let stop: StopSign
        let clock: RelayClock
        let meter: RelayMeter
        let loss: LossState
        let pace: FramePace
        let fanOut: FanOut
        let newest: Newest<ArrivedFrame>
        let maxLatency: Double
        /// Called about once a second with what the pace asks for.
        let onVerdict: @Sendable (FramePace.Verdict) -> Void
        let onNotice: @Sendable (String) -> Void
    }

    /// Seconds without a frame after which a source counts as lost; longer before the first one, which must be a key frame.
    static let silence = 5.0
    static let firstFrame = 15.0

    /// - Parameter onFirstFrame: called once, on the decoding thread.
    init(
        input: LiveInput, output: OutputParts, interrupt: Interrupt, context: Context, onFirstFrame: @escaping @Sendable () -> Void
    ) {
        self.onFirstFrame = onFirstFrame
        self.input = input
        self.output = output
        self.interrupt = interrupt
        self.context = context
    }

    var hasGivenFrames: Bool { frames.load(ordering: .relaxed) > 0 }

    /// Runs to the end of the connection, on the calling thread and one more.
    ///
    /// - Throws: `MediaError` where it does not end by itself; `.stalled` where no frame came for too long.
    func run() throws {
        interrupt.expire(after: .seconds(Self.firstFrame))
        let failure = Mutex<(any Error)?>(nil)
        let decoded = DispatchSemaphore(value: 0)
        let thread = Thread { [self] in
            Thread.current.name = "decode"
            do { try decode() } catch { failure.withLock { $0 = error } }
            if failure.withLock({ $0 != nil }) { interrupt.trigger() }
            decoded.signal()
        }
        thread.stackSize = 8 << 20
        thread.start()
        var readFailure: (any Error)?
        do { try read() } catch { readFailure = error }
        // Asked before the decoder gives its last frames, each of which lets the source be silent for another while.
        let isStalled = (readFailure as? MediaError)?.code == .stalled || (interrupt.isExpired && !interrupt.isTriggered)
        ring.end()
        decoded.wait()
        if let failure = failure.withLock({ $0 }) { throw failure }
        guard let readFailure else { return }
        if isStalled {
            throw MediaError(.stalled, "no frame has come for \(Int(hasGivenFrames ? Self.silence : Self.firstFrame)) s")
        }
        throw readFailure
    }

    // MARK: - Reading

    private func read() throws {
        var playout = input.playoutSpeed.map { Playout(clock: context.clock, stop: context.stop, speed: $0) }
        let audio = passingAudio()
        while let packet = try input.next() {
            let now = context.clock.now
            let isVideo = packet.streamIndex == input.video.streamIndex
            guard isVideo || (audio && packet.streamIndex == input.audioIndex),
                let stamped = try context.clock.stamp(packet, as: isVideo ? RelayClock.video : RelayClock.audio, at: now)
            else { continue }
            if playout != nil {
                guard playout!.wait(for: stamped) else { return }
                // A pause that the source wanted is no silence; sound without pictures, where it comes from a server, is.
                if isVideo || input.address.scheme == .file { interrupt.expire(after: .seconds(Self.silence)) }
            }
            let timed = TimedPacket(packet: stamped, at: context.clock.now)
            if isVideo { context.meter.noteDropped(ring.offer(timed)) } else { context.fanOut.offer(timed) }
        }
    }

    /// Whether this source's audio can go on where the first source's was; says so where it cannot.
    private func passingAudio() -> Bool {
        guard let wanted = output.audio else {
            if input.audio != nil { context.onNotice("the source has audio now; the output, which began without, stays so") }
            return false
        }
        guard let audio = input.audio else {
            context.onNotice("the source has no audio now; the output is silent")
            return false
        }
        guard audio.isInterchangeable(with: wanted) else {
            context.onNotice("the source's audio is \(audio.summary) now instead of \(wanted.summary); the output is silent")
            return false
        }
        return true
    }

    // MARK: - Decoding

    private func decode() throws {
        let decoder = try LiveDecoder(input: input, format: output.format, threads: 0)
        var arrival = context.clock.now
        while let timed = ring.take() {
            // After a stop nobody waits for what has come.
            if context.stop.isRaised { return }
            // A decoder that cannot keep up would fall behind for ever.
            let late = ring.flush(olderThan: context.clock.now - max(2, 4 * context.maxLatency))
            if late > 0 {
                context.meter.noteDropped(late)
                // The next one to be decoded is a key frame, which is no more overdue than at the start.
                interrupt.expire(after: .seconds(Self.firstFrame))
            }
            try decoder.decode(timed.packet) { take($0, arrival: timed.at) }
            context.onVerdict(context.pace.judge(now: context.clock.now))
            arrival = timed.at
        }
        try decoder.finish { take($0, arrival: arrival) }
    }

    private func take(_ frame: Frame, arrival: Double) {
        interrupt.expire(after: .seconds(Self.silence))
        if frames.add(1, ordering: .relaxed).oldValue == 0 { onFirstFrame() }
        context.meter.noteFrameIn()
        pass(ArrivedFrame(frame: frame, arrival: arrival))
    }

    private func pass(_ arrived: ArrivedFrame) {
        context.loss.set(false)
        let time = Double(arrived.frame.pts ?? 0) / Double(LiveFormat.timeBase.denominator)
        // What has waited too long is only worth showing where nothing newer is at hand.
        let isStale = context.clock.now - arrived.arrival > context.maxLatency && !ring.isEmpty
        guard !isStale, context.pace.admits(at: time) else { return context.meter.noteDropped() }
        if context.newest.put(arrived) {
            context.pace.noteOvertaken()
            context.meter.noteDropped()
        }
    }
}
