internal import CFFmpeg

/// What a journal belongs to: packets of one encoder, of one content with one set of options.
public struct JournalHeader: Sendable, Equatable {
    /// What the packets were made of, in the caller's words.
    public var key: String
    public var encoderName: String
    public var pixelFormatName: String
    public var width: Int
    public var height: Int
    /// The codec's headers (`AVCodecContext.extradata`) as far as decoding depends on them; empty where they are in the packets.
    public var extradata: [UInt8]
    public var timeBase: Rational

    public init(key: String, encoder: VideoEncoder) {
        let context = encoder.raw.pointee
        self.key = key
        encoderName = encoder.name
        pixelFormatName = encoder.pixelFormatName
        width = Int(context.width)
        height = Int(context.height)
        let headers = context.extradata.map { Array(UnsafeBufferPointer(start: $0, count: max(0, Int(context.extradata_size)))) } ?? []
        extradata = context.codec_id == AV_CODEC_ID_HEVC ? Self.withoutMessages(headers) : headers
        timeBase = encoder.timeBase
    }

    /// HEVC headers with start codes (ITU-T H.265, annex B) without supplemental messages: x265 writes its options there, among
    /// them the number of threads and the kind of processor, which differ between machines.
    static func withoutMessages(_ headers: [UInt8]) -> [UInt8] {
        let code: [UInt8] = [0, 0, 1]
        let starts = headers.indices.dropLast(3).filter { headers[$0...].starts(with: code) }
        guard let first = starts.first, first <= 1 else { return headers }
        var kept: [UInt8] = []
        for (start, end) in zip(starts, starts.dropFirst() + [headers.count]) {
            // PREFIX_SEI_NUT and SUFFIX_SEI_NUT.
            let type = headers[start + 3] >> 1 & 0x3f
            if type == 39 || type == 40 { continue }
            // A fourth byte of the next start code, and padding, are no part of the unit.
            var unit = headers[start..<end]
            while unit.last == 0 { unit.removeLast() }
            kept += unit
        }
        return kept
    }
}

/// A point up to which everything is safe: all packets before it form a run that decodes by itself.
public struct JournalCommit: Sendable, Equatable {
    /// Frames of the whole job that are in the packets up to here.
    public var frames: Int
    /// Presentation time of the last of them, in ticks of the header's time base.
    public var lastPts: Int64?
    /// `Frame.sampleDigest` of the last frame as it was decoded from the source.
    public var digest: UInt64
    /// Everything up to here was intact and of known times, so that decoding may begin in the middle of the source.
    public var isSeekable: Bool
    /// No frame follows.
    public var isEnd: Bool
    /// What the user should know of the frames, once all are there; else empty.
    public var note: String
    /// What the detail transfer of the last frame has left for the next one, in its own bytes; empty for none.
    public var detailState: [UInt8]

    public init(
        frames: Int, lastPts: Int64?, digest: UInt64, isSeekable: Bool, isEnd: Bool, note: String = "", detailState: [UInt8] = []
    ) {
        self.frames = frames
        self.lastPts = lastPts
        self.digest = digest
        self.isSeekable = isSeekable
        self.isEnd = isEnd
        self.note = note
        self.detailState = detailState
    }
}

/// The records of a journal: `[length of body, 4][CRC-32 of length, type and body, 4][type, 1][body]`, little endian.
enum JournalRecord {
    enum Kind: UInt8 { case header = 1, packet = 2, commit = 3 }

    static let prefixSize = 9
    /// No codec gives larger packets than this.
    static let largestBody = 1 << 30
    private static let magic = "solstice packet journal 2"

    static func prefix(_ kind: Kind, _ parts: [UnsafeRawBufferPointer]) -> [UInt8] {
        var writer = ByteWriter()
        let length = parts.reduce(0) { $0 + $1.count }
        writer.put(UInt32(length))
        writer.put(checksum(kind.rawValue, length: length, parts))
        writer.put(kind.rawValue)
        return writer.bytes
    }

    /// CRC-32 (IEEE 802.3, reflected) as libavutil counts it.
    static func checksum(_ kind: UInt8, length: Int, _ parts: [UnsafeRawBufferPointer]) -> UInt32 {
        let table = av_crc_get_table(AV_CRC_32_IEEE_LE)
        var writer = ByteWriter()
        writer.put(UInt32(length))
        writer.put(kind)
        var value = av_crc(table, ~0, writer.bytes, writer.bytes.count)
        for part in parts {
            // av_crc looks 3 bytes before the end.
            guard let base = part.baseAddress, !part.isEmpty else { continue }
            value = av_crc(table, value, base.assumingMemoryBound(to: UInt8.self), part.count)
        }
        return value
    }

    // MARK: - Header and commit

    static func body(of header: JournalHeader) -> [UInt8] {
        var writer = ByteWriter()
        writer.put(magic)
        writer.put(header.key)
        writer.put(header.encoderName)
        writer.put(header.pixelFormatName)
        writer.put(UInt32(header.width))
        writer.put(UInt32(header.height))
        writer.put(header.extradata)
        writer.put(header.timeBase.numerator)
        writer.put(header.timeBase.denominator)
        return writer.bytes
    }

