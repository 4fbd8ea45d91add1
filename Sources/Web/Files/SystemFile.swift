internal import Base
internal import Foundation
internal import Jobs
internal import SystemPackage

/// What a system call refused, with the number that says why.
struct SystemFailure: Error, Equatable {
    let call: String
    let number: Int32

    var text: String { String(cString: strerror(number)) }
    var isDiskFull: Bool { number == ENOSPC || number == EDQUOT }
}

/// An open file or folder, closed with the last reference. Calls that block; by one caller at a time, as all of them work on
/// the kernel's own state only.
final class SystemFile: Sendable {
    let number: Int32

    private init(_ number: Int32) { self.number = number }
    deinit { close(number) }

    struct Status {
        let size: Int64
        let modifiedNanoseconds: Int64
        let inode: UInt64
        let device: UInt64
        let isRegular: Bool
    }

    /// Opens a folder by a path that the configuration names; links on the way are followed.
    static func folder(_ path: String) throws -> SystemFile {
        try opened("open", retry { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
    }

    /// Opens a regular file for reading, below a folder that others may write to: what is their link to somebody else's file, no
    /// file, or reached through a folder that is a link, is not there (ENOENT).
    static func reading(_ path: FilePath, below root: FilePath) throws -> SystemFile {
        let named: Int32
        do throws(TrustedPath.Failure) {
            named = try TrustedPath.name(path.bytes, below: root.bytes)
        } catch {
            guard case .system(let code) = error, code != ELOOP else { throw SystemFailure(call: "openat", number: ENOENT) }
            throw SystemFailure(call: "openat", number: code)
        }
        defer { close(named) }
        var status = stat()
        guard fstat(named, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw SystemFailure(call: "open", number: ENOENT) }
        return try opened("open", retry { TrustedPath.open(named: named) })
    }

    /// A folder right below this one, never through a link.
    func folder(_ name: String) throws -> SystemFile {
        try Self.opened("openat", Self.retry { openat(number, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) })
    }

    /// Makes a folder right below this one; one that is there already will do.
    func makeFolder(_ name: String) throws {
        guard mkdirat(number, name, 0o777) == 0 || errno == EEXIST else { throw SystemFailure(call: "mkdirat", number: errno) }
    }

    /// A new file right below this one, for writing; throws EEXIST where the name is taken.
    func newFile(_ name: String) throws -> SystemFile {
        try Self.opened("openat", Self.retry { openat(number, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666) })
    }

    /// A file right below this one for writing, as it is.
    func existingFile(_ name: String) throws -> SystemFile {
        try Self.opened("openat", Self.retry { openat(number, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) })
    }

    func hasEntry(_ name: String) -> Bool {
        var status = stat()
        return fstatat(number, name, &status, AT_SYMLINK_NOFOLLOW) == 0
    }

    func status() throws -> Status {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw SystemFailure(call: "fstat", number: errno) }
        return Status(
            size: Int64(status.st_size), modifiedNanoseconds: Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec),
            inode: UInt64(status.st_ino), device: UInt64(status.st_dev), isRegular: status.st_mode & S_IFMT == S_IFREG)
    }

    /// Bytes that may still be written to its disk.
    func freeSpace() throws -> Int64 {
        var disk = statvfs()
        guard fstatvfs(number, &disk) == 0 else { throw SystemFailure(call: "fstatvfs", number: errno) }
        return Int64(clamping: UInt64(disk.f_bavail).multipliedReportingOverflow(by: UInt64(disk.f_frsize)).partialValue)
    }

    func write(_ bytes: [UInt8]) throws {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { part in Foundation.write(number, part.baseAddress, part.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemFailure(call: "write", number: errno)
            }
            done += count
        }
    }

    /// At most `count` bytes from `offset` on; fewer at the file's end.
    func read(at offset: Int64, count: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(number, buffer.baseAddress! + filled, count - filled, off_t(offset) + off_t(filled))
                if got < 0 {
                    if errno == EINTR { continue }
                    throw SystemFailure(call: "pread", number: errno)
                }
                if got == 0 { break }
                filled += got
            }
        }
    }

    func synchronize() throws {
        while fsync(number) != 0 {
            // Some file systems cannot do it for folders.
            if errno == EINVAL { return }
            guard errno == EINTR else { throw SystemFailure(call: "fsync", number: errno) }
        }
    }

    /// Takes it for this process as long as it is open; false where another one has it.
    func lock() -> Bool { flock(number, LOCK_EX | LOCK_NB) == 0 }

    private typealias RenameAt2 = @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32

    /// renameat2(2), which Swift's view of the C library leaves out.
    private static let renameAt2: RenameAt2? = dlsym(nil, "renameat2").map { unsafeBitCast($0, to: RenameAt2.self) }

    /// Gives an entry its final place without replacing what is there: throws EEXIST.
    func move(_ name: String, to folder: SystemFile, _ newName: String) throws {
        let noReplace: UInt32 = 1
        if let rename = Self.renameAt2 {
            if rename(number, name, folder.number, newName, noReplace) == 0 { return }
            guard errno == EINVAL || errno == ENOSYS else { throw SystemFailure(call: "renameat2", number: errno) }
        }
        // A file system without that flag: a link does not replace either.
        guard linkat(number, name, folder.number, newName, 0) == 0 else { throw SystemFailure(call: "linkat", number: errno) }
        remove(name)
        // A watcher is not told of links; of a file that is closed after writing it is.
        _ = try? folder.existingFile(newName)
    }

    func remove(_ name: String) { unlinkat(number, name, 0) }

    /// Names of what is in the folder, `limit` at most.
    func names(limit: Int, where isWanted: (String) -> Bool) throws -> [String] {
        let copy = dup(number)
        guard copy >= 0, let stream = fdopendir(copy) else { throw SystemFailure(call: "fdopendir", number: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while names.count < limit, let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                field.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) { String(cString: $0) }
            }
            if isWanted(name) { names.append(name) }
        }
        return names
    }

    private static func opened(_ call: String, _ number: Int32) throws -> SystemFile {
        guard number >= 0 else { throw SystemFailure(call: call, number: errno) }
        return SystemFile(number)
    }

    private static func retry(_ body: () -> Int32) -> Int32 {
        while true {
            let result = body()
            if result >= 0 || errno != EINTR { return result }
        }
    }
}
