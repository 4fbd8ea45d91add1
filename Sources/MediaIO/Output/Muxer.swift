internal import CFFmpeg

/// One file being written by a muxer of libavformat.
///
/// Streams are added first, then the header is written, then packets, then the trailer. With no path the header goes
/// to memory and is thrown away: that is how a muxer is asked what it takes.
final class Muxer {
    let context: UnsafeMutablePointer<AVFormatContext>
    /// The final name, for messages.
    let label: String
    private let interrupt: Interrupt
    private var slots: [Int: Slot] = [:]
    private var isMemory = false

    /// One stream of the output and where it comes from.
    private final class Slot {
        let stream: UnsafeMutablePointer<AVStream>
        let sourceTimeBase: Rational
        var clock: PacketClock
        /// Of copied video streams: the first packets.
        var leading: LeadingPackets?
        /// Of copied video streams whose packets say only when they are decoded.
        var untimed: UntimedPackets?
        var gaps: SubtitleGaps?
        /// Ticks by which the muxer wants the times later.
        var delay: Int64 = 0
        var packetCount = 0
        /// The four-character code that the finished file shall have.
        var codeToSet: UInt32?

        init(stream: UnsafeMutablePointer<AVStream>, sourceTimeBase: Rational, clock: PacketClock, gaps: SubtitleGaps?)
        {
            self.stream = stream
            self.sourceTimeBase = sourceTimeBase
            self.clock = clock
            self.gaps = gaps
        }
    }

    init(format: UnsafePointer<AVOutputFormat>, label: String, interrupt: Interrupt) throws(MediaError) {
        var pointer: UnsafeMutablePointer<AVFormatContext>?
        let result = avformat_alloc_output_context2(&pointer, format, nil, nil)
        guard result >= 0, let pointer else { throw AV.error(result, .internalFailure, "\(label) cannot be written") }
        context = pointer
        self.label = label
        self.interrupt = interrupt
        context.pointee.interrupt_callback = interrupt.callback
    }

    deinit {
        closeIO()
        avformat_free_context(context)
    }

    private func closeIO() {
        guard context.pointee.pb != nil else { return }
        if isMemory {
            var buffer: UnsafeMutablePointer<UInt8>?
            avio_close_dyn_buf(context.pointee.pb, &buffer)
            av_free(buffer)
            context.pointee.pb = nil
        } else {
            avio_closep(&context.pointee.pb)
        }
    }

    var name: String { String(cString: context.pointee.oformat.pointee.name) }
    var isISOMedia: Bool { ["mp4", "mov", "ipod", "psp", "3gp", "3g2", "f4v", "ismv"].contains(name) }

    /// Packets whose times had to be moved by more than a tenth of a second, so that they do not run backwards.
    var lateCount: Int { slots.values.reduce(0) { $0 + $1.clock.lateCount } }

    /// The output's number of a stream of the source; -1 for one that is not in it.
    func outputIndex(of source: Int) -> Int32 { slots[source]?.stream.pointee.index ?? -1 }

    // MARK: - Streams

    /// Adds a stream for packets of `source`, as they are.
    ///
    /// - Parameter isUntimed: of a video the container says when packets are decoded, but not when they are shown.
    func addCopy(of source: UnsafeMutablePointer<AVStream>, isUntimed: Bool) throws(MediaError) {
        let stream = try newStream(for: source)
        try AV.check(
            avcodec_parameters_copy(stream.pointee.codecpar, source.pointee.codecpar), .outOfMemory,
            "no memory for a stream")
        stream.pointee.codecpar.pointee.codec_tag = codecTag(of: source)
        stream.pointee.time_base = source.pointee.time_base
        stream.pointee.avg_frame_rate = source.pointee.avg_frame_rate
        stream.pointee.r_frame_rate = source.pointee.r_frame_rate
        stream.pointee.sample_aspect_ratio = source.pointee.sample_aspect_ratio
        stream.pointee.duration = source.pointee.duration
        try AV.check(shim_copy_side_data(stream, source, 0), .outOfMemory, "no memory for a stream")
        add(stream, source: source, timeBase: Rational(source.pointee.time_base))
        if source.pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_VIDEO {
            let slot = slots[Int(source.pointee.index)]
            if isUntimed { slot?.untimed = UntimedPackets(source) } else { slot?.leading = LeadingPackets() }
        }
    }

