internal import Base
import Glibc

/// The files of one run, written under hidden names beside their final ones and put in place together.
///
/// A partial file is named as `PartialName` says and locked (`flock`) while its writer lives, so that a later run
/// can tell what a killed one has left behind. Dropped without `publish()`, everything written is removed.
final class OutputFiles {
    let target: OutputTarget
    let replacesExisting: Bool
    private(set) var partials: [PartialFile] = []

    /// Checks the target and removes what dead processes left of earlier runs on it.
    ///
    /// Throws `.unwritable`, `.outputIsInput`, `.outputExists` (for the target itself).
    init(
        target: OutputTarget, replacesExisting: Bool, inputs: [FileIdentity], kept: [FileIdentity] = []
    ) throws(MediaError) {
        self.target = target
        self.replacesExisting = replacesExisting
        self.inputs = inputs
        self.kept = kept
        // Otherwise a limit on file sizes kills the process before the failed write can be reported.
        _ = Self.ignoresFileSizeSignal
        try target.checkDirectory()
        StalePartials.remove(of: target)
        if target.isPattern { return }
        try check(target.path)
    }

    deinit { discard() }

    private let inputs: [FileIdentity]
    /// What else the run reads: models, styles, instances.
    private let kept: [FileIdentity]
    private static let ignoresFileSizeSignal: Void = { _ = signal(SIGXFSZ, SIG_IGN) }()

