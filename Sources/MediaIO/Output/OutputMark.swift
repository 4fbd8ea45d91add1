internal import Base
internal import CFFmpeg
import Glibc

/// What an output says about its making, by which it is recognised later: as a result that is there already, and as no source
/// for another conversion.
public struct OutputMark: Sendable, Equatable {
    /// SHA-256 of the source's content, in hex; empty where nobody asked for it (`solstice convert`).
    public var contentHash: String
    /// Digest of the settings; empty likewise.
    public var settingsIdentity: String

    public init(contentHash: String = "", settingsIdentity: String = "") {
        self.contentHash = contentHash
        self.settingsIdentity = settingsIdentity
    }

    /// The name of the tag that holds it.
    static let key = "solstice"
    /// AVI stores tags with four-character names of RIFF's own only; this one ('source form') nobody else uses.
    private static let riffKey = "ISRF"
    private static let word = "solstice 1"

    /// As a tag's value: words, with `-` for what is not said.
    var text: String {
        "\(Self.word) \(contentHash.isEmpty ? "-" : contentHash) \(settingsIdentity.isEmpty ? "-" : settingsIdentity)"
    }

    init?(text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard words.count == 4, words[0] + " " + words[1] == Self.word else { return nil }
        self.init(contentHash: words[2] == "-" ? "" : words[2], settingsIdentity: words[3] == "-" ? "" : words[3])
    }

    /// The tag for a muxer of libav's short name.
    func tag(inContainer name: String) -> (key: String, value: String) { (name == "avi" ? Self.riffKey : Self.key, text) }

    /// True for a tag that holds a mark.
    static func isMark(_ key: String, _ value: String) -> Bool {
        (key.lowercased() == Self.key || key == riffKey) && OutputMark(text: value) != nil
    }

    /// The mark among tags of a container or, in Ogg, of its streams.
    init?(tags: [[String: String]]) {
        for (key, value) in tags.joined() where Self.isMark(key, value) {
            self.init(text: value)
            return
        }
        return nil
    }

    // MARK: - Transport streams

    private static let packetSize = 188

    /// A null packet (ISO/IEC 13818-1, 2.4.3.3: PID 0x1FFF, content ignored by every reader) that carries the mark: transport
    /// streams have no tags.
    var nullPacket: [UInt8] {
        var packet: [UInt8] = [0x47, 0x1f, 0xff, 0x10]
        packet += text.utf8.prefix(Self.packetSize - packet.count - 1)
        packet.append(0)
        return packet + [UInt8](repeating: 0xff, count: Self.packetSize - packet.count)
    }

    /// The mark in the last packet of a transport stream. Throws `.unreadable`.
    init?(endOfTransportStream path: String) throws(MediaError) {
        let file = try FileBytes(path: path)
        guard file.size >= Int64(Self.packetSize) else { return nil }
        let packet = try file.read(at: file.size - Int64(Self.packetSize), count: Self.packetSize)
        guard packet.count == Self.packetSize, packet[0] == 0x47, packet[1] & 0x1f == 0x1f, packet[2] == 0xff else { return nil }
        self.init(text: String(decoding: packet[4...].prefix { $0 != 0 }, as: UTF8.self))
    }

    // MARK: - Extended attributes

    private static let attribute = "user.solstice.mark"

    /// The mark in the file's extended attributes (xattr(7)), for containers that hold none.
    init?(attributeOf path: String) {
        var buffer = [UInt8](repeating: 0, count: 512)
        let count = shim_get_attribute(path, Self.attribute, &buffer, buffer.count)
        guard count > 0 else { return nil }
        self.init(text: String(decoding: buffer[..<count], as: UTF8.self))
    }

    /// Writes it there; false where the file system has no such attributes.
    @discardableResult
    public func writeAttribute(of path: String) -> Bool {
        let bytes = Array(text.utf8)
        guard shim_set_attribute(path, Self.attribute, bytes, bytes.count) == 0 else { return false }
        // The file was synced before it had its mark.
        let descriptor = SystemCall.retried { open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) }
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        return SystemCall.retried { fsync(descriptor) } == 0
    }

    /// The mark of the file at `path`, wherever it is; nil for a file without one, that is no media, or that this user may not
    /// read. Only its headers are read.
    ///
    /// Throws `.unreadable` where the disk or the network fails, which says nothing of what is in it, `.cancelled`, `.outOfMemory`.
    public static func read(path: String, interrupt: Interrupt) throws(MediaError) -> OutputMark? {
        if let mark = OutputMark(attributeOf: path) { return mark }
        do throws(MediaError) {
            return try Demuxer(path: path, interrupt: interrupt).info.readMark()
        } catch {
            switch error.code {
            case .cancelled, .outOfMemory: throw error
            case .unreadable where access(path, R_OK) == 0 || errno != EACCES: throw error
            default: return nil
            }
        }
    }
}

extension SourceInfo {
    /// What solstice has written into the file; nil where it did not write it. Throws `.unreadable`.
    public func readMark() throws(MediaError) -> OutputMark? {
        if let mark = OutputMark(tags: [metadata] + streams.map(\.metadata)) { return mark }
        if containerName == "mpegts", let mark = try OutputMark(endOfTransportStream: path) { return mark }
        return OutputMark(attributeOf: path)
    }
}