    /// Adds the stream of the encoder's packets in place of `source`.
    func addEncoded(_ encoder: VideoEncoder, inPlaceOf source: UnsafeMutablePointer<AVStream>) throws(MediaError) {
        let stream = try newStream(for: source)
        try AV.check(
            avcodec_parameters_from_context(stream.pointee.codecpar, encoder.raw), .outOfMemory,
            "no memory for a stream")
        // Apple's players know HEVC by this tag only.
        if isISOMedia, stream.pointee.codecpar.pointee.codec_id == AV_CODEC_ID_HEVC {
            stream.pointee.codecpar.pointee.codec_tag = shim_tag(0x68, 0x76, 0x63, 0x31)  // hvc1
        }
        stream.pointee.time_base = encoder.timeBase.avRational
        let rate = Rational(source.pointee.avg_frame_rate)
        stream.pointee.avg_frame_rate = rate.isPositive ? rate.avRational : encoder.frameRate.avRational
        stream.pointee.r_frame_rate = source.pointee.r_frame_rate
        stream.pointee.sample_aspect_ratio = encoder.raw.pointee.sample_aspect_ratio
        try AV.check(shim_copy_encoder_side_data(stream, encoder.raw), .outOfMemory, "no memory for a stream")
        try AV.check(shim_copy_side_data(stream, source, 1), .outOfMemory, "no memory for a stream")
        if let matrix = encoder.displayMatrix, matrix.count == 9 {
            try AV.check(shim_set_display_matrix(stream, matrix), .outOfMemory, "no memory for a stream")
        }
        av_dict_set(&stream.pointee.metadata, "encoder", "Lavc \(encoder.name)", 0)
        add(stream, source: source, timeBase: encoder.timeBase)
    }

    /// Adds a file or cover picture as an attachment (Matroska), with `content` as its bytes.
    func addAttachment(of source: UnsafeMutablePointer<AVStream>, content: UnsafeRawBufferPointer) throws(MediaError) {
        let stream = try newStream(for: source)
        let parameters = stream.pointee.codecpar
        parameters?.pointee.codec_type = AVMEDIA_TYPE_ATTACHMENT
        parameters?.pointee.codec_id = source.pointee.codecpar.pointee.codec_id
        guard content.count < Int32.max / 2, let copy = av_mallocz(content.count + Int(AV_INPUT_BUFFER_PADDING_SIZE))
        else {
            throw MediaError(.outOfMemory, "no memory for an attachment")
        }
        if let base = content.baseAddress { copy.copyMemory(from: base, byteCount: content.count) }
        parameters?.pointee.extradata = copy.assumingMemoryBound(to: UInt8.self)
        parameters?.pointee.extradata_size = Int32(content.count)
        stream.pointee.disposition = 0
        let attachment = AttachmentName(of: source)
        av_dict_set(&stream.pointee.metadata, "filename", attachment.fileName, AV_DICT_DONT_OVERWRITE)
        av_dict_set(&stream.pointee.metadata, "mimetype", attachment.mimeType, AV_DICT_DONT_OVERWRITE)
    }

    private func newStream(for source: UnsafeMutablePointer<AVStream>) throws(MediaError) -> UnsafeMutablePointer<
        AVStream
    > {
        guard let stream = avformat_new_stream(context, nil) else {
            throw MediaError(.outOfMemory, "no memory for a stream")
        }
        // MPEG-TS keeps its packet identifiers; below 16 it has tables of its own.
        if source.pointee.id >= 16 { stream.pointee.id = source.pointee.id }
        stream.pointee.disposition = source.pointee.disposition
        av_dict_copy(&stream.pointee.metadata, source.pointee.metadata, 0)
        return stream
    }

