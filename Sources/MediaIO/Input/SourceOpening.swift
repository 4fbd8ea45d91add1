internal import CFFmpeg
import Glibc

/// Opens a source and says, where it cannot be opened, what is wrong with it.
struct SourceOpening {
    let path: String
    let interrupt: Interrupt
    private var notices: [String] = []
    private var isPicture = false
    /// False where the content is like no format's in particular, and libav only guessed.
    private var isCertain = true
    /// Pictures of a numbered sequence; 0 for any other source.
    private var sequenceCount = 0
    private var isSequence: Bool { sequenceCount > 0 }

    /// An input format, its options, and the codec where libav should not choose it.
    private struct Choice {
        var format: UnsafePointer<AVInputFormat>
        var options: [String: String] = [:]
        var codec: AVCodecID = AV_CODEC_ID_NONE
    }

    /// An open context, which the caller closes, and the source as the container describes it.
    static func open(
        path: String, interrupt: Interrupt, sequenceRate: Rational
    ) throws(MediaError) -> (context: UnsafeMutablePointer<AVFormatContext>, info: SourceInfo) {
        _ = AV.installLog
        var opening = SourceOpening(path: path, interrupt: interrupt)
        var context: UnsafeMutablePointer<AVFormatContext>?
        do {
            let opened = try opening.openContext(sequenceRate: sequenceRate)
            context = opened
            return (opened, try opening.describe(opened))
        } catch {
            if let context { SourceIO.close(context) }
            throw error
        }
    }

    private init(path: String, interrupt: Interrupt) {
        self.path = path
        self.interrupt = interrupt
    }

    // MARK: - Opening

    private mutating func openContext(sequenceRate: Rational) throws(MediaError) -> UnsafeMutablePointer<AVFormatContext> {
        let choice: Choice
        if let sequence = PictureSequence(pattern: path), access(path, F_OK) != 0 {
            choice = try openSequence(sequence, rate: sequenceRate)
        } else {
            try SourceFile.checkRegular(path)
            choice = try probe()
        }
        // Only local files, and few enough streams that a hostile header cannot fill the memory with them.
        let safe = ["protocol_whitelist": "file", "max_streams": "256"]
        return try SourceIO.open(
            path, format: choice.format, codec: choice.codec, options: choice.options.merging(safe, uniquingKeysWith: { $1 }),
            interrupt: interrupt, failure: damaged)
    }

    private func damaged(_ result: Int32) -> MediaError {
        let text = AV.text(result)
        if isCertain, text.contains("moov atom not found") {
            return MediaError(
                .damaged, "\(path) has no index (moov box): its recording or copying was cut off",
                remedy: "copy it again, or rebuild its index with a recovery tool", cause: text)
        }
        if result == shim_averror_exit() { return MediaError(.cancelled, "cancelled") }
        if !isCertain { return notMedia(cause: text) }
        // Missing memory too: it is a header that lies about sizes which asks for that much.
        return MediaError(
            .damaged, "\(path) cannot be opened: its header is damaged",
            remedy: "copy it again, or repair it with a recovery tool", cause: text)
    }

    /// Lets libav look at the content, and refuses what is not on the list. The name may decide between two formats that
    /// the content fits, but it makes no video of a text.
    private mutating func probe() throws(MediaError) -> Choice {
        guard let content = try probedFormat(byName: false) else {
            if let byName = try probedFormat(byName: true), String(cString: byName.pointee.name) == "image2" {
                return try openPicture(codec: nil)
            }
            throw notMedia()
        }
        let name = String(cString: content.pointee.name)
        if let codec = SourceFormats.pictures[name] { return try openPicture(codec: codec) }
        guard SourceFormats.isAllowed(name) else {
            let kind = content.pointee.long_name.map { String(cString: $0) } ?? name
            throw MediaError(
                .notMedia, "\(path) is not a video or picture that solstice reads (\(kind))",
                remedy: "give a video file such as MP4, MOV or MKV")
        }
        guard let byName = try probedFormat(byName: true), SourceFormats.isAllowed(String(cString: byName.pointee.name)) else {
            return Choice(format: content)
        }
        return Choice(format: byName)
    }

    private mutating func probedFormat(byName: Bool) throws(MediaError) -> UnsafePointer<AVInputFormat>? {
        var io: UnsafeMutablePointer<AVIOContext>? = try SourceIO.open(path, interrupt: interrupt)
        defer { avio_closep(&io) }
        var format: UnsafePointer<AVInputFormat>?
        let result = av_probe_input_buffer2(io, &format, byName ? SourceFile.url(path) : nil, nil, 0, 1 << 20)
        if let code = SourceIO.fault(of: io) { throw SourceIO.unreadable(path, code) }
        if result == shim_averror_exit() { throw MediaError(.cancelled, "cancelled") }
        // The score: libav itself would read on to be sure below this one.
        if !byName { isCertain = result > leastCertainScore }
        return result < 0 ? nil : format
    }

