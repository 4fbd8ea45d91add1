import Glibc

/// The names of partial files: `.NAME.partial-PID-RANDOM`.
enum PartialName {
    /// A name that no other run uses.
    static func next(for name: String) -> String {
        let random = UInt32.random(in: .min ... .max)
        return prefix(for: name) + "\(getpid())-" + String(random, radix: 16)
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

    /// The process that `fileName` says it belongs to; nil where it is no partial file of `name`.
    static func process(of fileName: String, for name: String) -> pid_t? {
        let prefix = prefix(for: name)
        guard fileName.hasPrefix(prefix) else { return nil }
        let parts = fileName.dropFirst(prefix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, UInt32(parts[1], radix: 16) != nil else { return nil }
        return pid_t(parts[0]).flatMap { $0 > 0 ? $0 : nil }
    }
}

/// What killed runs have left behind.
enum StalePartials {
    /// Removes the partial files of `target` and its sidecars whose process is dead and whose lock is free. (The lock
    /// tells where the process runs on another machine or in another container with the directory shared.)
    static func remove(of target: OutputTarget) {
        let directory = target.directory.isEmpty ? "." : target.directory
        for fileName in (try? SourceFile.names(inDirectory: directory)) ?? [] where fileName.hasPrefix(".") {
            guard
                let process = names(target.name, fileName).lazy.compactMap({
                    PartialName.process(of: fileName, for: $0)
                }).first,
                kill(process, 0) != 0, errno == ESRCH
            else { continue }
            removeUnlocked(target.directory + fileName)
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

    private static func removeUnlocked(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        for name in (try? SourceFile.names(inDirectory: path)) ?? [] where name != "." && name != ".." {
            unlink(path + "/" + name)
        }
        rmdir(path)
    }
}

extension String {
    /// The last place of `word`; Foundation, which has this, is not linked here.
    fileprivate func lastRange(of word: String) -> Range<String.Index>? {
        indices.reversed().first { self[$0...].hasPrefix(word) }.map { $0..<index($0, offsetBy: word.count) }
    }
}
