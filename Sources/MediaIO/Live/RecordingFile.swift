internal import Base
import Glibc

/// One file of a recording, under a hidden name until it is finished.
///
/// What has been recorded is not thrown away: dropped without `finish()`, or after a failure, a file with packets in it is
/// put in place as it is.
final class RecordingFile {
    let path: String
    private let files: OutputFiles
    /// nil once the trailer has been written.
    private var muxer: LiveMuxer?
    private var isPublished = false

    /// Throws `.unwritable`, `.outputExists`, `.diskFull`.
    init(
        _ target: LiveTarget, streams: LiveStreams, indices: [Int], replacesExisting: Bool, interrupt: Interrupt
    ) throws(MediaError) {
        path = target.url
        files = try OutputFiles(
            target: OutputTarget(path: path, isPattern: false), replacesExisting: replacesExisting, inputs: [])
        let partial = try files.create()
        muxer = try LiveMuxer(
            target, url: SourceFile.url(partial.partialPath), streams: streams, indices: indices, interrupt: interrupt)
    }

    deinit { try? finish() }

    func write(_ packet: Packet) throws(MediaError) {
        guard let muxer else { throw MediaError(.internalFailure, "\(path) is closed") }
        try muxer.write(packet)
    }

    /// Writes the trailer, waits for the disk, and gives the file its name; one without packets is removed.
    ///
    /// A failed trailer, or a disk that cannot say that it has everything, is thrown after the file is in place: all but its end can be
    /// played. A file that cannot get its name stays under its hidden one.
    func finish() throws(MediaError) {
        guard let muxer else { return }
        self.muxer = nil
        guard muxer.packetCount > 0 else { return files.discard() }
        var failure: MediaError?
        do throws(MediaError) { try muxer.finish() } catch { failure = error }
        do throws(MediaError) { try files.publishWhatIsThere() } catch { failure = failure ?? error }
        if let failure { throw failure }
    }
}

/// Recordings that a killed run has left under their hidden names.
enum RecordingLeftovers {
    /// Gives what was left of `path` a name of its own beside it, such as `night-recovered-20261123T135500Z.mkv` with the
    /// time of its last write; says so.
    static func keep(of path: String) -> [String] {
        guard let target = try? OutputTarget(path: path, isPattern: false) else { return [] }
        return keep(in: target.directory) { name, time in
            guard name == target.name else { return nil }
            let parts = SegmentNames.split(name)
            return "\(parts.stem)-recovered-\(SegmentNames.stamp(time))\(parts.ending)"
        }
    }

    /// Renames the unlocked partial files of dead processes in `directory` (with its slash, or empty for the current one)
    /// to what `newName` makes of their final name and the time of their last write (seconds since 1970), nil to let one
    /// be. Empty ones are removed. Returns a line about each that was kept.
    static func keep(in directory: String, newName: (String, Double) -> String?) -> [String] {
        var lines: [String] = []
        // As it is open: the path may lead elsewhere in the next moment.
        guard let folder = RecordingFolder(directory) else { return [] }
        for hidden in folder.names {
            guard let name = PartialName.finalName(of: hidden), let process = PartialName.process(of: hidden, for: name),
                process.isThisProcess || process.isDead
            else { continue }
            // What is no file is not waited for, and let be.
            let descriptor = SystemCall.retried { openat(folder.descriptor, hidden, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            var status = stat()
            // A writer that lives holds the lock, even one of this process.
            guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, flock(descriptor, LOCK_EX | LOCK_NB) == 0, let new = newName(name, Double(status.st_mtim.tv_sec))
            else { continue }
            if status.st_size == 0 {
                SystemCall.retried { unlinkat(folder.descriptor, hidden, 0) }
            } else if let kept = rename(hidden, as: new, in: folder) {
                lines.append("\(directory)\(kept) was left unfinished, and is kept")
            }
        }
        return lines
    }

    /// The name given: with a number where the one wanted is taken; nil where nothing could be renamed.
    private static func rename(_ hidden: String, as name: String, in folder: RecordingFolder) -> String? {
        for number in 0..<1000 {
            let candidate = SegmentNames.numbered(name, number)
            do throws(MediaError) {
                try FileFailure.renameWithoutReplacing(folder.path + hidden, folder.path + candidate)
                return candidate
            } catch {
                guard error.code == .outputExists else { return nil }
            }
        }
        return nil
    }
}

/// A folder of recordings as it is open: nothing in another one is touched, whatever its path leads to meanwhile.
final class RecordingFolder {
    let descriptor: Int32

    /// Nil where `directory` (empty for the current one) cannot be opened.
    init?(_ directory: String) {
        descriptor = open(directory.isEmpty ? "." : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0 { return nil }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// With its slash; good in this process only.
    var path: String { "/proc/self/fd/\(descriptor)/" }

    /// Of all that is in it, unsorted.
    var names: [String] { (try? SourceFile.names(inDirectory: path)) ?? [] }

    /// Removes a regular file whose last write lies before a moment, in seconds since 1970.
    func remove(_ name: String, writtenBefore moment: Double) {
        var status = stat()
        guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG,
            Double(status.st_mtim.tv_sec) < moment
        else { return }
        unlinkat(descriptor, name, 0)
    }
}
