internal import Base
internal import CFFmpeg
import Glibc

/// System calls on files, with errors in plain words.
enum FileFailure {
    /// The error for a POSIX code: no room, or not to be written for another reason.
    static func error(_ code: Int32, _ message: String) -> MediaError {
        let cause = String(cString: strerror(code))
        switch code {
        case ENOSPC, EDQUOT:
            return MediaError(.diskFull, message, remedy: "make room on the target's disk and run again", cause: cause)
        case EFBIG:
            return MediaError(
                .diskFull, message, remedy: "write to a disk that takes larger files, or raise the limit on file sizes",
                cause: cause)
        case ENOMEM:
            return MediaError(.outOfMemory, message, cause: cause)
        case ENOENT, ENOTDIR:
            return MediaError(.unwritable, message, remedy: "create the directory first", cause: cause)
        case EACCES, EPERM, EROFS:
            return MediaError(
                .unwritable, message, remedy: "write to a directory where you may create files", cause: cause)
        case ENAMETOOLONG:
            return MediaError(.nameTooLong, message, remedy: "give the output a shorter name", cause: cause)
        default:
            return MediaError(.unwritable, message, cause: cause)
        }
    }

    /// Writes all of `bytes`.
    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String) throws(MediaError) {
        let code = SystemCall.writeAll(bytes, to: descriptor)
        if code != 0 { throw error(code, "\(path) cannot be written") }
    }

    /// Renames atomically, or throws `.outputExists`.
    ///
    /// File systems without such a rename get a hard link instead; those without either (FAT) a check and a rename,
    /// between which another program might slip.
    static func renameWithoutReplacing(_ from: String, _ to: String) throws(MediaError) {
        if SystemCall.retried({ shim_rename_noreplace(from, to) }) == 0 { return }
        guard errno == EINVAL || errno == ENOSYS || errno == ENOTSUP else { throw renameError(errno, to) }
        if SystemCall.retried({ link(from, to) }) == 0 {
            SystemCall.retried { unlink(from) }
            return
        }
        guard errno == EPERM || errno == ENOTSUP || errno == ENOSYS else { throw renameError(errno, to) }
        var status = stat()
        guard lstat(to, &status) != 0 else { throw OutputFiles.exists(to) }
        guard SystemCall.retried({ rename(from, to) }) == 0 else { throw renameError(errno, to) }
    }

    private static func renameError(_ code: Int32, _ path: String) -> MediaError {
        code == EEXIST ? OutputFiles.exists(path) : error(code, "\(path) cannot be put in place")
    }
}

/// Which file a path leads to, through links.
struct FileIdentity: Hashable {
    let device: UInt64
    let number: UInt64

    /// nil where there is no file.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
    }
}

/// Where an output goes: directory (with its slash, empty for the current one) and name.
struct OutputTarget: Equatable {
    let path: String
    let directory: String
    let name: String
    /// True for the pattern of a numbered sequence.
    let isPattern: Bool

    /// Throws `.unwritable` for a name that no file can have.
    init(path: String, isPattern: Bool) throws(MediaError) {
        // By bytes: a slash before a combining character is no `Character` of its own.
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        directory = slash.map { String(path[...$0]) } ?? ""
        name = slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path
        self.path = path
        self.isPattern = isPattern
        guard !name.isEmpty, name != ".", name != "..", !path.utf8.contains(0) else {
            throw MediaError(
                .unwritable, "'\(path)' is no name for a file", remedy: "give the output a name such as night.mp4")
        }
        guard name.utf8.count <= Self.longestName else { throw FileFailure.error(ENAMETOOLONG, "\(path) cannot be written") }
    }

    /// Bytes that a file name may have (NAME_MAX).
    static let longestName = 255

    /// Bytes that may follow the name in the names of files beside it.
    var roomForSuffix: Int { Self.longestName - name.utf8.count }

    private var directoryPath: String { directory.isEmpty ? "." : directory }

    func checkDirectory() throws(MediaError) {
        var status = stat()
        guard stat(directoryPath, &status) == 0 else {
            throw FileFailure.error(errno, "there is no directory \(directoryPath)")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw FileFailure.error(ENOTDIR, "\(directoryPath) is no directory")
        }
        guard access(directoryPath, W_OK | X_OK) == 0 else {
            throw FileFailure.error(errno, "the directory \(directoryPath) may not be written by this user")
        }
    }

    /// Makes the renames last; file systems that cannot sync a directory are let be.
    func synchronizeDirectory() {
        let descriptor = SystemCall.retried { open(directoryPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard descriptor >= 0 else { return }
        SystemCall.retried { fsync(descriptor) }
        close(descriptor)
    }
}
