internal import CFFmpeg

/// libav's decoder of one video stream (`AVCodecContext`), owned by this object: packets in, raw pictures out.
///
/// Damaged packets do not throw: they are counted in `errors`, also where their headers ask for more memory than there is.
final class PictureDecoder {
    private let context: UnsafeMutablePointer<AVCodecContext>
    private let scratch: Packet
    /// Packets that the decoder refused and pictures that it failed to give.
    private(set) var errors = 0
    private var isDrained = false

    /// - Parameters:
    ///   - threads: threads of the decoder, 0 for as many as there are cores.
    ///   - isLive: true to get every picture as soon as its packet is there: threads then share a picture instead of having
    ///     one each, which would hold back as many as there are threads.
    init(_ stream: UnsafePointer<AVStream>, threads: Int, isLive: Bool = false) throws(MediaError) {
        let parameters = stream.pointee.codecpar
        let id = stream.pointee.codecpar.pointee.codec_id
        guard id != AV_CODEC_ID_NONE else {
            let tag = fourCharacterCode(stream.pointee.codecpar.pointee.codec_tag)
            throw MediaError(
                .unsupported, "the video's codec \(tag.isEmpty ? "" : "'\(tag)' ")is unknown",
                remedy: "copy the file again if it was readable before, or convert it to H.264 first")
        }
        guard let codec = avcodec_find_decoder(id) else {
            throw MediaError(
                .unsupported, "this libavcodec has no decoder for \(String(cString: avcodec_get_name(id))) video",
                remedy: "install a libavcodec that has, or convert the video to H.264 first")
        }
        guard let context = avcodec_alloc_context3(codec) else { throw MediaError(.outOfMemory, "no memory for a decoder") }
        self.context = context
        scratch = try Packet()
        try AV.check(avcodec_parameters_to_context(context, parameters), .damaged, "the video's parameters are damaged")
        context.pointee.pkt_timebase = stream.pointee.time_base
        context.pointee.thread_count = Int32(clamping: max(0, threads))
        if isLive {
            context.pointee.thread_type = FF_THREAD_SLICE
            // Where pictures are reordered, MPEG-2's decoder would take the flag for leave to give them in coded order.
            if parameters.map({ $0.pointee.video_delay }) == 0 { context.pointee.flags |= AV_CODEC_FLAG_LOW_DELAY }
        }
        // A hostile header must not make the decoder allocate pictures that no camera takes.
        context.pointee.max_pixels = Self.mostPixels
        try AV.check(avcodec_open2(context, codec, nil), .damaged, "the video's decoder cannot be opened")
    }

    deinit {
        var pointer: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&pointer)
    }

    private static let mostPixels: Int64 = 1 << 28

    /// Pictures that the codec may put behind others which follow them in decoding order, as far as known by now.
    var reorderDepth: Int { Int(max(0, context.pointee.has_b_frames)) }

    /// Decodes `packet` (nil: gives out all that is left), whose pictures then have `token` as their pts.
    func decode(_ packet: Packet?, token: Int64, emit: (Frame) throws -> Void) throws {
        guard !isDrained else { return }
        var result: Int32
        if let packet {
            result = av_packet_ref(scratch.raw, packet.raw)
            try AV.check(result, .outOfMemory, "no memory for a packet")
            scratch.raw.pointee.pts = token
            scratch.raw.pointee.dts = shim_no_pts()
            result = avcodec_send_packet(context, scratch.raw)
            av_packet_unref(scratch.raw)
        } else {
            isDrained = true
            result = avcodec_send_packet(context, nil)
        }
        if result < 0 { errors += 1 }
        try receive(emit)
    }

    private func receive(_ emit: (Frame) throws -> Void) throws {
        // Frame threads report the error of one packet at another; there are at most as many as pictures in flight.
        var failures = 0
        while failures < 64 {
            let frame = try Frame()
            let result = avcodec_receive_frame(context, frame.raw)
            if result == AV.again || result == AV.endOfFile { return }
            if result < 0 {
                errors += 1
                failures += 1
            } else if frame.raw.pointee.width > 0, frame.raw.pointee.height > 0, frame.raw.pointee.buf.0 != nil {
                try emit(frame)
            }
        }
    }
}
