internal import CFFmpeg
internal import Synchronization

/// Reads a source's packets (libav's `AVFormatContext`), owned by this object.
///
/// Only local files are opened, and a file never opens another one: playlists and network addresses are refused.
public final class Demuxer: @unchecked Sendable {
    // Safe to send: used by one thread at a time, the stage that reads; `info` is constant and `fault` is atomic.
    let raw: UnsafeMutablePointer<AVFormatContext>
    /// The source as its container describes it; `SourceProbe` also looks at the first frame.
    public let info: SourceInfo
    /// The first failure of a read that was not the end of the file; reading went on behind it where possible.
    public private(set) var readError: MediaError?
    /// How often reading has met damage so far.
    private(set) var damageCount = 0
    private var damageBefore = 0
    /// A short file is read to its end, cut off or not, while it is opened.
    let metDamageOnOpening: Bool
    /// Packets of media streams that appeared after the file's start (in MPEG-TS), which no output has a place for.
    public private(set) var latePackets = 0
    private let interrupt: Interrupt
    /// Packets that were read to see whether later ones confirm a time, in the container's order and with its times.
    private var ahead: [Packet] = []
    private var isAtEnd = false
    /// Nil for sources that say nothing about times which could be put right.
    private var timeline: SourceTimeline?
    /// libav's code of the first read that the disk or the network has failed; 0 where none has.
    private let fault = Atomic<Int32>(0)

    /// Opens `path`: a video, a picture, or a numbered sequence of pictures such as `frame_%04d.png`, whose frame
    /// rate is `sequenceRate`.
    ///
    /// Throws `.noSuchFile`, `.unreadable`, `.notMedia`, `.noVideo`, `.damaged`, `.cancelled`.
    public init(path: String, interrupt: Interrupt, sequenceRate: Rational = Rational(25, 1)) throws(MediaError) {
        let errorsBefore = shim_log_demuxer_errors()
        let opened = try SourceOpening.open(path: path, interrupt: interrupt, sequenceRate: sequenceRate)
        metDamageOnOpening = shim_log_demuxer_errors() != errorsBefore
        raw = opened.context
        info = opened.info
        self.interrupt = interrupt
        timeline = SourceTimeline(info)
    }

    deinit { SourceIO.close(raw) }

    private func isCutOffPicture(_ packet: Packet, of stream: UnsafePointer<AVStream>) -> Bool {
        guard info.isStillPicture || info.isPictureSequence, stream.pointee.codecpar.pointee.codec_id == AV_CODEC_ID_MJPEG else {
            return false
        }
        return !JPEGPicture.isWhole(UnsafeRawBufferPointer(start: packet.raw.pointee.data, count: packet.size))
    }

    /// The next packet of any media stream, in the container's order, with its times on one clock for all streams
    /// (`SourceTimeline`); nil at the end.
    ///
    /// Damage does not throw: what cannot be read is skipped where the format allows it, and `readError` says so.
    /// Throws `.cancelled`, and `.unreadable` where the disk or the network fails, which is never the end of a source.
    public func next() throws(MediaError) -> Packet? {
        guard let packet = try ahead.isEmpty ? read() : ahead.removeFirst() else { return nil }
        let times = packet.times
        guard let placed = try timeline?.place(times, { distance throws(MediaError) in try self.look(distance) }), placed != times else {
            return packet
        }
        packet.raw.pointee.pts = placed.pts.avTimestamp
        packet.raw.pointee.dts = placed.dts.avTimestamp
        return packet
    }

    /// What was put right in the times of the packets so far.
    public var timeRepairs: TimeRepairs { timeline?.repairs ?? TimeRepairs() }

    /// Packets, and bytes of them, that are read ahead at most.
    private static let furthestLook = (packets: 1024, bytes: 32 << 20)

