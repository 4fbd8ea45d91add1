internal import CFFmpeg

/// One compressed unit of a media stream (libav's `AVPacket`), owned by this object.
public final class Packet: @unchecked Sendable {
    // Safe to send: the packet is owned by this object alone, and a stage that has handed it on does not touch it.
    let raw: UnsafeMutablePointer<AVPacket>
    /// True where the demuxer met damage since the video packet before: others may have been lost between the two.
    public internal(set) var followsDamage = false

    /// Takes over `raw`, which this object frees.
    init(adopting raw: UnsafeMutablePointer<AVPacket>) { self.raw = raw }

    /// An empty packet for libav to fill.
    convenience init() throws(MediaError) {
        guard let raw = av_packet_alloc() else { throw MediaError(.outOfMemory, "no memory for a packet") }
        self.init(adopting: raw)
    }

    deinit {
        var pointer: UnsafeMutablePointer<AVPacket>? = raw
        av_packet_free(&pointer)
    }

    /// A new packet that shares this one's payload and has its properties (`av_packet_clone`): for a further output, each
    /// of which has its own.
    public func reference() throws(MediaError) -> Packet {
        guard let copy = av_packet_clone(raw) else { throw MediaError(.outOfMemory, "no memory for a packet") }
        let packet = Packet(adopting: copy)
        packet.followsDamage = followsDamage
        return packet
    }

    /// Index of the media stream in the container it was read from.
    public var streamIndex: Int { Int(raw.pointee.stream_index) }
    /// Presentation time in ticks of `timeBase`; nil where the container gave none.
    public var pts: Int64? { raw.pointee.pts.knownTimestamp }
    /// Decoding time in ticks of `timeBase`; nil where the container gave none.
    public var dts: Int64? { raw.pointee.dts.knownTimestamp }
    /// Duration in ticks of `timeBase`, 0 where unknown.
    public var duration: Int64 { raw.pointee.duration }
    public var timeBase: Rational { Rational(raw.pointee.time_base) }
    public var isKey: Bool { raw.pointee.flags & AV_PKT_FLAG_KEY != 0 }
    /// Payload size in bytes.
    public var size: Int { Int(raw.pointee.size) }
}
