internal import Foundation
public import MediaIO
internal import Synchronization

/// The conversion of one video that may be ended at any moment, by any means, and is taken up again: frames are rendered into
/// a journal (`PacketJournal`), of which at most the last run is lost, and joined with the source's other streams at the end.
///
/// What comes out is what `ConvertJob` gives: the same frames at the same times; encoded bytes differ, since every run has an
/// encoder of its own.
public final class DurableConversion: Sendable {
    public let request: ConvertRequest
    /// From `SourceProbe`.
    public let source: SourceInfo
    /// Where the journal and the pictures of the running frame are.
    public let folder: String
    private let key: String
    private let policy: CheckpointPolicy
    private let interrupt = Interrupt()

    /// How rendering ended.
    public enum Outcome: Sendable, Equatable {
        /// All frames are in the journal.
        case rendered(frames: Int)
        /// It was stopped; so many frames are in the journal.
        case stopped(safe: Int)
    }

    /// - Parameters:
    ///   - request: one output, no part of the source; where its output goes, `join` is told.
    ///   - folder: is there, and nobody else's.
    ///   - key: what the result depends on besides the encoder, in any words: a journal of another key is begun anew.
    ///   - checkpointSeconds: see `CheckpointPolicy`.
    /// - Throws: `MediaError` `.notMedia` for pictures, which have nothing to be taken up again; `.unsupportedOption` for labels
    ///   with instances, which are a second source.
    public init(
        _ request: ConvertRequest, source: SourceInfo, folder: String, key: String, checkpointSeconds: Double
    ) throws(MediaError) {
        guard !source.isStillPicture, !source.isPictureSequence else {
            throw MediaError(.notMedia, "\(source.path) is a picture, not a video", remedy: "use solstice convert for pictures")
        }
        // They would be opened at their beginning, wherever in the source rendering goes on.
        guard request.labels.instances == nil else {
            throw MediaError(.unsupportedOption, "instances cannot be taken up again in the middle", remedy: "use solstice convert for them")
        }
        self.request = request
        self.source = source
        self.folder = folder
        self.key = key
        policy = CheckpointPolicy(interval: checkpointSeconds)
    }

    /// The journal's name in its folder.
    public static let journalName = "packets.journal"
    private var journalPath: String { folder + "/" + Self.journalName }

    // MARK: - Rendering

    /// Renders what is not in the journal yet. Returns soon after a stop; stages may then still be at their last frame.
    ///
    /// - Parameters:
    ///   - load: gives the translator, where there is something to render.
    ///   - onLoaded: called when all that is read of models and styles has been read, before the first frame; what it throws
    ///     ends the rendering.
    ///   - onProgress: called after every frame with the frames so far, those in safety, and frames per second.
    /// - Throws: `MediaError`, `TSITError`, `CancellationError`. The journal keeps what it has.
    public func render(
        stop: StopSwitch, load: @escaping @Sendable () throws -> Translator,
        onLoaded: @escaping @Sendable () throws -> Void = {},
        onProgress: @escaping @Sendable (_ frames: Int, _ safe: Int, _ framesPerSecond: Double) -> Void
    ) async throws -> Outcome {
        try await stop.whileStopping({ [interrupt] in interrupt.trigger() }) {
            do {
                let prepared = try await onOwnThread(named: "prepare") { try self.prepare(load, onLoaded) }
                if stop.isStopped { return .stopped(safe: prepared.journal.commit?.frames ?? 0) }
                guard let parts = prepared.parts, let start = prepared.start else {
                    return .rendered(frames: prepared.journal.commit?.frames ?? 0)
                }
                return try await run(parts, from: start, prepared.journal, stop: stop, onProgress: onProgress)
            } catch where stop.isStopped {
                return .stopped(safe: safeFrames)
            }
        }
    }

    private let known = Mutex(0)
    /// Frames that were in the journal when last looked at.
    private var safeFrames: Int { known.withLock { $0 } }

    private struct Prepared: Sendable {
        let journal: PacketJournal
        /// Nil where all is rendered.
        var parts: ConvertParts?
        var start: SourceStart?
    }

    func encoder(_ shown: VideoInfo) throws(MediaError) -> VideoEncoder {
        try VideoEncoder(settings: request.encoder, source: shown, container: ContainerFormat(outputPath: request.output))
    }