    static func body(of commit: JournalCommit) -> [UInt8] {
        var writer = ByteWriter()
        writer.put(Int64(commit.frames))
        writer.put(UInt8(commit.lastPts == nil ? 0 : 1))
        writer.put(commit.lastPts ?? 0)
        writer.put(commit.digest)
        writer.put(UInt8((commit.isSeekable ? 1 : 0) | (commit.isEnd ? 2 : 0)))
        writer.put(commit.note)
        writer.put(commit.detailState)
        return writer.bytes
    }

    static func commit(_ body: [UInt8]) -> JournalCommit? {
        var reader = ByteReader(body)
        guard let frames: Int64 = reader.take(), let hasPts: UInt8 = reader.take(), let pts: Int64 = reader.take(),
            let digest: UInt64 = reader.take(), let flags: UInt8 = reader.take(), let note = reader.takeText(),
            let detailState = reader.takeBytes(), let count = Int(exactly: frames), count >= 0
        else { return nil }
        return JournalCommit(
            frames: count, lastPts: hasPts == 0 ? nil : pts, digest: digest, isSeekable: flags & 1 != 0, isEnd: flags & 2 != 0,
            note: note, detailState: Array(detailState))
    }

    // MARK: - Packets

    /// What goes before the payload of a packet.
    static func head(of packet: Packet) -> [UInt8] {
        let raw = packet.raw.pointee
        var writer = ByteWriter()
        writer.put(raw.pts)
        writer.put(raw.dts)
        writer.put(raw.duration)
        writer.put(raw.flags)
        let kept = (0..<max(0, Int(raw.side_data_elems))).map { raw.side_data[$0] }.filter { isKept($0.type) }
        writer.put(UInt32(kept.count))
        for data in kept {
            writer.put(UInt32(data.type.rawValue))
            writer.put(Array(UnsafeBufferPointer(start: data.data, count: Int(data.size))))
        }
        return writer.bytes
    }

    /// What an encoder says about its work is of no use later.
    private static func isKept(_ type: AVPacketSideDataType) -> Bool {
        type != AV_PKT_DATA_QUALITY_STATS && type != AV_PKT_DATA_PRFT
    }

    /// Presentation time of a packet's record.
    static func pts(_ body: [UInt8]) -> Int64? {
        var reader = ByteReader(body)
        return reader.take()
    }

    static func packet(_ body: [UInt8]) throws(MediaError) -> Packet? {
        var reader = ByteReader(body)
        guard let pts: Int64 = reader.take(), let dts: Int64 = reader.take(), let duration: Int64 = reader.take(),
            let flags: Int32 = reader.take(), let count: UInt32 = reader.take(), count < 64
        else { return nil }
        let packet = try Packet()
        for _ in 0..<count {
            guard let type: UInt32 = reader.take(), let bytes = reader.takeBytes() else { return nil }
            guard let place = av_packet_new_side_data(packet.raw, AVPacketSideDataType(type), bytes.count) else {
                throw MediaError(.outOfMemory, "no memory for a packet")
            }
            bytes.withUnsafeBytes { if let base = $0.baseAddress { UnsafeMutableRawPointer(place).copyMemory(from: base, byteCount: $0.count) } }
        }
        let payload = reader.rest
        guard payload.count < Int32.max else { return nil }
        try allocate(packet, payload)
        packet.raw.pointee.pts = pts
        packet.raw.pointee.dts = dts
        packet.raw.pointee.duration = duration
        packet.raw.pointee.flags = flags
        return packet
    }

    private static func allocate(_ packet: Packet, _ payload: ArraySlice<UInt8>) throws(MediaError) {
        // Keeps the side data.
        try AV.check(av_grow_packet(packet.raw, Int32(payload.count)), .outOfMemory, "no memory for a packet")
        payload.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress, let data = packet.raw.pointee.data {
                UnsafeMutableRawPointer(data).copyMemory(from: base, byteCount: bytes.count)
            }
        }
    }
}

/// Puts numbers and texts one behind the other, little endian.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ data: [UInt8]) {
        put(UInt32(data.count))
        bytes.append(contentsOf: data)
    }

    mutating func put(_ text: String) { put(Array(text.utf8)) }
}

/// Takes them apart again; nil where there is no more.
struct ByteReader {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func take<Number: FixedWidthInteger>() -> Number? {
        let size = MemoryLayout<Number>.size
        guard bytes.count - place >= size else { return nil }
        defer { place += size }
        return bytes.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: Number.self)) }
    }

    mutating func takeBytes() -> ArraySlice<UInt8>? {
        guard let count: UInt32 = take(), bytes.count - place >= Int(count) else { return nil }
        defer { place += Int(count) }
        return bytes[place..<place + Int(count)]
    }

    mutating func takeText() -> String? { takeBytes().map { String(decoding: $0, as: UTF8.self) } }

    var rest: ArraySlice<UInt8> { bytes[place...] }
}
