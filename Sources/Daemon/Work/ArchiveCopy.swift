internal import Base
internal import Crypto
internal import Glibc
internal import Jobs
internal import SystemPackage

/// A source's copy on another file system.
enum ArchiveCopy {
    /// Writes all of `source` to a new file, with its times, and syncs it. What has that file's name is removed.
    static func make(of source: FolderEntry, at target: FolderEntry) throws(Errno) {
        let input = try source.open(followsLink: true)
        defer { try? input.close() }
        target.remove()
        let output = try target.create()
        defer { try? output.close() }
        do {
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while true {
                let count = try buffer.withUnsafeMutableBytes { try input.read(into: $0) }
                guard count > 0 else { break }
                try output.writeAll(buffer[..<count])
            }
        } catch {
            throw error as? Errno ?? .ioError
        }
        var status = stat()
        guard fstat(input.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
        // The copy stands for the source, so it keeps its times.
        var times = [status.st_atim, status.st_mtim]
        guard futimens(output.rawValue, &times) == 0, SystemCall.retried({ fsync(output.rawValue) }) == 0 else {
            throw Errno(rawValue: errno)
        }
    }

    /// True where the file holds what was translated, byte for byte.
    static func isWhole(_ place: FolderEntry, of identity: SourceIdentity) -> Bool {
        guard let wanted = identity.contentHash, place.facts?.size == identity.size, let file = try? place.open(followsLink: false) else { return false }
        defer { try? file.close() }
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            guard let count = try? buffer.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return false }
            guard count > 0 else { break }
            hash.update(data: buffer[..<count])
        }
        return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == wanted
    }
}
