internal import CFFmpeg

/// Packets of a copied video whose container says when they are decoded, but not when they are shown (AVI): held back until
/// their places in the order of showing are known.
///
/// The n-th picture that is shown gets the n-th decoding time, as pictures of the source's own video do, and all are decoded
/// earlier by as many pictures as the stream reorders.
final class UntimedPackets {
    private struct Entry {
        let packet: Packet
        let offset: Int64
        var presentation: Int64?
    }

    /// A picture that has not been shown yet: its place within its part of the stream, and the number of its packet.
    private struct Waiting {
        let part: Int
        let place: Int64
        let number: Int

        func isBefore(_ other: Waiting) -> Bool { (part, place) < (other.part, other.place) }
    }

    private let order: DecodedOrder?
    /// Pictures that may be decoded before one that is shown first.
    private let delay: Int
    /// In decoding order; the first one has the number `written`.
    private var held: [Entry] = []
    private var written = 0
    private var waiting: [Waiting] = []
    private var part = 0
    /// Decoding times that no picture has been given yet.
    private var times: [Int64] = []
    /// Ticks by which decoding comes earlier; nil before the first packet is written.
    private var lead: Int64?
    private var step: Int64 = 1
    private var isOver: Bool
    /// More than any codec reorders, empty packets included.
    private static let most = 256

    init(_ stream: UnsafePointer<AVStream>) {
        delay = Int(stream.pointee.codecpar.pointee.video_delay)
        let codec = stream.pointee.codecpar.pointee.codec_id
        order = [AV_CODEC_ID_H264, AV_CODEC_ID_HEVC].contains(codec) ? DecodedOrder(stream) : nil
        isOver = delay <= 0 || delay > 16
    }

    /// Takes a packet of the stream; those that can be written now, in order. The packets themselves are left as they are.
    func take(_ packet: Packet, offset: Int64) throws(MediaError) -> [(packet: Packet, offset: Int64)] {
        guard !isOver else { return [(packet, offset)] }
        guard let dts = packet.dts, held.count < Self.most, order == nil || packet.pts == nil else {
            return try finish() + [(packet, offset)]
        }
        let number = written + held.count
        held.append(Entry(packet: packet, offset: offset))
        guard packet.size > 0 else {
            // No picture: the one before is shown on.
            held[held.count - 1].presentation = dts
            return try due()
        }
        if let last = times.last, dts > last { step = dts.subtractingClamped(last) }
        times.append(dts)
        guard let order else {
            show(reference: packet.pts == nil, number)
            return try due()
        }
        guard let place = order.place(of: packet) else { return try finish() }
        if place.begins { part += 1 }
        waiting.append(Waiting(part: part, place: place.number, number: number))
        if waiting.count > delay { showNext() }
        return try due()
    }

    /// A reference picture is shown when the next one is decoded, any other at once (MPEG-4 part 2, MPEG-2).
    private func show(reference: Bool, _ number: Int) {
        let picture = Waiting(part: 0, place: 0, number: number)
        guard reference else { return present(picture) }
        if let before = waiting.popLast() { present(before) }
        waiting = [picture]
    }

    private func showNext() {
        guard let index = waiting.indices.min(by: { waiting[$0].isBefore(waiting[$1]) }) else { return }
        present(waiting.remove(at: index))
    }

    private func present(_ picture: Waiting) {
        if lead == nil { lead = times[min(order == nil ? 1 : delay, times.count - 1)].subtractingClamped(times[0]) }
        guard !times.isEmpty, held.indices.contains(picture.number - written) else { return }
        held[picture.number - written].presentation = times.removeFirst()
    }

    /// The first packets whose times are all known.
    private func due() throws(MediaError) -> [(packet: Packet, offset: Int64)] {
        let count = held.prefix { $0.presentation != nil }.count
        defer {
            held.removeFirst(count)
            written += count
        }
        return try timed(held.prefix(count))
    }

    private func timed(_ entries: ArraySlice<Entry>) throws(MediaError) -> [(packet: Packet, offset: Int64)] {
        var result: [(packet: Packet, offset: Int64)] = []
        for entry in entries {
            let copy = try entry.packet.reference()
            copy.raw.pointee.pts = entry.presentation.avTimestamp
            copy.raw.pointee.dts = entry.packet.dts.map { $0.subtractingClamped(lead ?? 0) }.avTimestamp
            result.append((copy, entry.offset))
        }
        return result
    }

    /// Those that are still held back; whatever follows is let through as it is.
    func finish() throws(MediaError) -> [(packet: Packet, offset: Int64)] {
        isOver = true
        while !waiting.isEmpty { showNext() }
        let rest = held
        held = []
        return try timed(rest[...])
    }
}

/// Says where in the order of showing a packet's picture stands, as its headers have it (picture order count of H.264 and HEVC).
private final class DecodedOrder {
    private var parser: UnsafeMutablePointer<AVCodecParserContext>?
    private var context: UnsafeMutablePointer<AVCodecContext>?

    /// Nil where libavcodec has no parser for the codec.
    init?(_ stream: UnsafePointer<AVStream>) {
        parser = av_parser_init(Int32(bitPattern: stream.pointee.codecpar.pointee.codec_id.rawValue))
        context = avcodec_alloc_context3(nil)
        guard parser != nil, context != nil, avcodec_parameters_to_context(context, stream.pointee.codecpar) >= 0 else { return nil }
        parser?.pointee.flags |= PARSER_FLAG_COMPLETE_FRAMES
    }

    deinit {
        if let parser { av_parser_close(parser) }
        avcodec_free_context(&context)
    }

    /// Nil for a field, which is no picture of its own. `begins` says that counting may begin anew with it.
    func place(of packet: Packet) -> (number: Int64, begins: Bool)? {
        guard let parser, let context else { return nil }
        var output: UnsafeMutablePointer<UInt8>?
        var outputSize: Int32 = 0
        _ = av_parser_parse2(
            parser, context, &output, &outputSize, packet.raw.pointee.data, packet.raw.pointee.size, shim_no_pts(), shim_no_pts(), 0)
        let structure = parser.pointee.picture_structure
        guard structure != AV_PICTURE_STRUCTURE_TOP_FIELD, structure != AV_PICTURE_STRUCTURE_BOTTOM_FIELD else { return nil }
        return (Int64(parser.pointee.output_picture_number), parser.pointee.key_frame == 1)
    }
}
