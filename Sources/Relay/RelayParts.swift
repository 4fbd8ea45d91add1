internal import Foundation
internal import Imaging
internal import MediaIO
internal import NeuralEngine
internal import Pipeline
internal import RTSP
internal import Synchronization
internal import TSIT

/// Everything that one relay consists of, and how it is joined.
final class RelayParts: Sendable {
    let stop = StopSign()
    private let request: RelayRequest
    private let translator: Translator
    private let onEvent: @Sendable (RelayEvent) -> Void
    private let clock = RelayClock()
    private let meter = RelayMeter()
    private let loss: LossState
    private let keyframes: KeyframeWish
    private let fanOut = FanOut()
    private let newest = Newest<ArrivedFrame>()
    private let handover = Handover<LiveTranslation>(capacity: 1)
    private let output = Settled<OutputParts>()
    private let pace = Settled<FramePace>()
    private let style: LiveStyle
    private let server: RTSPServer?
    private let pictures: RelayPictures?
    private let workers: [TargetWorker]
    private let threads = RelayThreads()
    private let failure = Mutex<(any Error)?>(nil)
    /// The wall clock, in seconds since 1970, when the relay's clock was zero.
    private let wallOrigin: Double

    init(_ request: RelayRequest, translator: Translator, onEvent: @escaping @Sendable (RelayEvent) -> Void) throws {
        self.request = request
        self.translator = translator
        self.onEvent = onEvent
        wallOrigin = Date().timeIntervalSince1970 - clock.now
        loss = LossState(isLost: false)
        let keyframes = KeyframeWish(interval: request.encoding.keyframeInterval)
        self.keyframes = keyframes
        style = LiveStyle(style: translator.styles.first, strength: request.translation.strength)
        server = request.listener.map { listener in
            RTSPServer(listener.configuration) { event in
                if case .playing = event { keyframes.wish() }
                onEvent(RelayEvent(event))
            }
        }
        pictures = request.previewFolder.map { RelayPictures(folder: $0) { onEvent(.notice($0)) } }
        var workers: [TargetWorker] = []
        let outlet = TargetOutlet(
            request: request, stop: stop, clock: clock, keyframes: keyframes, output: output, onEvent: onEvent)
        for target in request.targets { workers.append(outlet.worker(for: target)) }
        if let server, let listener = request.listener {
            workers.append(outlet.worker(serving: server, address: listener.address, wallOrigin: wallOrigin))
        }
        self.workers = workers
    }

    // MARK: - Running

    func run() async throws {
        if let server, let listener = request.listener {
            let port = try await server.start()
            onEvent(.listening(address: listener.address(port: port)))
        }
        var control: ControlServer?
        do {
            if let path = request.control { control = try await ControlServer.start(at: path, handler: ControlHandler(self)) }
        } catch {
            await server?.stop()
            throw error
        }
        // What has been given out so far is readable before the source is there: readers hear that it is not ready yet.
        startThreads()
        let left = await threads.wait()
        if !left.isEmpty { onEvent(.notice("ended without waiting for what still hangs: \(left.joined(separator: ", "))")) }
        await control?.stop()
        await server?.stop()
        if output.value != nil { onEvent(.status(status(resetsRates: false))) }
        if let error = failure.withLock({ $0 }) { throw error }
    }

    private func startThreads() {
        addThread("source", isEnd: true) { [self] in try sourceLoop().run() }
        addThread("translate") { [self] in try translateLoop()?.run() }
        addThread("finish") { [self] in try finish() }
        for worker in workers {
            fanOut.add(worker.ring) { [onEvent] lost in onEvent(.target(address: worker.label, .slow(packets: lost))) }
            addThread("target") { [self] in
                guard output.wait() != nil else { return }
                try worker.run()
            }
        }
        addThread("status") { [self] in while stop.sleep(request.statusInterval) { onEvent(.status(status(resetsRates: true))) } }
        if let pictures { addThread("pictures") { pictures.run() } }
        if request.format != nil { addThread("standby") { [self] in try startWithoutSource() } }
        addThread("stop") { [self] in endWhenStopped() }
    }

    /// Runs `body` on a thread of its own; an error, or with `isEnd` its return, stops the relay.
    private func addThread(_ name: String, isEnd: Bool = false, _ body: @escaping @Sendable () throws -> Void) {
        threads.start(name) { [self] in
            do {
                try body()
                if isEnd { drainAndStop() }
            } catch {
                failure.withLock { $0 = $0 ?? error }
                stop.raise()
            }
        }
    }

    /// After a file's end what is under way still comes out.
    private func drainAndStop() {
        _ = stop.sleep(0.3)
        stop.raise()
    }