    private func add(
        _ stream: UnsafeMutablePointer<AVStream>, source: UnsafeMutablePointer<AVStream>, timeBase: Rational
    ) {
        let isLoose = context.pointee.oformat.pointee.flags & AVFMT_TS_NONSTRICT != 0
        let isText = isISOMedia && stream.pointee.codecpar.pointee.codec_id == AV_CODEC_ID_MOV_TEXT
        slots[Int(source.pointee.index)] = Slot(
            stream: stream, sourceTimeBase: timeBase, clock: PacketClock(allowsEqualTimes: isLoose),
            gaps: isText ? SubtitleGaps() : nil)
        replaceUnknownCode(stream, source)
    }

    /// For data other than `gpmd` and `tmcd` the mov muxer leaves the sample description out (movenc.c,
    /// `mov_write_stsd_tag`), and readers take the next box for it. As `gpmd` it is written, and `patchIndex` puts the code
    /// right.
    private func replaceUnknownCode(_ stream: UnsafeMutablePointer<AVStream>, _ source: UnsafeMutablePointer<AVStream>)
    {
        guard name == "mov", let parameters = stream.pointee.codecpar,
            parameters.pointee.codec_type == AVMEDIA_TYPE_DATA
        else { return }
        let (gpmd, tmcd) = (shim_tag(0x67, 0x70, 0x6d, 0x64), shim_tag(0x74, 0x6d, 0x63, 0x64))
        let code = parameters.pointee.codec_tag
        guard code != 0, code != gpmd, code != tmcd else { return }
        parameters.pointee.codec_tag = gpmd
        slots[Int(source.pointee.index)]?.codeToSet = code
    }

    /// Completes the index of a finished MP4 or MOV file with cover pictures and unusual codes. Throws `.unsupported` where
    /// the file has no such index, `.diskFull`, `.unwritable`.
    func patchIndex(of file: PartialFile, covers: [CoverTags.Cover] = []) throws(MediaError) {
        let written = slots.values.filter { $0.packetCount > 0 }.sorted {
            $0.stream.pointee.index < $1.stream.pointee.index
        }
        guard !covers.isEmpty || written.contains(where: { $0.codeToSet != nil }) else { return }
        guard var index = try MovieIndex(of: file) else {
            throw MediaError(.unsupported, "\(label) takes no cover pictures or data of this kind")
        }
        // Streams without packets get no track.
        for (track, slot) in written.enumerated() {
            if let code = slot.codeToSet { index.retag(track: track, code) }
        }
        if !covers.isEmpty { index.append(CoverTags.box(covers)) }
        try index.write(to: file)
    }

    /// The source's own tag where the container's table has it for this codec, or has nothing for this codec; else 0,
    /// and the muxer chooses. NUT takes anything that has a tag.
    private func codecTag(of source: UnsafeMutablePointer<AVStream>) -> UInt32 {
        let parameters = source.pointee.codecpar.pointee
        var other: UInt32 = 0
        guard let table = context.pointee.oformat.pointee.codec_tag else { return parameters.codec_tag }
        let knows = av_codec_get_id(table, parameters.codec_tag) == parameters.codec_id
        if knows || av_codec_get_tag2(table, parameters.codec_id, &other) == 0 {
            return parameters.codec_tag == 0 && name == "nut" ? shim_tag(0x73, 0x6f, 0x6c, 0x00) : parameters.codec_tag
        }
        return 0
    }

    // MARK: - Writing

