internal import Base
internal import Glibc
internal import Synchronization
public import SystemPackage

/// The hidden folder beside a job's target in which its result is made, and the target's own folder, both held open.
///
/// Other users may write to an output folder, and can make any path that leads through it lead elsewhere. So everything here
/// is done on descriptors, and a hidden folder is only taken for the job's own where it is a real folder of this process's
/// user, with the name and the number that the job has noted in its work folder. The name has a random part, which nobody
/// knows before the folder is there.
public final class HiddenFolder: Sendable {
    /// What the search for the folder of an earlier life has shown.
    enum Finding { case own, none, unknown }

    private struct State {
        var place: Int32 = -1
        var folder: Int32 = -1
        /// The folder is open still, so that its path in texts is known, but has no name any more.
        var isRemoved = false
    }

    private let target: FilePath
    private let prefix: String
    private let note: HiddenFolderNote
    private let state = Mutex(State())

    /// - Parameters:
    ///   - workFolder: the job's own folder, which only this process's user may write.
    ///   - token: tells the folders of daemons apart that share an output folder.
    public init(target: FilePath, workFolder: String, token: String, job: Int64) {
        self.target = target
        prefix = ".solstice-\(token)-\(job)-"
        note = HiddenFolderNote(workFolder)
    }

    deinit { state.withLock { state in for file in [state.folder, state.place] where file >= 0 { close(file) } } }

    // MARK: - Paths

    /// The folder as it is open; a path that leads nowhere where it is not. Good in this process only.
    public var path: FilePath { Self.path(of: state.withLock { $0.folder }) }

    /// The target's folder as it is open. Good in this process only.
    public var place: FilePath { Self.path(of: state.withLock { $0.place }) }

    private static func path(of file: Int32) -> FilePath { FilePath("/proc/self/fd/\(file)") }

    private var placePath: FilePath {
        let folder = target.removingLastComponent()
        return folder.isEmpty ? "." : folder
    }

    // MARK: - Opening

    /// Opens the target's folder, and the hidden one where an earlier life has made it. True where there is one.
    @discardableResult
    public func open() -> Bool { find() == .own }

    func find() -> Finding {
        state.withLock { state in
            if state.folder >= 0 { return state.isRemoved ? .none : .own }
            return find(&state)
        }
    }

    /// With `.unknown`, `errno` says why.
    private func find(_ state: inout State) -> Finding {
        guard openPlace(&state) else { return errno == ENOENT || errno == ENOTDIR ? .none : .unknown }
        let known: HiddenFolderNote.Content
        do throws(Errno) {
            guard let noted = try note.read() else { return .none }
            known = noted
        } catch {
            errno = error.rawValue
            return .unknown
        }
        let folder = FolderDescriptor.open(known.name, in: state.place)
        guard folder >= 0 else { return [ENOENT, ENOTDIR, ELOOP].contains(errno) ? .none : .unknown }
        guard FolderDescriptor.number(of: folder) == known.number, FolderDescriptor.isOwn(folder) else {
            close(folder)
            return .none
        }
        state.folder = folder
        return .own
    }

    private func openPlace(_ state: inout State) -> Bool {
        if state.place < 0 { state.place = FolderDescriptor.open(placePath) }
        return state.place >= 0
    }

    /// Makes the folder, unless there is one. The target's folder must be there.
    public func make() throws(Errno) {
        let code = state.withLock { state -> Int32 in
            if state.folder >= 0, !state.isRemoved { return 0 }
            guard openPlace(&state) else { return errno }
            if !state.isRemoved {
                // Of one that an earlier life has made, and that cannot be looked at now, the next note would be the last trace.
                switch find(&state) {
                case .own: return 0
                case .unknown: return errno
                case .none: removeUnfinished(in: state.place)
                }
            }
            // Each attempt can only fail because of somebody who is at it in the same moment.
            for _ in 0..<4 {
                let code = make(&state)
                if code != EEXIST { return code }
            }
            return EEXIST
        }
        if code != 0 { throw Errno(rawValue: code) }
    }