    /// Ends every wait, in the order of a frame's way.
    private func endWhenStopped() {
        while stop.sleep(3600) {}
        newest.end()
        pictures?.end()
        handover.end()
        output.end()
        pace.end()
        // Nobody makes packets any more where there never was an output.
        if output.value == nil { fanOut.end() }
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.patience) { [threads] in threads.giveUp() }
    }

    /// Seconds after the stop that the threads have: a target may take `TargetWorker.finishing` for its last packet, and as
    /// long again for its goodbye.
    private static let patience = 2 * TargetWorker.finishing + 0.1

    private func finish() throws {
        defer { fanOut.end() }
        guard let output = output.wait(), let pace = pace.wait() else { return }
        let loop = FinishLoop(
            output: output, onLoss: request.onLoss, loss: loss, clock: clock, pace: pace, meter: meter, input: handover,
            fanOut: fanOut, keyframes: keyframes, pictures: pictures)
        try loop.run()
    }

    private func translateLoop() -> TranslateLoop? {
        guard let output = output.wait(), let pace = pace.wait() else { return nil }
        return TranslateLoop(
            network: output.network, style: style, alpha: translator.alpha, clock: clock, pace: pace, input: newest,
            output: handover)
    }

    // MARK: - Source

    private func sourceLoop() -> SourceLoop {
        SourceLoop(
            request, stop: stop, clock: clock, meter: meter, loss: loss, tell: onEvent,
            settle: { [self] input in try settle(format: request.format ?? LiveFormat(showing: input.video), audio: input.audio) },
            makeSession: { [self] input, output, interrupt, onFirstFrame in
                SourceSession(input: input, output: output, interrupt: interrupt, context: context(), onFirstFrame: onFirstFrame)
            })
    }

    private func context() -> SourceSession.Context {
        // Both are settled before the first session.
        let pace = pace.value ?? FramePace(rate: 25, ladder: nil)
        return SourceSession.Context(
            stop: stop, clock: clock, meter: meter, loss: loss, pace: pace, fanOut: fanOut, newest: newest,
            maxLatency: request.maxLatency,
            onVerdict: { [self] in heed($0) }, onNotice: { [onEvent] in onEvent(.notice($0)) })
    }

    /// With the output's size given, readers need not wait for a source that is not there: after a while it begins with the
    /// picture that stands in, and without audio.
    private func startWithoutSource() throws {
        guard let format = request.format, stop.sleep(Self.standby), output.value == nil else { return }
        _ = try settle(format: format, audio: nil)
        loss.set(true)
        onEvent(.notice("the source is not there yet: the output begins without it, and without audio"))
    }

    /// Seconds that an output of known size waits for its first source.
    static let standby = 5.0
    private let settling = Mutex<Void>(())

    /// Makes what the relay sends, once.
    private func settle(format: LiveFormat, audio: AudioTrack?) throws -> OutputParts {
        try settling.withLock { _ in
            if let output = output.value { return output }
            let encoder = try VideoEncoder(live: request.encoding, format: format)
            let translation = request.translation
            // A control command may raise a strength of 0 at any time.
            let showsSource = translation.showsSourceOnly && request.control == nil
            let network = showsSource
                ? nil
                : try LiveNetwork(
                    translator, size: translation.networkSize, format: format,
                    detail: DetailChoice(translation, translator: translator))
            if let size = network?.size { meter.note(networkSize: "\(size.width)x\(size.height)") }
            let made = OutputParts(
                format: format, audio: audio, encoder: encoder, streams: try LiveStreams(encoder: encoder, audio: audio),
                network: network)
            let ladder = request.adapts ? network.map { NetworkLadder(largest: $0.size) } : nil
            // What a source says of its rate is a guess from its first frames: only a rate that was asked for is a limit to it.
            let room = request.format == nil ? 1.5 : 1
            pace.settle(FramePace(rate: (format.frameRate.value ?? 25) * room, ladder: ladder))
            output.settle(made)
            return made
        }
    }

    private func heed(_ verdict: FramePace.Verdict) {
        switch verdict.change {
        case .slower(let rate, let wanted):
            let text = String(format: "this machine translates %.1f of %.1f frames per second: the others are left out evenly", rate, wanted)
            onEvent(.notice(text))
        case .full: onEvent(.notice("this machine keeps up with all frames again"))
        case nil: break
        }
        guard let size = verdict.size, let network = output.value?.network else { return }
        network.change(to: size) { [self] error in
            pace.value?.noteResized(failed: error != nil)
            if let error { return onEvent(.notice("the network stays as it is: \(error)")) }
            meter.note(networkSize: "\(size.width)x\(size.height)")
            onEvent(.notice("the network works at \(size.width)x\(size.height) now"))
        }
    }

    // MARK: - Control

    func status(resetsRates: Bool) -> RelayStatus {
        var status = meter.status(at: clock.now, resetsRates: resetsRates)
        status.jumps = clock.jumps
        status.targets = workers.map(\.status)
        status.readers = server?.readers.map { RelayStatus.Reader($0) } ?? []
        return status
    }

    /// Resolves a style and fades to it. Blocks while a picture goes through the style stream.
    func changeStyle(to recipe: StyleRecipe, fade: Double) throws {
        let found = try translator.statistics(of: recipe)
        try style.fade(to: found.statistics, over: fade, from: clock.now)
        for notice in found.notices { onEvent(.notice(notice)) }
    }

    func changeStrength(to strength: Float, fade: Double) throws {
        try style.fade(toStrength: strength, over: fade, from: clock.now)
    }
}
