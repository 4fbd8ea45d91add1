internal import Glibc
internal import SystemPackage

/// The kernel's notices of what happens in folders; see inotify(7).
final class Inotify {
    struct Event {
        /// -1 where the kernel's queue ran over.
        var watch: Int32
        var mask: UInt32
        /// The name within the watched folder; nil where it is about that folder itself.
        var name: FilePath.Component?

        func isAny(of bits: Int...) -> Bool { bits.contains { mask & UInt32($0) != 0 } }
    }

    let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    /// IN_ISDIR is not among them: it comes by itself. IN_EXCL_UNLINK keeps silent about files without a name.
    private static let mask = UInt32(
        Int(IN_CLOSE_WRITE) | Int(IN_CREATE) | Int(IN_MOVED_TO) | Int(IN_MOVED_FROM) | Int(IN_DELETE) | Int(IN_DELETE_SELF)
            | Int(IN_MOVE_SELF) | Int(IN_ONLYDIR) | Int(IN_EXCL_UNLINK))

    init() throws(Errno) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    }

    deinit { close(descriptor) }

    /// Watches the folder that is open as `folder`, whatever its path is by now.
    func add(openFolder folder: Int32) throws(Errno) -> Int32 {
        let watch = inotify_add_watch(descriptor, "/proc/self/fd/\(folder)", Self.mask)
        guard watch >= 0 else { throw Errno(rawValue: errno) }
        return watch
    }

    /// The watch may be gone already.
    func remove(_ watch: Int32) { inotify_rm_watch(descriptor, watch) }

    /// What has happened since the last call, as much as fits the buffer; empty where nothing did.
    func read() -> [Event] {
        let length = Glibc.read(descriptor, &buffer, buffer.count)
        guard length > 0 else { return [] }
        return buffer.withUnsafeBytes { Self.parse(UnsafeRawBufferPointer(rebasing: $0[..<length])) }
    }

    /// `struct inotify_event`: watch, mask, cookie, length of the name (four bytes each), and the name, padded with zeros.
    static func parse(_ bytes: UnsafeRawBufferPointer) -> [Event] {
        var events: [Event] = []
        var start = 0
        while start + 16 <= bytes.count {
            let watch = bytes.loadUnaligned(fromByteOffset: start, as: Int32.self)
            let mask = bytes.loadUnaligned(fromByteOffset: start + 4, as: UInt32.self)
            let length = Int(bytes.loadUnaligned(fromByteOffset: start + 12, as: UInt32.self))
            guard start + 16 + length <= bytes.count else { break }
            let name = bytes[(start + 16)..<(start + 16 + length)].prefix { $0 != 0 }
            events.append(Event(watch: watch, mask: mask, name: component(name)))
            start += 16 + length
        }
        return events
    }

    private static func component(_ bytes: some Sequence<UInt8>) -> FilePath.Component? {
        let text = bytes.map(CChar.init(bitPattern:)) + [0]
        return text.count > 1 ? FilePath.Component(platformString: text) : nil
    }
}
