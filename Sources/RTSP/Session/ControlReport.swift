internal import NIOCore

/// RTCP packets (RFC 3550, 6).
enum ControlReport {
    /// Between 1900, where NTP's time begins, and 1970.
    private static let ntpOffset: UInt64 = 2_208_988_800
    private static let senderReport: UInt8 = 200, receiverReport: UInt8 = 201, description: UInt8 = 202, goodbye: UInt8 = 203
    private static let application: UInt8 = 204, extended: UInt8 = 207

    struct SenderState: Sendable, Equatable {
        var ssrc: UInt32
        /// Of the packets sent so far; both wrap around.
        var packetCount: UInt32
        var octetCount: UInt32
    }

    /// Which RTP time belongs to which moment: what the last unit said.
    struct ClockMapping: Sendable, Equatable {
        var rtpTime: UInt32
        /// Since 1970.
        var wallClock: Duration
        /// Ticks per second.
        var clockRate: Int
        /// Nanoseconds of the monotonic clock, when the unit came.
        var arrival: UInt64

        /// What the units' own clock shows now. The system's may differ from it, by a step or by years, and players must
        /// find the packets' times near those of the reports.
        func moment(at now: UInt64) -> Duration { wallClock + .nanoseconds(Int64(now > arrival ? now - arrival : 0)) }

        /// The RTP time at `moment` since 1970.
        func rtpTime(at moment: Duration) -> UInt32 {
            let (seconds, attoseconds) = (moment - wallClock).components
            // Whole seconds apart, so that neither part overflows even where the clock was set by decades.
            let whole = seconds &* Int64(clockRate)
            let part = Int64((Double(attoseconds) * 1e-18 * Double(clockRate)).rounded())
            return rtpTime &+ UInt32(truncatingIfNeeded: whole &+ part)
        }
    }

    /// A sender report with its SDES, which says that tracks of one `name` belong together (6.4.1, 6.5.1), and a BYE (6.6)
    /// where the stream ends.
    ///
    /// - Parameter moment: since 1970.
    static func report(_ sender: SenderState, mapping: ClockMapping, at moment: Duration, name: String, isLast: Bool = false) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: 128)
        writeHeader(&buffer, count: 0, type: senderReport, words: 7)
        buffer.writeInteger(sender.ssrc)
        buffer.writeInteger(ntp(moment))
        buffer.writeInteger(mapping.rtpTime(at: moment))
        buffer.writeInteger(sender.packetCount)
        buffer.writeInteger(sender.octetCount)
        let text = Array(name.utf8.prefix(255))
        // The item ends with one zero at least, and the chunk with a whole word.
        let chunk = (4 + 2 + text.count + 1 + 3) / 4 * 4
        writeHeader(&buffer, count: 1, type: description, words: chunk / 4 + 1)
        buffer.writeInteger(sender.ssrc)
        buffer.writeInteger(UInt8(1))
        buffer.writeInteger(UInt8(text.count))
        buffer.writeBytes(text)
        buffer.writeRepeatingByte(0, count: chunk - 4 - 2 - text.count)
        if isLast {
            writeHeader(&buffer, count: 1, type: goodbye, words: 2)
            buffer.writeInteger(sender.ssrc)
        }
        return buffer
    }

    /// Seconds and fraction of NTP (RFC 3550, 4); wraps in 2036, as its readers expect.
    static func ntp(_ moment: Duration) -> UInt64 {
        let (seconds, attoseconds) = moment.components
        let fraction = UInt64(max(0, Double(attoseconds) * 1e-18 * 4_294_967_296))
        return (UInt64(bitPattern: seconds) &+ ntpOffset) << 32 | min(fraction, 0xFFFF_FFFF)
    }

    /// - Parameter words: of 32 bits, with the header; the packet says one less.
    private static func writeHeader(_ buffer: inout ByteBuffer, count: UInt8, type: UInt8, words: Int) {
        buffer.writeInteger(0x80 | count)
        buffer.writeInteger(type)
        buffer.writeInteger(UInt16(words - 1))
    }

    /// True for a compound packet whose parts fit exactly (RFC 3550, A.2): what counts as a sign of life.
    static func isValid(_ data: some RandomAccessCollection<UInt8>) -> Bool {
        var rest = data[...]
        var isFirst = true
        while !rest.isEmpty {
            let head = Array(rest.prefix(4))
            guard head.count == 4, head[0] >> 6 == 2, (senderReport...extended).contains(head[1]) else { return false }
            guard !isFirst || [senderReport, receiverReport, application].contains(head[1]) else { return false }
            let size = 4 * (Int(head[2]) << 8 | Int(head[3])) + 4
            guard rest.count >= size else { return false }
            rest = rest.dropFirst(size)
            isFirst = false
        }
        return !isFirst
    }
}