    /// AVPROBE_SCORE_RETRY, a macro that Swift does not see.
    private var leastCertainScore: Int32 { 25 }

    private func notMedia(cause: String? = nil) -> MediaError {
        MediaError(
            .notMedia, "\(path) is not a video or picture", remedy: "give a video file such as MP4, MOV or MKV", cause: cause)
    }

    /// One picture: libav's image2 format with the name taken literally; `codec` by content, nil by the name's ending.
    private mutating func openPicture(codec: String?) throws(MediaError) -> Choice {
        isPicture = true
        let id = codec.flatMap { avcodec_descriptor_get_by_name($0)?.pointee.id } ?? AV_CODEC_ID_NONE
        return Choice(format: try image2(), options: ["pattern_type": "none"], codec: id)
    }

    private mutating func openSequence(
        _ sequence: PictureSequence, rate: Rational
    ) throws(MediaError) -> Choice {
        guard rate.isPositive else {
            throw MediaError(.unsupportedOption, "the frame rate of a picture sequence must be positive")
        }
        let names = try SourceFile.names(inDirectory: sequence.directory.isEmpty ? "." : sequence.directory)
        guard let range = sequence.range(ofFiles: names) else {
            throw MediaError(.noSuchFile, "no picture is named like \(path)", remedy: "check the pattern, such as frame_%04d.png")
        }
        if range.beyond > 0 {
            notices.append(
                "the sequence \(path) has a gap after \(range.first + range.count - 1): "
                    + "the \(range.beyond) pictures behind it are left out")
        }
        sequenceCount = range.count
        let options = ["pattern_type": "sequence", "start_number": "\(range.first)", "framerate": "\(rate)"]
        return Choice(format: try image2(), options: options)
    }

    private func image2() throws(MediaError) -> UnsafePointer<AVInputFormat> {
        guard let format = av_find_input_format("image2") else {
            throw MediaError(.unsupported, "this libavformat reads no picture files", remedy: "install Debian's libavformat")
        }
        return format
    }

    // MARK: - Description

    private mutating func describe(_ context: UnsafeMutablePointer<AVFormatContext>) throws(MediaError) -> SourceInfo {
        let streams = (0..<Int(context.pointee.nb_streams)).compactMap { context.pointee.streams[$0] }
        let infos = streams.map { MediaStreamInfo($0) }
        let index = av_find_best_stream(context, AVMEDIA_TYPE_VIDEO, -1, -1, nil, 0)
        guard index >= 0, streams.indices.contains(Int(index)), !infos[Int(index)].isCoverArt else {
            let contents = infos.map { $0.isCoverArt ? "cover picture" : $0.kind.rawValue }.joined(separator: ", ")
            throw MediaError(
                .noVideo, "\(path) has no video stream" + (contents.isEmpty ? "" : " (only \(contents))"),
                remedy: "give a file with a video in it")
        }
        let video = VideoInfo(streams[Int(index)], in: context)
        let duration = context.pointee.duration.knownTimestamp.map { Double($0) / 1e6 }
        if let matrix = video.displayMatrix.flatMap(DisplayMatrix.init), !matrix.orientation.isExact {
            notices.append(
                "\(path) is rotated by an angle that is no quarter turn: the network sees it turned by the nearest one")
        }
        let isISOMedia = String(cString: context.pointee.iformat.pointee.name).hasPrefix("mov")
        return SourceInfo(
            path: path, containerName: String(cString: context.pointee.iformat.pointee.name), isStillPicture: isPicture,
            isPictureSequence: isSequence, video: video, streams: infos, metadata: dictionary(context.pointee.metadata),
            chapterCount: Int(context.pointee.nb_chapters), duration: isPicture ? nil : duration,
            frameCountEstimate: isPicture
                ? 1 : isSequence ? sequenceCount : Self.frameCount(streams[Int(index)], video, duration),
            unreadBoxes: isISOMedia ? try UnreadBoxes.find(inFile: path) : [], notices: notices)
    }

    /// The container's own count less the frames that an edit list hides, else duration times rate.
    private static func frameCount(_ stream: UnsafeMutablePointer<AVStream>, _ video: VideoInfo, _ duration: Double?) -> Int? {
        if stream.pointee.nb_frames > 0 {
            var hidden: Int64 = 0
            for entry in 0..<max(0, avformat_index_get_entries_count(stream)) {
                guard let entry = avformat_index_get_entry(stream, entry)?.pointee else { continue }
                if entry.flags & AVINDEX_DISCARD_FRAME != 0 { hidden += 1 }
            }
            return Int(max(1, stream.pointee.nb_frames - hidden))
        }
        let own = stream.pointee.duration.knownTimestamp.flatMap { ticks in video.timeBase.value.map { Double(ticks) * $0 } }
        guard let seconds = own ?? duration, let rate = video.frameRate?.value, seconds > 0 else { return nil }
        return Int(checked: seconds * rate)
    }
}
