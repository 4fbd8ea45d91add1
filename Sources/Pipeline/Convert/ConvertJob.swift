internal import Foundation
internal import Imaging
internal import MediaIO
internal import Synchronization
internal import TSIT

/// One conversion: a source goes in, its translation comes out beside every other stream, or nothing does.
///
/// The way of a frame is the list of stages in `addStages`; each runs on a thread of its own, joined to the next by a
/// bounded channel, so that while one frame is generated the next is decoded and the one before is encoded.
public struct ConvertJob: Sendable {
    public let request: ConvertRequest
    /// Shared by the conversions of one run; they take turns.
    private let translator: Translator

    public init(_ request: ConvertRequest, translator: Translator) {
        self.request = request
        self.translator = translator
    }

    /// Runs the conversion to its end.
    ///
    /// - Parameters:
    ///   - trace: collects what every stage does, for tests and measurements.
    ///   - onProgress: called after every frame, on the encoder's thread.
    /// - Throws: `MediaError`, `TSITError`, or `CancellationError`; the output is then as it was before.
    public func run(
        trace: Trace? = nil, onProgress: @escaping @Sendable (ConvertProgress) -> Void = { _ in }
    ) async throws -> ConvertReport {
        let interrupt = Interrupt()
        return try await withTaskCancellationHandler {
            do {
                let parts = try await onOwnThread(named: "prepare") {
                    try ConvertParts(request, translator: translator, interrupt: interrupt)
                }
                return try await run(parts, interrupt: interrupt, trace: trace, onProgress: onProgress)
            } catch where interrupt.isTriggered {
                throw Task.isCancelled ? CancellationError() : error
            }
        } onCancel: {
            interrupt.trigger()
        }
    }

    /// True where the output is there already and holds as many frames over as long a time as this conversion gives.
    public func isDone() async throws -> Bool {
        guard FileManager.default.fileExists(atPath: request.output) else { return false }
        return try await onOwnThread(named: "verify") { [request] in
            let interrupt = Interrupt()
            let source = try SourceProbe.probe(path: request.input, interrupt: interrupt, sequenceRate: request.sequenceRate ?? ConvertRequest.usualRate)
            guard let window = try VideoWindow(start: request.start, duration: request.duration, of: source) else {
                return try OutputVerifier.isComplete(output: request.output, matches: source, interrupt: interrupt)
            }
            guard let done = try? SourceProbe.probe(path: request.output, interrupt: interrupt) else { return false }
            return window.isFilled(by: done, from: source)
        }
    }

    private func run(
        _ parts: ConvertParts, interrupt: Interrupt, trace: Trace?,
        onProgress: @escaping @Sendable (ConvertProgress) -> Void
    ) async throws -> ConvertReport {
        let started = ContinuousClock.now
        let tally = Mutex(Tally())
        let total = parts.frameCountEstimate
        let progress: @Sendable (Int, Double?) -> Void = { count, seconds in
            let duration = tally.withLock { tally in
                tally.frames = count
                tally.note(seconds)
                return tally.duration
            }
            onProgress(
                ConvertProgress(
                    frame: count, total: total, elapsed: (ContinuousClock.now - started).seconds, position: duration))
        }
        var group = StageGroup(onShutdown: { interrupt.trigger() })
        let meters = addStages(to: &group, parts, trace: trace, onFrame: progress)
        do {
            try await group.run()
            let done = tally.withLock { $0 }
            guard done.frames > 0 || parts.window == nil else {
                let length = parts.source.duration.map { " (\(($0 * 1000).rounded() / 1000) s long)" } ?? ""
                throw MediaError(
                    .unsupportedOption, "no frame of \(request.input)\(length) lies in the part to convert",
                    remedy: "give an earlier --start")
            }
            let written = try await onOwnThread(named: "finish") {
                try parts.preview?.write()
                let report = try parts.output.finish(expectedFrames: done.frames)
                try parts.preview?.publish()
                return report
            }
            return ConvertReport(
                frames: done.frames, damage: parts.damage.report, damagedFrames: parts.damage.ranges, output: written,
                notices: parts.source.notices + translator.notices, elapsed: (ContinuousClock.now - started).seconds,
                duration: done.duration + parts.lastFrameDuration, stages: meters.map(\.times), styleWasCached: translator.styleWasCached)
        } catch {
            parts.output.abandon()
            parts.preview?.abandon()
            throw error
        }
    }