    /// Writes the header to `path`, or with nil to memory. Throws `.unsupported` where the container does not take the streams,
    /// `.unwritable`, `.diskFull`.
    func open(path: String?, options: [String: String]) throws(MediaError) {
        if let path {
            var callback = interrupt.callback
            let result = AV.retried { avio_open2(&context.pointee.pb, SourceFile.url(path), AVIO_FLAG_WRITE, &callback, nil) }
            try AV.check(result, .unwritable, "\(label) cannot be written")
        } else {
            try AV.check(avio_open_dyn_buf(&context.pointee.pb), .outOfMemory, "no memory for a header")
            isMemory = true
        }
        if isISOMedia { SubtitleGaps.refineTimeBases(context) }
        var dictionary: OpaquePointer?
        defer { av_dict_free(&dictionary) }
        for (key, value) in options { av_dict_set(&dictionary, key, value, 0) }
        let result = avformat_write_header(context, &dictionary)
        // A disk that takes no header says nothing about the streams.
        try checkIO()
        try AV.check(result, .unsupported, "\(name) refuses these streams")
        for slot in slots.values { slot.clock.tolerance = Rational(slot.stream.pointee.time_base).ticks(of: 0.1) }
        if name == "matroska" || name == "webm" { for slot in slots.values { slot.delay = codecDelay(slot.stream) } }
    }

    /// The Matroska muxer notes the delay of an Opus encoder, which readers take off the times, but does not add it to
    /// them itself (matroskaenc.c, `mkv_write_track`).
    private func codecDelay(_ stream: UnsafeMutablePointer<AVStream>) -> Int64 {
        let parameters = stream.pointee.codecpar.pointee
        guard parameters.codec_id == AV_CODEC_ID_OPUS, parameters.initial_padding > 0 else { return 0 }
        return Rational(1, 48000).rescale(Int64(parameters.initial_padding), to: Rational(stream.pointee.time_base))
    }

    /// Takes a packet of the source's stream (or of the encoder in its place), `offset` of its ticks earlier.
    /// The packet itself is left as it is.
    func write(_ packet: Packet, offset: Int64 = 0) throws(MediaError) {
        guard let slot = slots[packet.streamIndex] else { return }
        slot.packetCount += 1
        if let untimed = slot.untimed { return try write(untimed.take(packet, offset: offset), to: slot) }
        guard let due = try slot.leading?.take(packet, offset: offset) else { return try write(packet, offset, to: slot) }
        try write(due, to: slot)
    }

    private func write(_ due: [(packet: Packet, offset: Int64)], to slot: Slot) throws(MediaError) {
        for entry in due { try write(entry.packet, entry.offset, to: slot) }
    }

    private func write(_ packet: Packet, _ offset: Int64, to slot: Slot) throws(MediaError) {
        if slot.gaps?.isWrittenByMuxer(packet, offset: offset) == true { return }
        let copy = try packet.reference()
        let raw = copy.raw
        let base = Rational(slot.stream.pointee.time_base)
        let times = slot.clock.fit(
            pts: packet.pts.map { slot.sourceTimeBase.rescale($0 &- offset, to: base) &+ slot.delay },
            dts: packet.dts.map { slot.sourceTimeBase.rescale($0 &- offset, to: base) &+ slot.delay },
            duration: slot.sourceTimeBase.rescale(packet.duration, to: base))
        raw.pointee.pts = times.pts
        raw.pointee.dts = times.dts
        raw.pointee.duration = times.duration
        raw.pointee.stream_index = slot.stream.pointee.index
        raw.pointee.pos = -1
        try send(copy)
    }

    private func send(_ packet: Packet) throws(MediaError) {
        try AV.check(av_interleaved_write_frame(context, packet.raw), .unwritable, "\(label) cannot be written")
        try checkIO()
    }

    /// Writes what is buffered and the trailer, and closes the file.
    func finish() throws(MediaError) {
        for slot in slots.values {
            if let untimed = slot.untimed { try write(untimed.finish(), to: slot) }
            if let leading = try slot.leading?.finish() { try write(leading, to: slot) }
        }
        try AV.check(av_write_trailer(context), .unwritable, "\(label) cannot be finished")
        avio_flush(context.pointee.pb)
        try checkIO()
        try AV.check(AV.close(&context.pointee.pb), .unwritable, "\(label) cannot be finished")
    }

    /// libav's muxers do not all look at what their writes return; the I/O context keeps the first failure.
    private func checkIO() throws(MediaError) {
        guard let io = context.pointee.pb else { return }
        try AV.check(io.pointee.error, .unwritable, "\(label) cannot be written")
    }
}
