internal import NIOCore

/// A `MediaUnit` on its way to readers: one buffer that all of them share.
struct FramedUnit: Sendable {
    let track: Int
    let isVideo: Bool
    let isKeyframe: Bool
    /// Every packet with the four bytes of interleaving before it (RFC 2326, 10.12), on channel `2 * track`.
    let framed: ByteBuffer
    /// Length of each packet, without the four bytes.
    let packetSizes: [Int]
    let rtpTime: UInt32
    let wallClock: Duration
    /// Nanoseconds of the monotonic clock, when it was handed over.
    let arrival: UInt64

    static let rtpHeaderSize = 12
    /// More does not fit a UDP datagram.
    static let packetLimit = 65507

    /// Nil where a packet has no size that RTP can have, or there is none.
    init?(_ unit: MediaUnit, isVideo: Bool, arrival: UInt64) {
        let sizes = unit.packets.map(\.count)
        guard !sizes.isEmpty, sizes.allSatisfy({ (Self.rtpHeaderSize...Self.packetLimit).contains($0) }) else { return nil }
        var buffer = ByteBufferAllocator().buffer(capacity: sizes.reduce(0, +) + 4 * sizes.count)
        for packet in unit.packets {
            buffer.writeInteger(Interleaving.mark)
            buffer.writeInteger(UInt8(truncatingIfNeeded: 2 * unit.track))
            buffer.writeInteger(UInt16(packet.count))
            buffer.writeBytes(packet)
        }
        track = unit.track
        isKeyframe = unit.isKeyframe
        framed = buffer
        packetSizes = sizes
        rtpTime = unit.rtpTime
        wallClock = unit.wallClock
        (self.isVideo, self.arrival) = (isVideo, arrival)
    }

    var byteCount: Int { framed.readableBytes }
    /// Bytes behind the RTP headers, as sender reports count them.
    var payloadBytes: Int { packetSizes.reduce(0) { $0 + $1 - Self.rtpHeaderSize } }

    /// The unit for a connection that carries the track on `channel`. No copy where that is the usual one.
    func interleaved(on channel: UInt8) -> ByteBuffer {
        guard Int(channel) != 2 * track else { return framed }
        var buffer = framed
        var at = buffer.readerIndex
        for size in packetSizes {
            buffer.setInteger(channel, at: at + 1)
            at += Interleaving.headerSize + size
        }
        return buffer
    }

    /// The packets one by one, sharing the unit's memory.
    func packets(from first: Int, count: Int) -> [ByteBuffer] {
        var at = framed.readerIndex + packetSizes[..<first].reduce(0) { $0 + $1 + Interleaving.headerSize }
        return packetSizes[first..<min(first + count, packetSizes.count)].compactMap { size in
            defer { at += Interleaving.headerSize + size }
            return framed.getSlice(at: at + Interleaving.headerSize, length: size)
        }
    }
}

/// Binary data on the connection of the requests (RFC 2326, 10.12): `$`, channel, length in two bytes, data.
enum Interleaving {
    static let mark = UInt8(ascii: "$")
    static let headerSize = 4
}
