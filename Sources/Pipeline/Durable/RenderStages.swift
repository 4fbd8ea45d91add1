internal import Foundation
internal import Imaging
internal import MediaIO
internal import Synchronization

/// What the last stage must know of a frame as it was decoded.
struct FrameNote: Sendable {
    let pts: Int64?
    let digest: UInt64
    let isKey: Bool
    let isSeekable: Bool
}

/// Notes on the frames that are on their way, by number.
final class FrameNotes: Sendable {
    private struct State {
        var notes: [Int: FrameNote] = [:]
        var total: Int?
    }

    private let state = Mutex(State())

    func put(_ note: FrameNote, index: Int) { state.withLock { $0.notes[index] = note } }

    func take(_ index: Int) -> FrameNote? { state.withLock { $0.notes.removeValue(forKey: index) } }

    /// Frames of the whole source, once all of them were decoded within the limits; nil before, and where that failed.
    var total: Int? {
        get { state.withLock { $0.total } }
        set { state.withLock { $0.total = newValue } }
    }
}

/// Decodes from where a start stands, as `DecodeStage` does from the beginning, and takes notes for the journal.
struct ResumedDecodeStage: Sendable {
    let start: SourceStart
    let limit: DamageLimit
    let notes: FrameNotes
    let meter: StageMeter
    let input: Channel<Packet>
    let output: Channel<DecodedFrame>

    func run() throws {
        defer { output.finish() }
        var start = start
        let damage = start.damage
        // Noted when they were decoded.
        for frame in start.pending { try pass(frame, isSeekable: start.isSeekable) }
        while true {
            let packet = meter.receive(input)
            let frames = try meter.work { try start.decode(packet) }
            for frame in frames { damage.note(frame) }
            if packet == nil { damage.note(missing: start.decoder.damage.missing) }
            // Before they are sent: one packet may bring thousands of stand-ins, each of which would be rendered.
            try limit.check(damage.report, isFinal: packet == nil)
            for frame in frames { try pass(frame, isSeekable: start.isSeekable) }
            if packet == nil { break }
        }
        notes.total = damage.report.frames
    }

    private func pass(_ frame: DecodedFrame, isSeekable: Bool) throws {
        let note = FrameNote(
            pts: frame.frame.pts, digest: frame.frame.sampleDigest, isKey: frame.frame.isKey, isSeekable: isSeekable)
        notes.put(note, index: frame.index)
        try meter.send(frame, to: output)
    }
}

/// Turns finished frames into packets in the journal, in runs of which each has an encoder of its own, so that each decodes by
/// itself.
struct RenderStage: Sendable {
    let newEncoder: @Sendable () throws -> VideoEncoder
    let journal: PacketJournal
    let policy: CheckpointPolicy
    let notes: FrameNotes
    let damage: DamageLog
    let stop: StopSwitch
    let meter: StageMeter
    let input: Channel<FinishedFrame>
    /// Called with all frames so far, and those in safety.
    let onFrame: @Sendable (_ frames: Int, _ safe: Int) -> Void
    /// Called with the frames in safety where a stop has ended the stage.
    let onStopped: @Sendable (_ safe: Int) -> Void

    /// Seconds that a stop waits for the encoder; what it has not given by then is rendered again.
    private static let patience = 4.0

    /// The run that is open.
    private struct Run {
        let encoder: VideoEncoder
        let started: ContinuousClock.Instant
        var last: FrameNote?
        /// What the last frame has left for the next one.
        var detailState: DetailState?
    }

    func run() throws {
        var frames = journal.commit?.frames ?? 0
        var run: Run?
        while let finished = meter.receive(input), !stop.isStopped {
            let note = notes.take(finished.index)
            if let open = run, policy.endsRun(elapsed: (ContinuousClock.now - open.started).seconds, isKey: note?.isKey ?? false) {
                _ = try close(open, frames: frames)
                run = nil
            }
            var open = try run ?? Run(encoder: newEncoder(), started: .now)
            try meter.work { try open.encoder.encode(finished.frame) { try journal.append($0) } }
            frames += 1
            open.last = note
            open.detailState = finished.detailState
            run = open
            onFrame(frames, journal.commit?.frames ?? 0)
        }
        // Channels also end where another stage fails: nothing is to be told from that.
        let isEnd = notes.total == frames
        guard isEnd || stop.isStopped else { throw CancellationError() }
        var isSafe = true
        if let run { isSafe = try close(run, frames: frames, isEnd: isEnd) } else if isEnd { try close(frames: frames) }
        if !isEnd || !isSafe { onStopped(journal.commit?.frames ?? 0) }
    }

    /// Brings a run into safety; false where a stop left no time for it.
    private func close(_ run: Run, frames: Int, isEnd: Bool = false) throws -> Bool {
        let deadline = stop.isStopped ? ContinuousClock.now + .seconds(Self.patience) : nil
        do {
            try meter.work {
                try run.encoder.encode(nil) { packet in
                    if let deadline, ContinuousClock.now > deadline { throw CancellationError() }
                    try journal.append(packet)
                }
            }
        } catch is CancellationError {
            try journal.rollBack()
            return false
        }
        let note = run.last
        try journal.commit(
            JournalCommit(
                frames: frames, lastPts: note?.pts, digest: note?.digest ?? 0, isSeekable: note?.isSeekable ?? false && note?.pts != nil,
                isEnd: isEnd, note: isEnd ? damage.summary ?? "" : "", detailState: isEnd ? [] : run.detailState?.bytes ?? []))
        return true
    }

    /// Says that nothing follows, where a life before this one has brought the last run into safety.
    private func close(frames: Int) throws {
        var commit = journal.commit ?? JournalCommit(frames: frames, lastPts: nil, digest: 0, isSeekable: false, isEnd: true)
        commit.isEnd = true
        commit.note = damage.summary ?? ""
        try journal.commit(commit)
    }
}

extension DamageLog {
    /// What is damaged and where, in words; nil where nothing is.
    var summary: String? { ConvertReport.damageSummary(report, ranges) }
}