    private func look(_ distance: Int) throws(MediaError) -> SourceTimeline.Times? {
        while ahead.count <= distance {
            guard ahead.count < Self.furthestLook.packets, ahead.reduce(0, { $0 + $1.size }) < Self.furthestLook.bytes,
                let packet = try read()
            else { return nil }
            ahead.append(packet)
        }
        return ahead[distance].times
    }

    /// The next packet as the container has it.
    private func read() throws(MediaError) -> Packet? {
        guard !isAtEnd else { return nil }
        let packet = try readOn()
        isAtEnd = packet == nil
        return packet
    }

    private func readOn() throws(MediaError) -> Packet? {
        // Behind a gap in a picture sequence libav would only report that the next picture is not there.
        if info.isPictureSequence, extent.packets >= info.frameCountEstimate ?? .max { return nil }
        let packet = try Packet()
        var failures = 0
        while true {
            try interrupt.check()
            let errorsBefore = shim_log_demuxer_errors()
            let result = av_read_frame(raw, packet.raw)
            noteFault(result)
            try checkReading()
            if shim_log_demuxer_errors() != errorsBefore { noteDamage(shim_averror_invalid_data()) }
            if result >= 0 {
                failures = 0
                guard info.streams.indices.contains(packet.streamIndex), let stream = stream(at: packet.streamIndex) else {
                    latePackets += 1
                    av_packet_unref(packet.raw)
                    continue
                }
                packet.raw.pointee.time_base = stream.pointee.time_base
                if isCutOffPicture(packet, of: stream) { packet.raw.pointee.flags |= AV_PKT_FLAG_CORRUPT }
                if packet.streamIndex == info.video.streamIndex {
                    extent.note(packet)
                    packet.followsDamage = damageCount != damageBefore
                    damageBefore = damageCount
                }
                return packet
            }
            if result == AV.endOfFile { return nil }
            let error = noteDamage(result)
            if error.code == .cancelled { throw error }
            failures += 1
            // Behind a sample that lies outside the file there may be another one inside; any other error repeats.
            guard result == shim_averror_invalid_data() || result == AV.again, failures < Self.mostFailures else { return nil }
        }
    }

    /// Throws `.unreadable` where the disk or the network has failed, which the end of the file looks like otherwise
    /// (`AVIOContext.error`); what is missing then may well be there. May be called while another thread reads.
    public func checkReading() throws(MediaError) {
        let code = fault.load(ordering: .relaxed)
        if code < 0 { throw SourceIO.unreadable(info.path, code) }
    }

    private func noteFault(_ result: Int32) {
        let code = raw.pointee.pb == nil ? (SourceIO.isFault(result) ? result : nil) : SourceIO.fault(of: raw.pointee.pb)
        if let code { fault.store(code, ordering: .relaxed) }
    }

    /// Remembers that the container is damaged where it is being read.
    @discardableResult
    private func noteDamage(_ result: Int32) -> MediaError {
        let error = AV.error(result, .damaged, "parts of \(info.path) cannot be read", remedy: "copy it again")
        if readError == nil { readError = error }
        damageCount += 1
        return error
    }

    /// Goes to a key frame of the video at or before `seconds` after the source's start, from which all later frames can
    /// be decoded. Stays at the start where the format cannot do better: `VideoDecoder` leaves out what is too early.
    ///
    /// Throws `.unsupportedOption` for a time that is none, and `.cancelled`.
    public func seek(toSeconds seconds: Double) throws(MediaError) {
        try seek(toTick: ticks(ofSeconds: seconds))
    }

    /// As `seek(toSeconds:)`, to a pts of the video in its own ticks. Throws `.cancelled`.
    public func seek(toTick target: Int64) throws(MediaError) {
        guard canSeek, let start = info.video.startTime, let tick = info.video.timeBase.value else { return }
        // MPEG-TS and others without an index of key frames land anywhere: go further back until one lies between.
        for margin in [0, 1, 5, 20, 120, Double.infinity] {
            let back = Int64(nearest: min(margin / tick, 0x1p61), .towardZero)
            let place = max(start, target.subtractingClamped(back))
            guard seek(to: place, start: start) else { break }
            let isThere = try nextKeyTime().map { $0 <= target } ?? false
            if seek(to: place, start: start), isThere || place == start { break }
        }
        extent = VideoExtent()
        damageBefore = damageCount
    }

