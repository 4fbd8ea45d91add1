internal import CFFmpeg

/// What a finished file holds, read back packet by packet (nothing is decoded).
struct PacketCensus {
    struct Stream: Equatable {
        var kind: MediaStreamInfo.Kind
        var codecTag: String
        var isCoverArt: Bool
        /// True where there is a display matrix.
        var isTurned = false
        var packets = 0
        /// Those that an edit list does not hide.
        var shownPackets = 0
        var bytes: Int64 = 0
        /// Seconds at which the first and the last packet start, in the order of presentation.
        var start: Double?
        var lastStart: Double?

        /// Seconds from the start of the first packet to that of the last. (How long the last one lasts, not every
        /// container says.)
        var span: Double? { start.flatMap { start in lastStart.map { $0 - start } } }
    }

    var streams: [Stream] = []
    var metadata: [String: String] = [:]
    var streamMetadata: [[String: String]] = []

    /// Throws `.damaged` where the file cannot be opened or read to its end; `.unreadable` where the disk or the network fails;
    /// `.cancelled`.
    static func take(path: String, interrupt: Interrupt) throws(MediaError) -> PacketCensus
    {
        _ = AV.installLog
        let context = try SourceIO.open(path, options: ["protocol_whitelist": "file"], interrupt: interrupt) { result in
            AV.error(result, .damaged, "\(path) cannot be read back")
        }
        defer { SourceIO.close(context) }
        var census = PacketCensus()
        census.describe(context)
        try census.read(context, interrupt: interrupt, path: path)
        return census
    }

    private mutating func describe(_ context: UnsafeMutablePointer<AVFormatContext>) {
        metadata = dictionary(context.pointee.metadata)
        for index in 0..<Int(context.pointee.nb_streams) {
            guard let stream = context.pointee.streams[index] else { continue }
            let info = MediaStreamInfo(stream)
            let isTurned = shim_stream_display_matrix(stream) != nil
            streams.append(
                Stream(kind: info.kind, codecTag: info.codecTag, isCoverArt: info.isCoverArt, isTurned: isTurned))
            streamMetadata.append(info.metadata)
        }
    }

    private mutating func read(_ context: UnsafeMutablePointer<AVFormatContext>, interrupt: Interrupt, path: String)
        throws(MediaError)
    {
        let packet = try Packet()
        while true {
            try interrupt.check()
            let result = av_read_frame(context, packet.raw)
            if let code = SourceIO.fault(of: context.pointee.pb) { throw SourceIO.unreadable(path, code) }
            if result == AV.endOfFile { return }
            try AV.check(result, .damaged, "\(path) cannot be read back to its end")
            let index = packet.streamIndex
            if streams.indices.contains(index), let stream = context.pointee.streams[index] {
                count(packet, tick: Rational(stream.pointee.time_base).value ?? 0, in: &streams[index])
            }
            av_packet_unref(packet.raw)
        }
    }

    private func count(_ packet: Packet, tick: Double, in stream: inout Stream) {
        stream.packets += 1
        if packet.raw.pointee.flags & AV_PKT_FLAG_DISCARD == 0 { stream.shownPackets += 1 }
        stream.bytes += Int64(packet.size)
        guard let time = packet.pts ?? packet.dts else { return }
        let start = Double(time) * tick
        stream.start = min(stream.start ?? start, start)
        stream.lastStart = max(stream.lastStart ?? start, start)
    }

    /// The converted video: the first video stream that is no cover picture.
    func video(at position: Int = 0) -> Stream? {
        let videos = streams.filter { $0.kind == .video && !$0.isCoverArt }
        return videos.indices.contains(position) ? videos[position] : nil
    }
}
