internal import Glibc
internal import SystemPackage

/// A folder that is open for listing. It keeps its file system from being unmounted, so it is closed soon.
final class OpenFolder {
    enum Kind { case regular, folder, link, other, unknown }

    let descriptor: Int32
    private let stream: OpaquePointer

    /// - Parameter followsLink: a link at the path's end is followed; else it is an error (`ELOOP` or `ENOTDIR`).
    init(_ path: FilePath, followsLink: Bool) throws(Errno) {
        let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | (followsLink ? 0 : O_NOFOLLOW)
        descriptor = path.withPlatformString { open($0, flags) }
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        guard let stream = fdopendir(descriptor) else {
            let error = Errno(rawValue: errno)
            close(descriptor)
            throw error
        }
        self.stream = stream
    }

    deinit { closedir(stream) }

    func status() throws(Errno) -> FileStatus { try FileStatus.of(descriptor: descriptor) }

    /// The next name in it besides `.` and `..`; nil at the end.
    func next() throws(Errno) -> (name: FilePath.Component, kind: Kind)? {
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw Errno(rawValue: errno) }
                return nil
            }
            // The name may be longer than the structure says; the kernel ends it with a zero.
            let text = UnsafeRawPointer(entry).advanced(by: MemoryLayout<dirent>.offset(of: \.d_name)!).assumingMemoryBound(to: CChar.self)
            guard let name = FilePath.Component(platformString: text), name.kind == .regular else { continue }
            return (name, Self.kind(entry.pointee.d_type))
        }
    }

    private static func kind(_ type: UInt8) -> Kind {
        switch Int(type) {
        case Int(DT_REG): .regular
        case Int(DT_DIR): .folder
        case Int(DT_LNK): .link
        case Int(DT_UNKNOWN): .unknown
        default: .other
        }
    }
}
