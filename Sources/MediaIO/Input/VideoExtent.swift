internal import CFFmpeg

/// How much of a video has been read, held against the container's own list of its packets.
struct VideoExtent {
    private var firstDts: Int64?
    private var lastDts: Int64?
    /// Packets that are to be shown.
    private(set) var packets = 0
    /// The least number of ticks from one picture to the next; nil before the second one.
    private var ticksPerPicture: Int64?
    private var lastPictureDts: Int64?

    mutating func note(_ packet: Packet) {
        if firstDts == nil { firstDts = packet.dts }
        lastDts = packet.dts ?? lastDts
        if packet.size > 0, let dts = packet.dts {
            if let before = lastPictureDts, dts > before {
                let step = dts.subtractingClamped(before)
                ticksPerPicture = min(ticksPerPicture ?? step, step)
            }
            lastPictureDts = dts
        }
        if packet.raw.pointee.flags & AV_PKT_FLAG_DISCARD == 0 { packets += 1 }
    }

    /// Packets that the container lists and that have not come: 0 for formats without a list.
    func missing(of stream: UnsafeMutablePointer<AVStream>, in info: SourceInfo) -> Int {
        if info.containerName.hasPrefix("mov") { return missingInIndex(of: stream) }
        if info.containerName == "avi" { return missingInAVI(stream, path: info.path) }
        return 0
    }

    /// MP4 and MOV list every sample; libav's index holds them, the hidden ones marked.
    private func missingInIndex(of stream: UnsafeMutablePointer<AVStream>) -> Int {
        guard let firstDts else { return 0 }
        var listed = 0
        for index in 0..<max(0, avformat_index_get_entries_count(stream)) {
            guard let entry = avformat_index_get_entry(stream, index)?.pointee else { continue }
            if entry.timestamp >= firstDts, entry.flags & AVINDEX_DISCARD_FRAME == 0 { listed += 1 }
        }
        return max(0, listed - packets)
    }

    /// AVI's header has the number of its ticks. A picture may last several: FFmpeg counts H.264 in fields.
    private func missingInAVI(_ stream: UnsafeMutablePointer<AVStream>, path: String) -> Int {
        guard let lastDts, let file = try? FileBytes(path: path), let riffSize = try? file.read(at: 4, count: 4) else { return 0 }
        // A recorder that was cut off has not filled in its header: then its numbers say nothing.
        let riffEnd = riffSize.reversed().reduce(0) { $0 << 8 | Int64($1) } + 8
        guard riffEnd >= file.size - 1 << 16 else { return 0 }
        let declared = stream.pointee.nb_frames
        let ticks = max(0, declared.subtractingClamped(lastDts.addingClamped(1)))
        return Int(clamping: ticks / max(1, ticksPerPicture ?? 1))
    }
}
