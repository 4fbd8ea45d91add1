/// The instances that belong to a label source: a source of its own, read beside it frame by frame.
public final class InstanceSource: @unchecked Sendable {
    // Safe to send: used by one thread at a time, the stage that preprocesses; `info` is constant.
    /// As `SourceProbe` found it.
    public let info: SourceInfo
    private let labels: SourceInfo
    private let demuxer: Demuxer
    private let decoder: VideoDecoder
    private let reader: InstanceReader
    private var pairing: LabelPairing
    private var waiting: [DecodedFrame] = []
    private var isAtEnd = false
    /// Before the first pair, where the labels may start later.
    private var skips: Bool
    private var count = 0

    /// Opens `path` beside `labels` (from `SourceProbe`); a picture sequence takes the labels' frame rate. Blocks.
    ///
    /// - Parameters:
    ///   - startSeconds: where the labels start to be read, as for `VideoDecoder`.
    ///   - isForced: takes lossy coding and YCbCr.
    /// - Throws: what `SourceProbe` throws, and `MediaError` `.badLabels` for another size than the labels', for what holds
    ///   no ids, and for a later start where nothing says which frame is due.
    public init(
        path: String, labels: SourceInfo, interrupt: Interrupt, startSeconds: Double = 0, isForced: Bool
    ) throws(MediaError) {
        let rate = labels.video.frameRate ?? Rational(25, 1)
        self.labels = labels
        info = try SourceProbe.probe(path: path, interrupt: interrupt, sequenceRate: rate)
        try LabelCoding.check(info, isForced: isForced)
        reader = try InstanceReader(source: info, isForced: isForced)
        pairing = LabelPairing(labels: labels, instances: info)
        try pairing.checkSize()
        skips = pairing.isTimed && startSeconds > 0
        demuxer = try Demuxer(path: path, interrupt: interrupt, sequenceRate: rate)
        var start = startSeconds
        if startSeconds > 0, pairing.isTimed {
            // The two clocks may round a frame at the very start to different sides of it.
            start = max(0, startSeconds - 2 * (rate.inverse.value ?? 0))
        } else if startSeconds > 0, !(labels.isPictureSequence && info.isPictureSequence) {
            throw MediaError(
                .badLabels, "the frames of \(path) have no times by which those from the start on could be found",
                remedy: "give labels and instances both as videos or both as picture sequences, or leave --start out")
        }
        if start > 0 { try demuxer.seek(toSeconds: start) }
        decoder = try VideoDecoder(demuxer: demuxer, info: info.video, threads: 0, startSeconds: start, keepsSamples: true)
    }

    /// What could not be decoded so far. Frames that others stand in for are paired as if they were there.
    public var damage: DamageReport { decoder.damage }

    /// The instances of the labels' next frame, upright: layout `[height][width]`. Blocks.
    ///
    /// Throws `MediaError` `.badLabels` where there is none or it is of another moment, `.cancelled`, and what decoding throws.
    public func next(for label: DecodedFrame) throws -> [UInt32] {
        while true {
            guard let frame = try nextFrame() else {
                throw MediaError(
                    .badLabels, "\(info.path) ends after \(count) frames, before frame \(label.index) of \(labels.path)",
                    remedy: "give as many frames of instances as of labels")
            }
            switch pairing.compare(label: label.frame.pts, instance: frame.frame.pts) {
            case .apart(let seconds) where skips && seconds < 0: continue
            case .apart(let seconds):
                let distance = (abs(seconds) * 1000).rounded() / 1000
                throw MediaError(
                    .badLabels, "frame \(label.index) of \(labels.path) has its instances \(distance) s "
                        + "\(seconds > 0 ? "later" : "earlier") in \(info.path)",
                    remedy: "give both with the same times, or as numbered picture sequences")
            case .together: break
            }
            skips = false
            count += 1
            pairing.pass(label: label.frame.pts)
            return try reader.instances(of: frame.frame)
        }
    }

    /// Checks, once the labels have come to their end (not only to that of the part that is wanted), that the instances
    /// have too.
    public func finish() throws {
        guard try nextFrame() == nil else {
            throw MediaError(
                .badLabels, "\(info.path) goes on after the \(count) frames of \(labels.path)",
                remedy: "give as many frames of instances as of labels")
        }
    }

    private func nextFrame() throws -> DecodedFrame? {
        while waiting.isEmpty, !isAtEnd {
            let packet = try demuxer.next()
            try decoder.decode(packet) { waiting.append($0) }
            isAtEnd = packet == nil
        }
        return waiting.isEmpty ? nil : waiting.removeFirst()
    }
}
