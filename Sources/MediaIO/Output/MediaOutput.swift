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
    private var isOver = false

    /// Prepares to write `path`. To be called before the packets of `source` are read.
    ///
    /// `overwrite` replaces an existing output. `window` cuts all streams and moves them to start at 0.
    /// Throws `.outputExists`, `.outputIsInput`, `.unwritable`, `.diskFull`, `.unsupportedOption`, `.unsupported`.
    public init(
        path: String, source: Demuxer, encoder: VideoEncoder, overwrite: Bool = false, window: TimeWindow? = nil,
        interrupt: Interrupt
    ) throws(MediaError) {
        let target = try OutputTarget(path: path, isPattern: encoder.container.kind == .pictureSequence)
        files = try OutputFiles(
            target: target, replacesExisting: overwrite, inputs: SourceIdentity.files(of: source.info))
        switch encoder.container.kind {
        case .media:
            let container = try ContainerWriter(
                files: files, source: source, encoder: encoder, window: window, interrupt: interrupt)
            writer = container
            notices = container.notices
        case .picture, .pictureSequence:
            let pictures = try PictureWriter(files: files, source: source.info, encoder: encoder)
            writer = pictures
            notices = pictures.notices
        }
    }

    deinit { abandon() }

    /// Writes a packet: one of the encoder's, or one of the source's of any other stream (those that the output has no
    /// use for are ignored). The packet is left as it is.
    ///
    /// Throws `.diskFull`, `.unwritable`, `.cancelled`.
    public func write(_ packet: Packet) throws(MediaError) {
        guard !isOver else { throw MediaError(.internalFailure, "a packet came after the end of the output") }
        try writer.write(packet)
    }

    /// Completes the file, reads it back, and puts it in place with its sidecars.
    ///
    /// Throws, and leaves nothing behind, where the file does not hold `expectedFrames` frames and everything else that
    /// was written, where the disk is full, or where another program has created the output meanwhile.
    public func finish(expectedFrames: Int) throws(MediaError) -> OutputReport {
        guard !isOver else { throw MediaError(.internalFailure, "the output was finished twice") }
        isOver = true
        do throws(MediaError) {
            var report = try writer.finish(expectedFrames: expectedFrames)
            report.files = files.partials.map(\.finalPath)
            try files.publish()
            return report
        } catch {
            writer.abandon()
            files.discard()
            throw error
        }
    }

    /// Removes everything that was written. Harmless after `finish`.
    public func abandon() {
        guard !isOver else { return }
        isOver = true
        writer.abandon()
        files.discard()
    }
}

/// What a run has written.
public struct OutputReport: Sendable, Equatable {
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