    /// Throws where `path` is the input, exists although it must not, or is no file.
    func check(_ path: String) throws(MediaError) {
        if let identity = FileIdentity(path), inputs.contains(identity) {
            throw MediaError(.outputIsInput, "\(path) is the input itself", remedy: "give the output another name")
        }
        if let identity = FileIdentity(path), kept.contains(identity) {
            throw MediaError(
                .outputIsInput, "\(path) is another file that this run reads", remedy: "give the output another name")
        }
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFLNK, stat(path, &status) != 0 { status.st_mode = S_IFREG }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let kind = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "a device, pipe or socket"
            throw MediaError(.unwritable, "\(path) is \(kind), not a file", remedy: "give the output another name")
        }
        guard replacesExisting else { throw Self.exists(path) }
    }

    /// Creates an empty partial file that becomes the target with `suffix` behind its name.
    func create(suffix: String = "") throws(MediaError) -> PartialFile {
        try create(finalName: target.name + suffix)
    }

    func create(finalName: String) throws(MediaError) -> PartialFile {
        let final = target.directory + finalName
        // The partial file's own name is cut where necessary, so that only the last rename would find out.
        guard finalName.utf8.count <= OutputTarget.longestName else {
            throw FileFailure.error(ENAMETOOLONG, "\(final) cannot be written")
        }
        try check(final)
        let partial = try PartialFile(
            finalPath: final, partialPath: target.directory + PartialName.next(for: finalName))
        partials.append(partial)
        return partial
    }

    /// A hidden directory for the files of a sequence.
    func createDirectory() throws(MediaError) -> String {
        let path = target.directory + PartialName.next(for: target.name)
        guard SystemCall.retried({ mkdir(path, 0o777) }) == 0 else {
            throw FileFailure.error(errno, "cannot create a directory in \(target.directory)")
        }
        // The lock lasts as long as the descriptor.
        let descriptor = SystemCall.retried { open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
        guard descriptor >= 0 else { throw FileFailure.error(errno, "cannot write to a directory in \(target.directory)") }
        _ = flock(descriptor, LOCK_EX | LOCK_NB)
        directories.append((path, descriptor))
        return path
    }
    private var directories: [(path: String, descriptor: Int32)] = []

    /// Adds a file that was written into a directory of `createDirectory()`.
    func adopt(_ partialPath: String, finalName: String) throws(MediaError) {
        let final = target.directory + finalName
        try check(final)
        partials.append(try PartialFile(adopting: partialPath, finalPath: final))
    }

    /// Puts all files of all outputs in place: syncs each, renames them in reverse order of creation (the main file,
    /// created first, comes last, so that it is never there without its sidecars), and syncs the directories.
    ///
    /// Throws `.outputExists` where another program has created one meanwhile or two have one name, `.diskFull`,
    /// `.unwritable`; then nothing of this run stays but what has replaced an older file.
    static func publish(_ outputs: [OutputFiles]) throws(MediaError) {
        do throws(MediaError) {
            var places: Set<OutputPlace> = []
            for partial in outputs.flatMap(\.partials) where !places.insert(OutputPlace(named: partial.finalPath)).inserted {
                throw OutputPlace.writtenTwice(partial.finalPath)
            }
            // The slow part first, so that the names appear as close together as can be.
            for partial in outputs.flatMap(\.partials) { try partial.synchronize() }
            for output in outputs {
                for partial in output.partials.reversed() {
                    try output.check(partial.finalPath)
                    try partial.rename(replacing: output.replacesExisting)
                }
            }
        } catch {
            for output in outputs {
                for partial in output.partials where partial.isPublished && !partial.replacedExisting { partial.withdraw() }
            }
            for output in outputs { output.discard() }
            throw error
        }
        for output in outputs {
            output.partials = []
            output.discard()
            output.target.synchronizeDirectory()
        }
    }

    /// Puts in place what is more than nothing even where it is not whole: a recording. A file that cannot get its name keeps its
    /// hidden one, under which the next run finds it.
    ///
    /// Throws what `publish` throws, once all that can be done is done.
    func publishWhatIsThere() throws(MediaError) {
        var failure: MediaError?
        for partial in partials.reversed() {
            // Of a disk that took nothing at all there is nothing to keep.
            if partial.isEmpty {
                SystemCall.retried { unlink(partial.partialPath) }
                continue
            }
            do throws(MediaError) { try partial.synchronize() } catch { failure = failure ?? error }
            do throws(MediaError) {
                try check(partial.finalPath)
                try partial.rename(replacing: replacesExisting)
            } catch {
                var kept = error
                kept.remedy = "it is kept as \(partial.partialPath), and gets a name when a recording begins there again"
                failure = failure ?? kept
            }
        }
        partials = []
        discard()
        target.synchronizeDirectory()
        if let failure { throw failure }
    }

    /// Removes what is not published.
    func discard() {
        for partial in partials where !partial.isPublished { SystemCall.retried { unlink(partial.partialPath) } }
        partials = []
        for directory in directories {
            // In the directory that was made, whatever its path leads to by now.
            for name in (try? SourceFile.names(inDirectory: "/proc/self/fd/\(directory.descriptor)")) ?? [] where name != "." && name != ".." {
                SystemCall.retried { unlinkat(directory.descriptor, name, 0) }
            }
            SystemCall.retried { rmdir(directory.path) }
            close(directory.descriptor)
        }
        directories = []
    }

    static func exists(_ path: String) -> MediaError {
        MediaError(.outputExists, "\(path) exists already", remedy: "give another name, or --overwrite to replace it")
    }
}

/// A file under its hidden name. Locked while this object lives.
final class PartialFile {
    let finalPath: String
    let partialPath: String
    private(set) var isPublished = false
    private(set) var replacedExisting = false
    /// What was published.
    private var published: stat?
    private let descriptor: Int32