    /// False where frames can only be told by counting them from the start: in raw streams, and where a container that does not
    /// give every picture its time (AVI, MPEG-PS) has pictures in another order than shown. Behind a seek, those that need
    /// pictures from before would count as lost.
    public var canSeek: Bool {
        guard info.video.startTime != nil else { return false }
        guard ["avi", "mpeg"].contains(info.containerName), let stream = stream(at: info.video.streamIndex) else { return true }
        return stream.pointee.codecpar.pointee.video_delay == 0
    }

    private func seek(to place: Int64, start: Int64) -> Bool {
        ahead = []
        isAtEnd = false
        timeline = SourceTimeline(info)
        // MPEG's formats find a time by trial, which may miss the very first key frame.
        if place == start, ["mpegts", "mpeg"].contains(info.containerName) {
            return av_seek_frame(raw, -1, 0, AVSEEK_FLAG_BYTE) >= 0
        }
        return avformat_seek_file(raw, Int32(info.video.streamIndex), Int64.min, place, place, 0) >= 0
    }

    /// Reads up to the next key frame of the video; its pts, or dts where it has none.
    private func nextKeyTime() throws(MediaError) -> Int64? {
        while let packet = try next() {
            if packet.streamIndex == info.video.streamIndex, packet.isKey { return packet.pts ?? packet.dts }
        }
        return nil
    }

    /// The pts of the video that lies `seconds` after the source's start, rounded to nearest.
    func ticks(ofSeconds seconds: Double) throws(MediaError) -> Int64 {
        guard seconds.isFinite, let tick = info.video.timeBase.value, let ticks = Int64(checked: seconds / tick), abs(seconds / tick) < 0x1p62
        else {
            throw MediaError(.unsupportedOption, "\(seconds) s is no time to start at")
        }
        return (info.video.startTime ?? 0).addingClamped(ticks)
    }

    /// What has been read of the video since the start or the last seek.
    private var extent = VideoExtent()

    /// Frames of the video that the container lists and whose packets are not in the file; known at the end.
    var missingVideoPackets: Int {
        stream(at: info.video.streamIndex).map { extent.missing(of: $0, in: info) } ?? 0
    }

    /// Where the container says that it ends, in ticks of the video; nil where it does not say so in its header.
    var declaredEnd: Int64? {
        guard info.containerName.hasPrefix("matroska"), let duration = info.duration else { return nil }
        return try? ticks(ofSeconds: duration)
    }

    /// Consecutive unreadable packets after which the rest of the file counts as lost.
    private static let mostFailures = 4096

    func stream(at index: Int) -> UnsafeMutablePointer<AVStream>? {
        index >= 0 && index < Int(raw.pointee.nb_streams) ? raw.pointee.streams[index] : nil
    }
}

extension Packet {
    /// What the container says of its times.
    fileprivate var times: SourceTimeline.Times {
        SourceTimeline.Times(
            stream: streamIndex, pts: pts, dts: dts, duration: duration, isHidden: raw.pointee.flags & AV_PKT_FLAG_DISCARD != 0)
    }
}

extension SourceTimeline {
    /// Nil where there is nothing to put right: MP4 and MOV have durations instead of times, AVI and raw streams numbers.
    fileprivate init?(_ info: SourceInfo) {
        guard !info.containerName.hasPrefix("mov"), info.video.hasKnownTimestamps, !info.isStillPicture, !info.isPictureSequence else {
            return nil
        }
        let streams = info.streams.filter { !$0.isCoverArt && $0.kind != .attachment && $0.timeBase.isPositive }
        self.init(
            streams.map { Stream(index: $0.index, kind: $0.kind, timeBase: $0.timeBase) }, video: info.video.streamIndex)
    }
}
