internal import CFFmpeg

/// Decodes a finished result from its first frame to its last.
public enum ResultVerifier {
    /// Throws `.internalFailure` unless the video of `path` holds exactly `expectedFrames` frames, each of which decodes without
    /// a fault; `.unreadable` where the disk has failed; what `Demuxer` throws for a file that does not open; `.cancelled`.
    ///
    /// - Parameters:
    ///   - runStarts: packets of the video, by number, from which on it decodes without those before: each run gets a decoder
    ///     of its own, and `onRun` may remember how far the check has come.
    ///   - first: the run to begin with, where those before have been checked already.
    ///   - onRun: called with the number of runs that are checked.
    public static func decode(
        path: String, expectedFrames: Int?, runStarts: [Int] = [], first: Int = 0, interrupt: Interrupt,
        onRun: (Int) -> Void = { _ in }
    ) throws(MediaError) -> Int {
        var check = DecodingCheck(
            path: path, demuxer: try Demuxer(path: path, interrupt: interrupt),
            info: try SourceProbe.probe(path: path, interrupt: interrupt), starts: runStarts, run: first)
        return try check.run(expectedFrames: expectedFrames, onRun: onRun)
    }
}

/// One walk through a file.
private struct DecodingCheck {
    let path: String
    let demuxer: Demuxer
    let info: SourceInfo
    let starts: [Int]
    /// The run that is being decoded, or is to be next.
    var run: Int
    private var packets = 0
    private var frames = 0
    private var decoder: VideoDecoder?

    init(path: String, demuxer: Demuxer, info: SourceInfo, starts: [Int], run: Int) {
        self.path = path
        self.demuxer = demuxer
        self.info = info
        self.starts = starts.isEmpty ? [0] : starts
        self.run = min(run, self.starts.count)
        // What was checked before counts as it stands.
        frames = self.run < self.starts.count ? self.starts[self.run] : 0
    }

    mutating func run(expectedFrames: Int?, onRun: (Int) -> Void) throws(MediaError) -> Int {
        let isChecked = run >= starts.count
        var shown = 0
        while let packet = try demuxer.next() {
            guard packet.streamIndex == info.video.streamIndex else { continue }
            shown += 1
            guard !isChecked else { continue }
            if run + 1 < starts.count, packets == starts[run + 1] {
                try finishRun()
                run += 1
                onRun(run)
            }
            if packets >= starts[run] { try decode(packet) }
            packets += 1
        }
        // A fault of the disk looks like the end of the file.
        try demuxer.checkReading()
        if let error = demuxer.readError { throw failure("it cannot be read to its end", cause: error.cause) }
        if isChecked {
            frames = shown
        } else {
            try finishRun()
            onRun(starts.count)
        }
        if let expectedFrames, frames != expectedFrames { throw failure("it has \(frames) frames instead of \(expectedFrames)") }
        return frames
    }

    private mutating func decode(_ packet: Packet?) throws(MediaError) {
        if decoder == nil { decoder = try VideoDecoder(demuxer: demuxer, info: info.video, threads: 0) }
        guard let decoder else { return }
        do { try decoder.decode(packet) { _ in } } catch {
            throw error as? MediaError ?? MediaError(.internalFailure, "\(error)")
        }
    }

    private mutating func finishRun() throws(MediaError) {
        guard let decoder else { return }
        try decode(nil)
        let damage = decoder.damage
        guard damage.replaced + damage.concealed == 0, damage.decoderErrors == 0 else {
            throw failure("\(max(1, damage.replaced + damage.concealed)) of the frames \(frames) to \(frames + damage.frames - 1) do not decode")
        }
        frames += damage.frames
        self.decoder = nil
    }

    private func failure(_ why: String, cause: String? = nil) -> MediaError {
        MediaError(.internalFailure, "the written file \(path) does not read back as it should: \(why)", remedy: "try again, or with another encoder", cause: cause)
    }
}
