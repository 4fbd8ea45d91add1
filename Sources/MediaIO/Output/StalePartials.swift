internal import Base
import Glibc

/// The names of partial files: `.NAME.partial-PID-MARK-RANDOM`, with the `ProcessMark` of their process; older versions wrote
/// none.
enum PartialName {
    /// A name that no other run uses.
    static func next(for name: String) -> String {
        let random = UInt32.random(in: .min ... .max)
        return prefix(for: name) + "\(getpid())-\(String(ProcessMark.own, radix: 16))-\(String(random, radix: 16))"
    }

    /// A file name has at most 255 bytes, so a long one is cut, and told apart by a hash of the rest.
    static func prefix(for name: String) -> String {
        guard name.utf8.count > 200 else { return ".\(name).partial-" }
        let hash = name.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }  // FNV-1a
        return ".\(name.prefix(bytes: 160)).\(String(hash, radix: 16)).partial-"
    }

    /// The name that a partial file was to get; nil where it is none, or where the name was too long to be in it.
    static func finalName(of fileName: String) -> String? {
        guard fileName.hasPrefix("."), let mark = fileName.lastRange(of: ".partial-") else { return nil }
        let name = String(fileName[..<mark.lowerBound].dropFirst())
        return !name.isEmpty && name.utf8.count <= 200 && process(of: fileName, for: name) != nil ? name : nil
    }

    /// A process that writes, or wrote, a partial file.
    struct Writer: Equatable {
        let pid: pid_t
        /// Nil in names of older versions.
        let mark: UInt32?

        /// True where it certainly no longer runs, whoever has its number now.
        var isDead: Bool {
            if kill(pid, 0) != 0, errno == ESRCH { return true }
            guard let mark, mark != 0, let now = ProcessMark.of(pid) else { return false }
            return mark != now
        }

        var isThisProcess: Bool { pid == getpid() && (mark ?? ProcessMark.own) == ProcessMark.own }
    }

    /// The process that `fileName` says it belongs to; nil where it is no partial file of `name`.
    static func process(of fileName: String, for name: String) -> Writer? {
        let prefix = prefix(for: name)
        guard fileName.hasPrefix(prefix) else { return nil }
        let parts = fileName.dropFirst(prefix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, let pid = pid_t(parts[0]), pid > 0 else { return nil }
        let numbers = parts.dropFirst().map { UInt32($0, radix: 16) }
        guard numbers.allSatisfy({ $0 != nil }) else { return nil }
        return Writer(pid: pid, mark: parts.count == 3 ? numbers[0] : nil)
    }
}

/// What killed runs have left behind.
enum StalePartials {
    /// Removes the partial files of `target` and its sidecars whose process is dead and whose lock is free. (The lock
    /// tells where the process runs on another machine or in another container with the directory shared.)
    static func remove(of target: OutputTarget) {
        let directory = target.directory.isEmpty ? "." : target.directory
        let folder = SystemCall.retried { open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard folder >= 0 else { return }
        defer { close(folder) }
        for fileName in (try? SourceFile.names(inDirectory: directory)) ?? [] where fileName.hasPrefix(".") {
            guard
                let process = names(target.name, fileName).lazy.compactMap({
                    PartialName.process(of: fileName, for: $0)
                }).first,
                process.isDead
            else { continue }
            removeUnlocked(fileName, in: folder)
        }
    }

    /// The final names that `fileName` may be a partial file of: the target's, or a sidecar's with a suffix behind it.
    private static func names(_ name: String, _ fileName: String) -> [String] {
        var candidates = [name]
        if fileName.hasPrefix(".\(name)."), let end = fileName.lastRange(of: ".partial-") {
            candidates.append(String(fileName[fileName.index(after: fileName.startIndex)..<end.lowerBound]))
        }
        return candidates
    }

    /// Removes a file, or a folder with the files in it. What is neither, such as a pipe that somebody has put there, is let be,
    /// and never waited for. All is done in folders that are open: a path may lead elsewhere in the next moment.
    private static func removeUnlocked(_ fileName: String, in folder: Int32) {
        let descriptor = SystemCall.retried { openat(folder, fileName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { SystemCall.retried { unlinkat(folder, fileName, 0) } }
        case S_IFDIR:
            // Another user's folder may hold anything.
            guard status.st_uid == geteuid(), flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return }
            for name in (try? SourceFile.names(inDirectory: "/proc/self/fd/\(descriptor)")) ?? [] where name != "." && name != ".." {
                SystemCall.retried { unlinkat(descriptor, name, 0) }
            }
            SystemCall.retried { unlinkat(folder, fileName, removesFolder) }
        default: break
        }
    }

    /// AT_REMOVEDIR of fcntl.h.
    private static let removesFolder: Int32 = 0x200
}

extension String {
    /// The last place of `word`; Foundation, which has this, is not linked here.
    fileprivate func lastRange(of word: String) -> Range<String.Index>? {
        indices.reversed().first { self[$0...].hasPrefix(word) }.map { $0..<index($0, offsetBy: word.count) }
    }
}