    fileprivate init(finalPath: String, partialPath: String) throws(MediaError) {
        self.finalPath = finalPath
        self.partialPath = partialPath
        descriptor = SystemCall.retried { open(partialPath, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
        guard descriptor >= 0 else { throw FileFailure.error(errno, "\(finalPath) cannot be written") }
        _ = flock(descriptor, LOCK_EX | LOCK_NB)
    }

    /// A file that exists already.
    fileprivate init(adopting partialPath: String, finalPath: String) throws(MediaError) {
        self.finalPath = finalPath
        self.partialPath = partialPath
        descriptor = -1
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Appends bytes. Throws `.diskFull`, `.unwritable`.
    func append(_ bytes: UnsafeRawBufferPointer) throws(MediaError) {
        try FileFailure.write(bytes, to: descriptor, path: finalPath)
    }

    func append(_ bytes: [UInt8]) throws(MediaError) {
        let descriptor = descriptor
        let path = finalPath
        let failure: MediaError? = bytes.withUnsafeBytes { buffer in
            do throws(MediaError) { try FileFailure.write(buffer, to: descriptor, path: path) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    func length() throws(MediaError) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw FileFailure.error(errno, "\(finalPath) cannot be read back")
        }
        return Int64(status.st_size)
    }

    /// Up to `count` bytes; fewer at the end.
    func read(at offset: Int64, count: Int) throws(MediaError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = bytes.withUnsafeMutableBytes { SystemCall.readAll($0, from: descriptor, at: offset) }
        guard result >= 0 else { throw FileFailure.error(errno, "\(finalPath) cannot be read back") }
        return Array(bytes[..<result])
    }

    func write(_ bytes: [UInt8], at offset: Int64) throws(MediaError) {
        var written = 0
        while written < bytes.count {
            let result = bytes.withUnsafeBytes { buffer in
                pwrite(
                    descriptor, buffer.baseAddress.map { $0 + written }, bytes.count - written,
                    off_t(offset) + off_t(written))
            }
            if result < 0 && errno == EINTR { continue }
            guard result >= 0 else { throw FileFailure.error(errno, "\(finalPath) cannot be written") }
            written += result
        }
    }

    /// Writes a whole file that must not exist.
    static func write(_ bytes: UnsafeRawBufferPointer, toNewFile path: String) throws(MediaError) {
        let descriptor = SystemCall.retried { open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
        guard descriptor >= 0 else { throw FileFailure.error(errno, "\(path) cannot be written") }
        defer { close(descriptor) }
        try FileFailure.write(bytes, to: descriptor, path: path)
    }

    /// True for a file that this run has made and of which nothing is on the disk.
    fileprivate var isEmpty: Bool { descriptor >= 0 && (try? length()) == 0 }

    /// Waits until the content is on the disk; a full disk may show only here.
    fileprivate func synchronize() throws(MediaError) {
        let own = descriptor >= 0 ? descriptor : SystemCall.retried { open(partialPath, O_RDONLY | O_CLOEXEC) }
        defer { if descriptor < 0, own >= 0 { close(own) } }
        guard own >= 0, SystemCall.retried({ fsync(own) }) == 0 || errno == EINVAL || errno == ENOTSUP else {
            throw FileFailure.error(errno, "\(finalPath) cannot be written to the disk")
        }
    }

    /// Removes the file from its final place, where another one may have got its name, or the folder's, meanwhile.
    fileprivate func withdraw() {
        let slash = finalPath.utf8.lastIndex(of: UInt8(ascii: "/"))
        let folder = open(slash.map { String(finalPath[...$0]) } ?? ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return }
        defer { close(folder) }
        let name = slash.map { String(finalPath[finalPath.utf8.index(after: $0)...]) } ?? finalPath
        var there = stat()
        guard fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) == 0, let published,
            there.st_dev == published.st_dev, there.st_ino == published.st_ino
        else { return }
        unlinkat(folder, name, 0)
    }

    fileprivate func rename(replacing: Bool) throws(MediaError) {
        var status = stat()
        if lstat(partialPath, &status) == 0 { published = status }
        if replacing {
            replacedExisting = access(finalPath, F_OK) == 0
            guard SystemCall.retried({ Glibc.rename(partialPath, finalPath) }) == 0 else {
                throw FileFailure.error(errno, "\(finalPath) cannot be put in place")
            }
        } else {
            try FileFailure.renameWithoutReplacing(partialPath, finalPath)
        }
        isPublished = true
    }
}
