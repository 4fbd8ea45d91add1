internal import Base
import Glibc

/// Rolling files: a recording in pieces, each playable on its own and starting at 0, of which old ones are removed.
///
/// A file ends at the first key frame behind a wall-clock multiple of its length (10 min: on the full ten minutes, UTC),
/// and gets its name when it is complete and on the disk. Used by one thread at a time.
public final class SegmentFiles: @unchecked Sendable {
    // Safe to send: used by one thread at a time; the constants are set once.
    /// What the files go without, and what was found of earlier runs, in plain words.
    public private(set) var notices: [String]
    /// Files finished so far.
    public private(set) var finishedCount = 0
    private let names: SegmentNames
    private let target: LiveTarget
    private let streams: LiveStreams
    private let indices: [Int]
    private let interrupt: Interrupt
    /// Seconds.
    private let length: Double
    private let keep: Double?
    /// Where old files are removed: nil where nothing is, or nothing can be.
    private let folder: RecordingFolder?
    private let now: () -> Double
    private var file: RecordingFile?
    /// Seconds since 1970 at which the file is to end.
    private var boundary = 0.0

    /// - Parameters:
    ///   - path: a name such as `night.mkv`, to which times are added, or a pattern as strftime(3) takes it, such as
    ///     `night-%Y-%m-%d-%H%M.mkv`; only the name may be one, not the directory.
    ///   - every: length of a file, 1 s at least.
    ///   - keep: age, counted from its last write, at which a file named like these is removed; nil for never.
    ///
    /// Throws `.unsupportedOption`, `.unknownContainer`, `.unwritable`.
    public convenience init(
        path: String, every: Duration, keep: Duration?, streams: LiveStreams, interrupt: Interrupt
    ) throws(MediaError) {
        try self.init(
            path: path, every: every, keep: keep, streams: streams, interrupt: interrupt,
            now: {
                var time = timespec()
                clock_gettime(CLOCK_REALTIME, &time)
                return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
            })
    }

    /// With a clock of seconds since 1970.
    init(
        path: String, every: Duration, keep: Duration?, streams: LiveStreams, interrupt: Interrupt, now: @escaping () -> Double
    ) throws(MediaError) {
        guard every >= .seconds(1), every <= .seconds(366 * 86400) else {
            throw MediaError(
                .unsupportedOption, "files of \(every) each are out of range", remedy: "give a length from 1 s to a year")
        }
        if let keep, keep < .seconds(1) {
            throw MediaError(
                .unsupportedOption, "files cannot be kept for \(keep)", remedy: "give the time for which they are kept")
        }
        names = try SegmentNames(path: path)
        target = try LiveTarget(file: path)
        (indices, notices) = try target.choose(streams)
        self.streams = streams
        self.interrupt = interrupt
        self.now = now
        length = every / .seconds(1)
        self.keep = keep.map { $0 / .seconds(1) }
        try OutputTarget(path: path, isPattern: true).checkDirectory()
        folder = keep == nil ? nil : RecordingFolder(names.directory)
        let names = names
        notices += RecordingLeftovers.keep(in: names.directory) { name, _ in names.matches(name) ? name : nil }
        removeOld()
    }

    /// Takes a packet as `LiveOutput.write` does, and throws the same. After an error the file is put in place with what
    /// it has, and the next key frame begins another.
    public func write(_ packet: Packet) throws(MediaError) {
        if packet.streamIndex == 0, packet.isKey { try cutIfDue() }
        guard let file else { return }
        do throws(MediaError) { try file.write(packet) } catch {
            self.file = nil
            throw error
        }
    }

    /// Finishes the file at hand.
    public func finish() throws(MediaError) {
        guard let file else { return }
        self.file = nil
        try file.finish()
        finishedCount += 1
        removeOld()
    }

    private func cutIfDue() throws(MediaError) {
        let time = now()
        // Also where the clock was set back: the earlier end holds.
        boundary = min(boundary, nextBoundary(time))
        if file != nil, time < boundary { return }
        try finish()
        file = try begin(at: time)
        boundary = nextBoundary(time)
    }

    private func nextBoundary(_ time: Double) -> Double { ((time / length).rounded(.down) + 1) * length }

    private func begin(at time: Double) throws(MediaError) -> RecordingFile {
        for number in 0..<1000 {
            let path = names.directory + names.name(at: time, number: number)
            do throws(MediaError) {
                return try RecordingFile(
                    target.placed(at: path), streams: streams, indices: indices, replacesExisting: false, interrupt: interrupt)
            } catch {
                guard error.code == .outputExists else { throw error }
            }
        }
        throw OutputFiles.exists(names.directory + names.name(at: time))
    }

    /// Removes files of this pattern whose time is over.
    func removeOld() {
        guard let keep, let folder else { return }
        let limit = now() - keep
        for name in folder.names where names.matches(name) { folder.remove(name, writtenBefore: limit) }
    }
}
