internal import Base
internal import Glibc
internal import SystemPackage

/// The leases on one target: files `.NAME.solstice-lease.GENERATION` beside it, of which the highest generation counts.
struct LeaseFolder: Sendable {
    let folder: FilePath
    /// What the files' names begin with; empty for all files.
    private let prefix: [UInt8]

    init(target: FilePath) {
        folder = target.removingLastComponent()
        let name = target.lastNameBytes ?? []
        prefix = Array(".".utf8) + Self.shortened(name) + Self.mark
    }

    private init(folder: FilePath, prefix: [UInt8]) { (self.folder, self.prefix) = (folder, prefix) }

    private static let mark = Array(".solstice-lease.".utf8)

    /// All leases in a folder, one for each target.
    static func all(in folder: FilePath) throws(WatchError) -> [LeaseFolder] {
        let names = try LeaseFolder(folder: folder, prefix: []).names()
        let prefixes = names.compactMap { name -> [UInt8]? in
            guard name.first == UInt8(ascii: "."), let end = name.lastIndex(of: UInt8(ascii: ".")), name[...end].count > mark.count + 1,
                name[...end].suffix(mark.count).elementsEqual(mark), generation(name[(end + 1)...]) != nil
            else { return nil }
            return Array(name[...end])
        }
        return Set(prefixes).map { LeaseFolder(folder: folder, prefix: $0) }
    }

    /// A number as this program writes it, and with room for the next.
    private static func generation(_ digits: ArraySlice<UInt8>) -> UInt64? {
        let text = String(decoding: digits, as: UTF8.self)
        guard let number = UInt64(text), number > 0, number < .max, String(number) == text else { return nil }
        return number
    }

    /// A file name has at most 255 bytes, so a long one is cut, and told apart by a hash of the whole.
    private static func shortened(_ name: [UInt8]) -> [UInt8] {
        guard name.count > 200 else { return name }
        let hash = name.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }  // FNV-1a
        return name.prefix(160) + [UInt8(ascii: ".")] + Array(String(hash, radix: 16).utf8)
    }

    func path(_ generation: UInt64) -> FilePath {
        let name = (prefix + Array(String(generation).utf8)).map(CChar.init(bitPattern:)) + [0]
        return folder.appending(FilePath(platformString: name).components)
    }

    /// The generations that there are, lowest first.
    func generations() throws(WatchError) -> [UInt64] {
        try names().compactMap { Self.generation($0[prefix.count...]) }.sorted()
    }

    /// The names in the folder that are longer than the prefix and begin with it.
    private func names() throws(WatchError) -> [[UInt8]] {
        do throws(Errno) {
            let listing = try OpenFolder(folder.isEmpty ? "." : folder, followsLink: true)
            var found: [[UInt8]] = []
            while let entry = try listing.next() {
                let name = entry.name.bytes
                if name.count > prefix.count, name.starts(with: prefix) { found.append(name) }
            }
            return found
        } catch {
            throw failure(error, "cannot look for leases in", .unreadable)
        }
    }

    /// What a generation's file says; nil where it is gone.
    func content(_ generation: UInt64) throws(WatchError) -> [UInt8]? {
        // Opened anew each time: only then does a network file system ask its server.
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
        let file = path(generation).withPlatformString { path in SystemCall.retried { open(path, flags) } }
        guard file >= 0 else {
            let error = Errno(rawValue: errno)
            if error == .noSuchFileOrDirectory || error == .staleNFSFileHandle { return nil }
            throw failure(error, "cannot read a lease in", .unreadable)
        }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: LeaseRecord.mostBytes)
        let length = bytes.withUnsafeMutableBytes { SystemCall.readAll($0, from: file, at: 0) }
        guard length >= 0 else {
            let error = Errno(rawValue: errno)
            if error == .staleNFSFileHandle { return nil }
            throw failure(error, "cannot read a lease in", .unreadable)
        }
        return Array(bytes.prefix(length))
    }

    /// Makes a generation's file, which must not be there; nil where somebody was faster.
    ///
    /// Exclusive creation is atomic on network file systems, too: NFS from version 3 on (open(2), O_EXCL), and SMB.
    func create(_ generation: UInt64, _ content: [UInt8]) throws(WatchError) -> LeaseFile? {
        let path = path(generation)
        let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let file = path.withPlatformString { path in SystemCall.retried { open(path, flags, 0o644) } }
        guard file >= 0 else {
            let error = Errno(rawValue: errno)
            if error == .fileExists { return nil }
            throw failure(error, "cannot make a lease in", .unwritable)
        }
        let lease = LeaseFile(descriptor: file, path: path)
        guard let error = lease.write(content) else { return lease }
        lease.remove()
        throw failure(error, "cannot write a lease in", .unwritable)
    }

    /// Only what is a lease's file: its name may be another folder's, or anything else, where others have turned the path.
    func remove(_ generation: UInt64) {
        let path = path(generation)
        guard let folder = try? OpenFolder(folder.isEmpty ? "." : folder, followsLink: true), let name = path.lastComponent else { return }
        name.withPlatformString { name in
            var status = stat()
            guard fstatat(folder.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
            SystemCall.retried { unlinkat(folder.descriptor, name, 0) }
        }
    }

    private func failure(_ error: Errno, _ what: String, _ code: WatchError.Code) -> WatchError {
        let message = "\(what) \(folder.isEmpty ? "the current folder" : folder.display)"
        switch error {
        case .noSuchFileOrDirectory, .notDirectory:
            return WatchError(.noSuchFolder, message, remedy: "the folder must be there", cause: "\(error)")
        case .noSpace, .diskQuotaExceeded: return WatchError(.diskFull, message, remedy: "make room", cause: "\(error)")
        case .permissionDenied, .notPermitted, .readOnlyFileSystem:
            return WatchError(code, message, remedy: "every daemon that shares the folder must be able to write there", cause: "\(error)")
        default: return WatchError(code, message, cause: "\(error)")
        }
    }
}

/// The file of a lease that this process has made, open until it is given up: what is written goes into this very file, even
/// where another one has its name by now.
struct LeaseFile: Sendable {
    let descriptor: Int32
    let path: FilePath

    /// Writes the whole content and brings it to the disk, or the server; returns what went wrong.
    func write(_ content: [UInt8]) -> Errno? {
        let written = SystemCall.retried { pwrite(descriptor, content, content.count, 0) }
        guard written == content.count else { return written < 0 ? Errno(rawValue: errno) : .noSpace }
        return SystemCall.retried { fsync(descriptor) } == 0 ? nil : Errno(rawValue: errno)
    }

    /// The name still leads to this file; nil where the file system does not say.
    var isInPlace: Bool? {
        do throws(Errno) {
            return try FileStatus.of(path).facts.inode == FileStatus.of(descriptor: descriptor).facts.inode
        } catch {
            return error.meansAbsent || error == .staleNFSFileHandle ? false : nil
        }
    }

    /// Removes the file where its name still is its own, and closes it.
    func remove() {
        defer { close(descriptor) }
        let parent = path.removingLastComponent()
        guard let folder = try? OpenFolder(parent.isEmpty ? "." : parent, followsLink: true), let name = path.lastComponent,
            let own = try? FileStatus.of(descriptor: descriptor)
        else { return }
        name.withPlatformString { name in
            var status = stat()
            guard fstatat(folder.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0, UInt64(status.st_ino) == own.facts.inode else { return }
            SystemCall.retried { unlinkat(folder.descriptor, name, 0) }
        }
    }
}
