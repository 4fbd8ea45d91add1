internal import Foundation
internal import Imaging
internal import MediaIO
internal import Synchronization
internal import TSIT

/// One conversion: a source goes in, its translation comes out beside every other stream, or nothing does; with several
/// outputs a translation in each one's style, all of them or none.
///
/// The way of a frame is in `StagePlan`; each stage runs on a thread of its own, joined to the next by a bounded channel,
/// so that while one frame is generated the next is decoded and the one before is encoded.
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
    ///   - chosen: which of the request's outputs are written, by their place; nil for all.
    ///   - trace: collects what every stage does, for tests and measurements.
    ///   - onProgress: called after every frame, on the encoder's thread; with several outputs that of the slowest.
    /// - Throws: `MediaError`, `TSITError`, or `CancellationError`; every output is then as it was before.
    public func run(
        chosen: [Int]? = nil, trace: Trace? = nil, onProgress: @escaping @Sendable (ConvertProgress) -> Void = { _ in }
    ) async throws -> ConvertReport {
        let chosen = chosen ?? Array(request.outputs.indices)
        precondition(!chosen.isEmpty && chosen.allSatisfy(request.outputs.indices.contains))
        let interrupt = Interrupt()
        return try await withTaskCancellationHandler {
            do {
                let parts = try await onOwnThread(named: "prepare") {
                    try ConvertParts(request, chosen: chosen, translator: translator, interrupt: interrupt)
                }
                return try await run(parts, interrupt: interrupt, trace: trace, onProgress: onProgress)
            } catch where interrupt.isTriggered {
                throw Task.isCancelled ? CancellationError() : error
            }
        } onCancel: {
            interrupt.trigger()
        }
    }

    /// The places of the outputs that are not there yet, or do not hold as many frames over as long a time as this
    /// conversion gives.
    public func missingOutputs() async throws -> [Int] {
        let outputs = request.outputs
        let present = outputs.indices.filter { FileManager.default.fileExists(atPath: outputs[$0]) }
        guard !present.isEmpty else { return Array(outputs.indices) }
        return try await onOwnThread(named: "verify") { [request] in
            let interrupt = Interrupt()
            let source = try SourceProbe.probe(path: request.input, interrupt: interrupt, sequenceRate: request.sequenceRate ?? ConvertRequest.usualRate)
            let window = try VideoWindow(start: request.start, duration: request.duration, of: source)
            return try outputs.indices.filter { place in
                guard present.contains(place) else { return true }
                guard let window else {
                    return try !OutputVerifier.isComplete(output: outputs[place], matches: source, interrupt: interrupt)
                }
                guard let done = try? SourceProbe.probe(path: outputs[place], interrupt: interrupt) else { return true }
                return !window.isFilled(by: done, from: source)
            }
        }
    }

    private func run(
        _ parts: ConvertParts, interrupt: Interrupt, trace: Trace?,
        onProgress: @escaping @Sendable (ConvertProgress) -> Void
    ) async throws -> ConvertReport {
        let started = ContinuousClock.now
        let tally = Mutex(Tally(branches: parts.branches.count))
        let total = parts.frameCountEstimate
        let plan = StagePlan(parts, trace: trace, onShutdown: { interrupt.trigger() }) { branch, seconds in
            guard let (frames, duration) = tally.withLock({ $0.note(branch, seconds) }) else { return }
            onProgress(
                ConvertProgress(
                    frame: frames, total: total, elapsed: (ContinuousClock.now - started).seconds, position: duration))
        }
        do {
            try await plan.group.run()
            let done = tally.withLock { $0 }
            guard done.frames > 0 || parts.window == nil else { throw Self.emptyWindow(request, parts.source) }
            let written = try await onOwnThread(named: "finish") {
                let preview = try parts.preview?.write()
                // All are complete before the first one gets its name.
                let reports = try zip(parts.outputs, done.counts).map { try $0.complete(expectedFrames: $1) }
                try MediaOutput.publish(parts.outputs, with: preview)
                return reports
            }
            return ConvertReport(
                frames: done.frames, damage: parts.damage.report, damagedFrames: parts.damage.ranges, outputs: written,
                notices: parts.source.notices + translator.notices, elapsed: (ContinuousClock.now - started).seconds,
                duration: done.duration + parts.lastFrameDuration, stages: plan.meters.map(\.times), styleWasCached: translator.styleWasCached)
        } catch {
            for output in parts.outputs { output.abandon() }
            parts.preview?.abandon()
            throw error
        }
    }

    private static func emptyWindow(_ request: ConvertRequest, _ source: SourceInfo) -> MediaError {
        let length = source.duration.map { " (\(($0 * 1000).rounded() / 1000) s long)" } ?? ""
        return MediaError(
            .unsupportedOption, "no frame of \(request.input)\(length) lies in the part to convert",
            remedy: "give an earlier --start")
    }

    /// What came out so far.
    private struct Tally: Sendable {
        /// Frames of each branch.
        private(set) var counts: [Int]
        private var first: Double?
        private var last: Double?

        init(branches: Int) { counts = Array(repeating: 0, count: branches) }

        /// Frames that every branch has.
        var frames: Int { counts.min() ?? 0 }

        /// Seconds of video, up to the start of the newest frame.
        var duration: Double { (last ?? 0) - (first ?? 0) }

        /// Counts a frame of `branch`, shown at `seconds`; what all have then, where that is one more.
        mutating func note(_ branch: Int, _ seconds: Double?) -> (frames: Int, duration: Double)? {
            let before = frames
            counts[branch] += 1
            guard frames > before else { return nil }
            first = first ?? seconds
            last = seconds ?? last
            return (frames, duration)
        }
    }
}