    /// The journal as it stands. Blocks.
    func journal(_ encoder: VideoEncoder) throws(MediaError) -> PacketJournal {
        let journal = try PacketJournal(
            path: journalPath, header: JournalHeader(key: key, encoder: encoder), interrupt: interrupt)
        // Its records are of no use without its name.
        Self.synchronize(folder)
        known.withLock { $0 = journal.commit?.frames ?? 0 }
        return journal
    }

    /// File systems that cannot sync a folder are let be.
    private static func synchronize(_ folder: String) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private func prepare(_ load: () throws -> Translator, _ onLoaded: () throws -> Void) throws -> Prepared {
        let translator = try load()
        let shown = ConvertParts.shown(source, by: translator)
        let encoder = try withThreadName("encoder") { try self.encoder(shown) }
        let journal = try journal(encoder)
        if journal.commit?.isEnd == true { return Prepared(journal: journal) }
        let start = try start(journal, keepsSamples: translator.model.configuration.labels != nil)
        let parts = try ConvertParts(
            rendering: request, from: start, encoder: encoder, translator: translator,
            detailState: journal.commit?.detailState ?? [], witness: RunningPictures(folder: folder), interrupt: interrupt)
        try onLoaded()
        return Prepared(journal: journal, parts: parts, start: start)
    }

    /// Finds the frame with which to go on, in the quickest way that is sure to be right.
    private func start(_ journal: PacketJournal, keepsSamples: Bool) throws -> SourceStart {
        let limit = DamageLimit(
            share: request.maxErrorShare, salvage: request.salvage, expectedFrames: source.frameCountEstimate)
        var points: [SourceStart.Point] = [.beginning]
        if let commit = journal.commit, commit.frames > 0 {
            points = (commit.isSeekable ? [.seeking(commit)] : []) + [.counting(commit), .beginning]
        }
        for point in points {
            let start = try SourceStart.open(
                source, at: point, keepsSamples: keepsSamples, limit: limit, interrupt: interrupt)
            guard let start else { continue }
            if point == .beginning, journal.commit != nil {
                try journal.reset()
                known.withLock { $0 = 0 }
            }
            return start
        }
        throw MediaError(.internalFailure, "\(source.path) cannot be opened at its beginning")
    }

    private func run(
        _ parts: ConvertParts, from start: SourceStart, _ journal: PacketJournal, stop: StopSwitch,
        onProgress: @escaping @Sendable (Int, Int, Double) -> Void
    ) async throws -> Outcome {
        let notes = FrameNotes()
        let outcome = Promise<Outcome>()
        let began = ContinuousClock.now
        let framesBefore = journal.commit?.frames ?? 0
        let shown = parts.shown
        let plan = StagePlan(
            rendering: parts, from: start, notes: notes, onShutdown: { [interrupt] in interrupt.trigger() }
        ) { meter, frames in
            RenderStage(
                newEncoder: { try withThreadName("encoder") { try self.encoder(shown) } }, journal: journal, policy: policy,
                notes: notes, damage: parts.damage, stop: stop, meter: meter, input: frames,
                onFrame: { frames, safe in
                    self.known.withLock { $0 = safe }
                    let elapsed = (ContinuousClock.now - began).seconds
                    onProgress(frames, safe, elapsed > 0 ? Double(frames - framesBefore) / elapsed : 0)
                },
                onStopped: { outcome.keep(.success(.stopped(safe: $0))) })
        }
        let group = plan.group
        let stages = Task {
            do {
                try await group.run()
                outcome.keep(.success(.rendered(frames: notes.total ?? 0)))
            } catch {
                outcome.keep(.failure(error))
            }
        }
        return try await withTaskCancellationHandler {
            try await stop.whileStopping({ stages.cancel() }) { try await outcome.value }
        } onCancel: {
            stages.cancel()
        }
    }
}

/// A value that comes once, whoever brings it first.
final class Promise<Value: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Value, any Error>)
        case kept(Result<Value, any Error>)
    }

    private let state = Mutex(State.open)

    func keep(_ result: Result<Value, any Error>) {
        let continuation: CheckedContinuation<Value, any Error>? = state.withLock { state in
            switch state {
            case .open:
                state = .kept(result)
                return nil
            case .awaited(let continuation):
                state = .kept(result)
                return continuation
            case .kept: return nil
            }
        }
        continuation?.resume(with: result)
    }

    /// To be awaited once.
    var value: Value {
        get async throws {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Value, any Error>? = state.withLock { state in
                    if case .kept(let result) = state { return result }
                    state = .awaited(continuation)
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        }
    }
}