    /// Returns an error's number; EEXIST where something else is at the new name.
    private func make(_ state: inout State) -> Int32 {
        let random = (0..<2).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
        let name = prefix + random
        // One whose number an earlier life did not live to note; its name is about to be forgotten.
        removeUnfinished(in: state.place)
        // Known before it is there, so that an end between the two leaves nothing that nobody knows.
        guard note.write(name, number: nil) else { return errno }
        guard SystemCall.retried({ mkdirat(state.place, name, 0o700) }) == 0 else { return errno }
        let folder = FolderDescriptor.open(name, in: state.place)
        guard folder >= 0 else { return [ENOENT, ENOTDIR, ELOOP].contains(errno) ? EEXIST : errno }
        guard FolderDescriptor.isOwn(folder), FolderDescriptor.names(in: folder)?.isEmpty == true,
            let number = FolderDescriptor.number(of: folder)
        else {
            close(folder)
            return EEXIST
        }
        guard note.write(name, number: number), FolderDescriptor.synchronize(state.place) else {
            let code = errno
            close(folder)
            return code == 0 ? EIO : code
        }
        if state.folder >= 0 { close(state.folder) }
        (state.folder, state.isRemoved) = (folder, false)
        return 0
    }

    /// False where the target's path leads to another folder by now than when it was opened: its file system was unmounted,
    /// or somebody has put another folder in its place.
    public var isInPlace: Bool {
        let place = state.withLock { $0.place }
        var opened = stat(), named = stat()
        guard place >= 0, fstat(place, &opened) == 0, placePath.withPlatformString({ stat($0, &named) }) == 0 else { return false }
        return opened.st_dev == named.st_dev && opened.st_ino == named.st_ino
    }

    // MARK: - Removing

    /// Removes what is in the folder.
    public func empty() {
        let folder = state.withLock { $0.folder }
        if folder >= 0 { FolderDescriptor.empty(folder) }
    }

    /// Removes the folder where nothing is in it.
    public func removeIfEmpty() { _ = removeName() }

    /// Removes the folder and all in it; false where something is left of it, or may be.
    @discardableResult
    public func remove() -> Bool {
        switch find() {
        case .unknown: return false
        case .none:
            removeUnfinished(in: state.withLock { $0.place })
            note.remove()
            return true
        case .own:
            empty()
            return removeName()
        }
    }

    private func removeName() -> Bool {
        guard let known = try? note.read() else { return true }
        return state.withLock { state in
            guard state.folder >= 0 else { return false }
            // Where the name is somebody else's by now, only an empty folder could go.
            let result = SystemCall.retried { unlinkat(state.place, known.name, FolderDescriptor.removesFolder) }
            guard result == 0 || errno == ENOENT || errno == ENOTDIR else { return false }
            state.isRemoved = true
            note.remove()
            return true
        }
    }

    /// What was made by a life that ended before it could note its number is empty.
    private func removeUnfinished(in place: Int32) {
        guard place >= 0, let known = try? note.read(), known.number == nil else { return }
        SystemCall.retried { unlinkat(place, known.name, FolderDescriptor.removesFolder) }
    }

    /// Bytes of the files in it; 0 where there is none.
    public var bytes: Int64 {
        guard find() == .own else { return 0 }
        return FolderDescriptor.bytes(of: state.withLock { $0.folder })
    }
}

/// What a job has noted of its hidden folder, in its work folder.
struct HiddenFolderNote {
    private let path: String

    init(_ workFolder: String) { path = workFolder + "/hidden" }

    /// The name, and the number within its file system; no number for a folder that was about to be made.
    typealias Content = (name: String, number: UInt64?)

    /// Nil where nothing is noted. Throws where that cannot be told.
    func read() throws(Errno) -> Content? {
        let file = SystemCall.retried { Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
        guard file >= 0 else {
            if [ENOENT, ENOTDIR, ELOOP].contains(errno) { return nil }
            throw Errno(rawValue: errno)
        }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = bytes.withUnsafeMutableBytes { SystemCall.readAll($0, from: file) }
        guard count >= 0 else { throw Errno(rawValue: errno) }
        let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 3, !lines[0].utf8.contains(UInt8(ascii: "/")), lines[0].hasPrefix(".solstice-") else { return nil }
        return (String(lines[0]), UInt64(lines[1]))
    }

    /// False, with `errno` set, where it could not be written.
    func write(_ name: String, number: UInt64?) -> Bool {
        let temporary = path + ".tmp"
        let file = SystemCall.retried { Glibc.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        guard file >= 0 else { return false }
        var code = SystemCall.writeAll(Array("\(name)\n\(number.map(String.init) ?? "")\n".utf8), to: file)
        if code == 0, SystemCall.retried({ fsync(file) }) != 0 { code = errno }
        close(file)
        errno = code
        return code == 0 && SystemCall.retried { rename(temporary, path) } == 0
    }

    func remove() { SystemCall.retried { unlink(path) } }
}