    /// The way of a frame, from the source to the output. Returns the stages' meters in that order.
    private func addStages(
        to group: inout StageGroup, _ parts: ConvertParts, trace: Trace?,
        onFrame: @escaping @Sendable (Int, Double?) -> Void
    ) -> [StageMeter] {
        var meters: [StageMeter] = []
        func meter(_ name: String) -> StageMeter {
            meters.append(StageMeter(name, trace: trace))
            return meters[meters.count - 1]
        }
        let packets = group.channel(of: Packet.self, capacity: Depth.packets)
        let decoded = group.channel(of: DecodedFrame.self, capacity: Depth.frames)
        let finished = group.channel(of: FinishedFrame.self, capacity: Depth.frames)
        let muxed = group.channel(of: Packet.self, capacity: Depth.packets, senders: 2)

        let demux = DemuxStage(
            demuxer: parts.demuxer, window: parts.window, meter: meter("demux"), video: packets, others: muxed)
        group.add("demux", demux.run)
        let decode = DecodeStage(
            decoder: parts.decoder, window: parts.window, limit: parts.limit, damage: parts.damage, meter: meter("decode"),
            input: packets, output: decoded)
        group.add("decode", decode.run)
        if let translation = parts.translation {
            let prepared = group.channel(of: PreparedFrame.self, capacity: Depth.frames)
            let translated = group.channel(of: TranslatedFrame.self, capacity: Depth.frames)
            let preprocess = PreprocessStage(
                scaler: translation.preprocessing, isDeep: parts.source.video.isDeep, meter: meter("preprocess"), input: decoded, output: prepared)
            group.add("preprocess", preprocess.run)
            let generate = GenerateStage(
                generator: translation.generator, style: translation.style, alpha: translation.alpha, meter: meter("generate"), input: prepared, output: translated)
            group.add("generate", generate.run)
            let postprocess = PostprocessStage(
                detail: translation.detail, scaler: translation.postprocessing, target: EncodedPicture(parts.encoder),
                orientation: parts.source.video.orientation, shownSize: translation.shownSize, strength: request.strength, preview: parts.preview,
                meter: meter("postprocess"), input: translated, output: finished)
            group.add("postprocess", postprocess.run)
        } else {
            let pass = PassStage(
                scaler: parts.passing, target: EncodedPicture(parts.encoder), isDeep: parts.source.video.isDeep,
                orientation: parts.source.video.orientation, preview: parts.preview,
                meter: meter("pass"), input: decoded, output: finished)
            group.add("pass", pass.run)
        }
        let encode = EncodeStage(
            encoder: parts.encoder, meter: meter("encode"), input: finished, output: muxed, onFrame: onFrame)
        group.add("encode", encode.run)
        let mux = MuxStage(output: parts.output, meter: meter("mux"), input: muxed)
        group.add("mux", mux.run)
        return meters
    }

    /// How many elements may wait between two stages: enough to overlap, few enough to keep memory flat.
    private enum Depth {
        static let packets = 16
        static let frames = 2
    }

    /// What came out so far.
    private struct Tally: Sendable {
        var frames = 0
        private var first: Double?
        private var last: Double?

        mutating func note(_ seconds: Double?) {
            first = first ?? seconds
            last = seconds ?? last
        }

        /// Seconds of video, up to the start of the newest frame.
        var duration: Double { (last ?? 0) - (first ?? 0) }
    }
}
