internal import Base
internal import CFFmpeg
import Glibc

/// The encoder's packets of a job that may be interrupted, on the disk: an append-only file in which everything up to the
/// last commit survives any end of the process or the machine.
///
/// Records carry checksums; what stands behind the last valid commit (a torn write, packets of an open run) is cut off when
/// the file is opened. A journal of another header is begun anew.
public final class PacketJournal: @unchecked Sendable {
    // Safe to send: used by one thread at a time, the one that encodes, then the one that joins.
    public let path: String
    /// The last one; nil as long as nothing is safe.
    public private(set) var commit: JournalCommit?
    /// Presentation times of the packets up to the commit, in decoding order.
    public private(set) var presentationTimes: [Int64] = []
    /// Where in `presentationTimes` each run begins that decodes by itself.
    public private(set) var runStarts: [Int] = []
    private let header: JournalHeader
    private let descriptor: Int32
    private var end: Int64 = 0
    /// Of packets that no commit covers yet.
    private var open: [Int64] = []

    /// Opens the journal at `path`, and reads it through where it is there already.
    ///
    /// Throws `.unwritable`, `.diskFull`, `.unreadable`, `.cancelled`.
    public init(path: String, header: JournalHeader, interrupt: Interrupt) throws(MediaError) {
        self.path = path
        self.header = header
        descriptor = SystemCall.retried { Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { throw FileFailure.error(errno, "\(path) cannot be written") }
        // Otherwise a limit on file sizes kills the process before the failed write can be reported.
        signal(SIGXFSZ, SIG_IGN)
        try scan(interrupt)
        if end == 0 { try reset() }
    }

    deinit { close(descriptor) }

    /// Bytes up to the commit.
    public var byteCount: Int64 { end }

    // MARK: - Writing

    /// Adds a packet to the open run. Throws `.diskFull`, `.unwritable`; the run is then lost, and nothing before it.
    public func append(_ packet: Packet) throws(MediaError) {
        guard let pts = packet.pts else { throw MediaError(.internalFailure, "the encoder gave a packet without a time") }
        let head = JournalRecord.head(of: packet)
        let payload = UnsafeRawBufferPointer(start: packet.raw.pointee.data, count: max(0, packet.size))
        try write(.packet, head, payload)
        open.append(pts)
    }

    /// Closes the run: returns when all of it is on the disk. Throws `.diskFull`, `.unwritable`.
    public func commit(_ commit: JournalCommit) throws(MediaError) {
        try write(.commit, JournalRecord.body(of: commit), UnsafeRawBufferPointer(start: nil, count: 0))
        try synchronize()
        end = Int64(lseek(descriptor, 0, SEEK_CUR))
        if !open.isEmpty { runStarts.append(presentationTimes.count) }
        presentationTimes += open
        open = []
        self.commit = commit
    }

    /// Forgets the open run.
    public func rollBack() throws(MediaError) {
        open = []
        try truncate(to: end)
    }

    /// Forgets everything.
    public func reset() throws(MediaError) {
        commit = nil
        presentationTimes = []
        runStarts = []
        open = []
        end = 0
        try truncate(to: 0)
        try write(.header, JournalRecord.body(of: header), UnsafeRawBufferPointer(start: nil, count: 0))
        try synchronize()
        end = Int64(lseek(descriptor, 0, SEEK_CUR))
    }

    private func write(_ kind: JournalRecord.Kind, _ head: [UInt8], _ body: UnsafeRawBufferPointer) throws(MediaError) {
        let result: Result<Void, MediaError> = head.withUnsafeBytes { head in
            var bytes = JournalRecord.prefix(kind, [head, body])
            bytes.append(contentsOf: head)
            do throws(MediaError) {
                let failure: MediaError? = bytes.withUnsafeBytes { buffer in
                    do throws(MediaError) { try FileFailure.write(buffer, to: descriptor, path: path) } catch { return error }
                    return nil
                }
                if let failure { throw failure }
                try FileFailure.write(body, to: descriptor, path: path)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private func synchronize() throws(MediaError) {
        guard SystemCall.retried({ fdatasync(descriptor) }) == 0 || errno == EINVAL || errno == ENOTSUP else {
            throw FileFailure.error(errno, "\(path) cannot be written to the disk")
        }
    }

    private func truncate(to length: Int64) throws(MediaError) {
        guard SystemCall.retried({ ftruncate(descriptor, off_t(length)) }) == 0,
            lseek(descriptor, off_t(length), SEEK_SET) == off_t(length)
        else {
            throw FileFailure.error(errno, "\(path) cannot be written")
        }
    }

    // MARK: - Reading

    /// Finds the last valid commit, and cuts off what stands behind it.
    private func scan(_ interrupt: Interrupt) throws(MediaError) {
        let records = JournalRecords(descriptor: descriptor, from: 0)
        guard let first = try records.next(), first.kind == .header, first.body == JournalRecord.body(of: header) else { return }
        end = records.offset
        var run: [Int64] = []
        while let record = try records.next() {
            try interrupt.check()
            switch record.kind {
            case .packet:
                guard let pts = JournalRecord.pts(record.body) else { break }
                run.append(pts)
                continue
            case .commit:
                guard let found = JournalRecord.commit(record.body) else { break }
                if !run.isEmpty { runStarts.append(presentationTimes.count) }
                presentationTimes += run
                run = []
                commit = found
                end = records.offset
                continue
            case .header: break
            }
            break
        }
        try truncate(to: end)
    }

    /// Reads the packets up to the commit, from the first one on, with decoding times for the whole of them; `streamIndex`
    /// is that of the source's video.
    public func packets(streamIndex: Int) -> JournalPackets {
        JournalPackets(
            records: JournalRecords(descriptor: descriptor, from: 0), times: DecodingTimes(presentation: presentationTimes),
            timeBase: header.timeBase, streamIndex: streamIndex, path: path)
    }
}

/// The packets of a journal, one after the other. Used by one thread at a time, while the journal lives and is not written.
public final class JournalPackets {
    private let records: JournalRecords
    private let times: DecodingTimes
    private let timeBase: Rational
    private let streamIndex: Int
    private let path: String
    private var index = 0

    fileprivate init(records: JournalRecords, times: DecodingTimes, timeBase: Rational, streamIndex: Int, path: String) {
        self.records = records
        self.times = times
        self.timeBase = timeBase
        self.streamIndex = streamIndex
        self.path = path
    }

    /// Nil behind the last one. Throws `.damaged` where the file does not say any more what it said when it was opened.
    public func next() throws(MediaError) -> Packet? {
        guard index < times.decoding.count else { return nil }
        while let record = try records.next() {
            guard record.kind == .packet else { continue }
            guard let packet = try JournalRecord.packet(record.body) else { break }
            packet.raw.pointee.dts = times.decoding[index]
            packet.raw.pointee.time_base = timeBase.avRational
            packet.raw.pointee.stream_index = Int32(streamIndex)
            index += 1
            return packet
        }
        throw MediaError(.damaged, "the packets in \(path) cannot be read back", remedy: "check the disk")
    }
}

/// Walks through the records of a journal as far as they are whole.
private final class JournalRecords {
    private let descriptor: Int32
    /// Behind the last record that was read.
    private(set) var offset: Int64
    private var buffer: [UInt8] = []
    private var position = 0

    init(descriptor: Int32, from offset: Int64) {
        self.descriptor = descriptor
        self.offset = offset
    }

    /// Nil at the end, and where a record is cut off or does not fit its checksum. Throws `.unreadable`.
    func next() throws(MediaError) -> (kind: JournalRecord.Kind, body: [UInt8])? {
        guard let prefix = try take(JournalRecord.prefixSize) else { return nil }
        var reader = ByteReader(prefix)
        guard let length: UInt32 = reader.take(), let checksum: UInt32 = reader.take(), let type: UInt8 = reader.take(),
            let kind = JournalRecord.Kind(rawValue: type), Int(length) <= JournalRecord.largestBody,
            let body = try take(Int(length))
        else { return nil }
        guard body.withUnsafeBytes({ JournalRecord.checksum(type, length: Int(length), [$0]) }) == checksum else { return nil }
        offset += Int64(prefix.count + body.count)
        return (kind, body)
    }

    private static let chunk = 1 << 20

    private func take(_ count: Int) throws(MediaError) -> [UInt8]? {
        while buffer.count - position < count {
            // A length that the file does not have must not cost memory.
            guard try fill(Self.chunk) else { return nil }
        }
        defer { position += count }
        return Array(buffer[position..<position + count])
    }

    /// Reads on; false at the end of the file.
    private func fill(_ wanted: Int) throws(MediaError) -> Bool {
        if position > 0 {
            buffer.removeFirst(position)
            position = 0
        }
        var chunk = [UInt8](repeating: 0, count: wanted)
        while true {
            let place = off_t(readOffset)
            let count = pread(descriptor, &chunk, wanted, place)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw MediaError(.unreadable, "the packets of the job cannot be read back", cause: String(cString: strerror(errno)))
            }
            guard count > 0 else { return false }
            buffer.append(contentsOf: chunk[..<count])
            readOffset += Int64(count)
            return true
        }
    }

    private var readOffset: Int64 = 0
}
