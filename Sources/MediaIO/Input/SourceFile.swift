internal import Base
import Glibc

/// The file system's view of a source, asked before libav sees it, so that the user is told in plain words.
enum SourceFile {
    /// `path` as a libav URL of the file protocol: a name with a colon is not taken for another protocol.
    static func url(_ path: String) -> String { "file:" + path }

    /// Throws unless `path` is a readable regular file that is not empty.
    static func checkRegular(_ path: String) throws(MediaError) {
        var status = stat()
        guard !path.isEmpty, !path.utf8.contains(0) else { throw MediaError(.noSuchFile, "the name of the input is empty") }
        guard stat(path, &status) == 0 else { throw failure(path, errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR:
            throw MediaError(.notMedia, "\(path) is a directory", remedy: "give a file")
        default:
            throw MediaError(
                .notMedia, "\(path) is a device, pipe or socket, not a file", remedy: "save its content to a file first")
        }
        if status.st_size == 0 { throw MediaError(.notMedia, "\(path) is empty", remedy: "copy or record it again") }
        let descriptor = SystemCall.retried { open(path, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw failure(path, errno) }
        close(descriptor)
    }

    /// Names of the entries of a directory, unsorted.
    static func names(inDirectory path: String) throws(MediaError) -> [String] {
        var opened = opendir(path)
        while opened == nil, errno == EINTR { opened = opendir(path) }
        guard let directory = opened else { throw failure(path, errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }

    private static func failure(_ path: String, _ code: Int32) -> MediaError {
        switch code {
        case ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP:
            MediaError(.noSuchFile, "there is no file \(path)", remedy: "check the name")
        case EACCES, EPERM:
            MediaError(.unreadable, "\(path) may not be read by this user", remedy: "change its permissions")
        default:
            MediaError(.unreadable, "\(path) cannot be read", cause: String(cString: strerror(code)))
        }
    }
}
