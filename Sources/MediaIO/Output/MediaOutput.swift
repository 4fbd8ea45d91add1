internal import CFFmpeg

/// Writes a converted source: the encoder's packets in place of the video, everything else as it was.
///
/// Nothing appears under the output's name before `finish` has read the file back and found it complete. Used by one
/// thread at a time.
public final class MediaOutput: @unchecked Sendable {
    // Safe to send: used by one thread at a time, the one that muxes.

    /// What the user should know before the run: what goes into a sidecar and why, one line each.
    public let notices: [String]
    private let writer: any OutputWriter
    private let files: OutputFiles
    private var state = State.writing

    private enum State { case writing, complete, over }

    /// Prepares to write `path`. To be called before the packets of `source` are read.
    ///
    /// `overwrite` replaces an existing output, but never a file of `kept`. `window` cuts all streams and moves them to
    /// start at 0. `mark` is what the output says about its making.
    /// Throws `.outputExists`, `.outputIsInput`, `.unwritable`, `.diskFull`, `.unsupportedOption`, `.unsupported`.
    public init(
        path: String, source: Demuxer, encoder: VideoEncoder, overwrite: Bool = false, kept: [String] = [],
        window: TimeWindow? = nil, mark: OutputMark = OutputMark(), interrupt: Interrupt
    ) throws(MediaError) {
        files = try Self.files(
            path: path, source: source.info, container: encoder.container, overwrite: overwrite, kept: kept)
        switch encoder.container.kind {
        case .media:
            let container = try ContainerWriter(
                files: files, source: source, encoder: encoder, window: window, mark: mark, interrupt: interrupt)
            writer = container
            notices = container.notices
        case .picture, .pictureSequence:
            let pictures = try PictureWriter(files: files, source: source.info, encoder: encoder)
            writer = pictures
            notices = pictures.notices
        }
    }

    /// Throws what `init` would throw of the path, and writes nothing: with several outputs, all are looked at before
    /// one is begun.
    public static func check(
        path: String, source: SourceInfo, container: ContainerFormat, overwrite: Bool = false, kept: [String] = []
    ) throws(MediaError) {
        _ = try files(path: path, source: source, container: container, overwrite: overwrite, kept: kept)
    }

    private static func files(
        path: String, source: SourceInfo, container: ContainerFormat, overwrite: Bool, kept: [String]
    ) throws(MediaError) -> OutputFiles {
        let target = try OutputTarget(path: path, isPattern: container.kind == .pictureSequence)
        return try OutputFiles(
            target: target, replacesExisting: overwrite, inputs: SourceIdentity.files(of: source),
            kept: kept.compactMap { FileIdentity($0) })
    }

    deinit { abandon() }

    /// Writes a packet: one of the encoder's, or one of the source's of any other stream (those that the output has no
    /// use for are ignored). The packet is left as it is.
    ///
    /// Throws `.diskFull`, `.unwritable`, `.cancelled`.
    public func write(_ packet: Packet) throws(MediaError) {
        guard state == .writing else { throw MediaError(.internalFailure, "a packet came after the end of the output") }
        try writer.write(packet)
    }

    /// Completes the file and reads it back; `publish` then gives it its name.
    ///
    /// Throws, and leaves nothing behind, where the file does not hold `expectedFrames` frames and everything else that
    /// was written, or where the disk is full.
    public func complete(expectedFrames: Int) throws(MediaError) -> OutputReport {
        guard state == .writing else { throw MediaError(.internalFailure, "the output was finished twice") }
        do throws(MediaError) {
            var report = try writer.finish(expectedFrames: expectedFrames)
            report.path = files.target.path
            report.files = files.partials.map(\.finalPath)
            state = .complete
            return report
        } catch {
            abandon()
            throw error
        }
    }

    /// Puts complete outputs in place, each with its sidecars, and `picture` with them: all or none.
    ///
    /// Throws, and leaves nothing behind, where the disk is full, where another program has created one of the files
    /// meanwhile, or where two outputs have a file of one name.
    public static func publish(_ outputs: [MediaOutput], with picture: PictureFile? = nil) throws(MediaError) {
        guard outputs.allSatisfy({ $0.state == .complete }) else {
            throw MediaError(.internalFailure, "an output was published before it was complete")
        }
        for output in outputs { output.state = .over }
        try OutputFiles.publish(outputs.map(\.files) + (picture.map { [$0.files] } ?? []))
    }

    /// `complete` and `publish` in one.
    public func finish(expectedFrames: Int) throws(MediaError) -> OutputReport {
        let report = try complete(expectedFrames: expectedFrames)
        try Self.publish([self])
        return report
    }

    /// Removes everything that was written. Harmless once it is published.
    public func abandon() {
        guard state != .over else { return }
        state = .over
        writer.abandon()
        files.discard()
    }
}

/// What a run has written.
public struct OutputReport: Sendable, Equatable {
    /// The output as it was asked for: a file, or the pattern of a sequence.
    public var path = ""
    /// The output first, then its sidecars.
    public var files: [String] = []
    public var frames = 0
    /// Streams of the source, by index, that are in a sidecar instead of the output.
    public var sidecarStreams: [Int] = []
    /// What the user should know, one line each.
    public var warnings: [String] = []
}

/// What `MediaOutput` writes through: a container, or pictures.
protocol OutputWriter: AnyObject {
    func write(_ packet: Packet) throws(MediaError)
    func finish(expectedFrames: Int) throws(MediaError) -> OutputReport
    func abandon()
}

/// Which files a source consists of.
enum SourceIdentity {
    static func files(of info: SourceInfo) -> [FileIdentity] {
        guard info.isPictureSequence, let sequence = PictureSequence(pattern: info.path) else {
            return FileIdentity(info.path).map { [$0] } ?? []
        }
        let directory = sequence.directory.isEmpty ? "." : sequence.directory
        let names = ((try? SourceFile.names(inDirectory: directory)) ?? []).filter {
            sequence.number(ofFile: $0) != nil
        }
        return names.compactMap { FileIdentity(sequence.directory + $0) }
    }
}
