internal import CFFmpeg

/// Finds out what a source is by decoding it up to its first good frame.
public enum SourceProbe {
    /// Size, pixel format, colour tags, sample aspect, orientation and interlacing as the first good frame has them,
    /// the rest as the container has it. The source is closed again.
    ///
    /// Throws what `Demuxer` throws, `.unsupported` without a decoder, and `.damaged` if no frame can be decoded.
    public static func probe(
        path: String, interrupt: Interrupt, sequenceRate: Rational = Rational(25, 1)
    ) throws(MediaError) -> SourceInfo {
        try look(at: Demuxer(path: path, interrupt: interrupt, sequenceRate: sequenceRate)).info
    }

    /// The first good frame, and the video that it is of.
    static func picture(path: String, interrupt: Interrupt) throws(MediaError) -> (frame: Frame, video: VideoInfo) {
        let (info, frame) = try look(at: Demuxer(path: path, interrupt: interrupt))
        guard !frame.isDamaged else { throw MediaError(.damaged, "\(path) is damaged", remedy: "copy the file again") }
        return (frame, info.video)
    }

    private static func look(at demuxer: Demuxer) throws(MediaError) -> (info: SourceInfo, frame: Frame) {
        var info = demuxer.info
        let (frame, hasPts) = try firstFrame(demuxer)
        info.video.take(frame)
        info.video.hasKnownTimestamps = info.video.hasKnownTimestamps && hasPts
        return (info, frame)
    }

    /// Video packets after which a damaged frame is taken for want of a good one.
    private static let mostPackets = 256

    private static func firstFrame(_ demuxer: Demuxer) throws(MediaError) -> (frame: Frame, hasPts: Bool) {
        let index = demuxer.info.video.streamIndex
        guard let stream = demuxer.stream(at: index) else {
            throw MediaError(.noVideo, "\(demuxer.info.path) has no video stream")
        }
        let decoder = try PictureDecoder(stream, threads: 1)
        var best: Frame?
        var isGood = false
        var hasPts = false
        var count = 0
        while !isGood, count < mostPackets || best == nil {
            let packet = try demuxer.next()
            if let packet, packet.streamIndex != index { continue }
            if let packet, packet.pts != nil { hasPts = true }
            let isCutOff = packet.map { $0.raw.pointee.flags & AV_PKT_FLAG_CORRUPT != 0 } ?? false
            do {
                try decoder.decode(packet, token: Int64(count)) { frame in
                    guard !isGood else { return }
                    if isCutOff { frame.raw.pointee.flags |= AV_FRAME_FLAG_CORRUPT }
                    isGood = !frame.isDamaged
                    if isGood || best == nil { best = frame }
                }
            } catch {
                throw error as? MediaError ?? MediaError(.internalFailure, "\(error)")
            }
            count += 1
            if packet == nil { break }
        }
        guard let best else {
            throw MediaError(
                .damaged, "no frame of \(demuxer.info.path) can be decoded", remedy: "copy the file again",
                cause: demuxer.readError?.cause)
        }
        return (best, hasPts)
    }
}

extension VideoInfo {
    /// What the first frame knows better than the container.
    fileprivate mutating func take(_ frame: Frame) {
        width = frame.width
        height = frame.height
        pixelFormatName = frame.pixelFormatName
        bitDepth = PixelFormat.bitDepth(of: frame.format)
        colour = frame.colour.completed(from: colour)
        isInterlaced = isInterlaced || shim_frame_is_interlaced(frame.raw) != 0
        let aspect = Rational(frame.raw.pointee.sample_aspect_ratio)
        if !sampleAspect.isPositive, aspect.isPositive { sampleAspect = aspect }
        guard displayMatrix == nil, let matrix = frame.displayMatrix else { return }
        displayMatrix = matrix.values
        orientation = matrix.orientation.nearest
    }
}

extension Frame {
    /// The display matrix that came with the frame: of a JPEG's Exif orientation, or of an H.264 or HEVC message.
    var displayMatrix: DisplayMatrix? {
        guard let data = av_frame_get_side_data(raw, AV_FRAME_DATA_DISPLAYMATRIX)?.pointee,
            data.size >= 9 * MemoryLayout<Int32>.size, let bytes = data.data
        else { return nil }
        return DisplayMatrix((0..<9).map { UnsafeRawPointer(bytes).loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) })
    }
}
