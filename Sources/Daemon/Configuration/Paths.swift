internal import Foundation

/// Paths as texts, without asking the disk unless it is said.
enum Paths {
    /// Without `.`, `..` and slashes that say nothing; absolute paths only.
    static func cleaned(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    static func absolute(_ path: String) -> String {
        cleaned(path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path)
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// With symbolic links followed as far as the path exists.
    static func real(_ path: String) -> String {
        var existing = cleaned(path), rest: [Substring] = []
        while true {
            if let found = realpath(existing, nil) {
                defer { free(found) }
                return cleaned(String(cString: found) + "/" + rest.reversed().joined(separator: "/"))
            }
            guard existing != "/" else { return cleaned(path) }
            rest.append(existing.split(separator: "/").last ?? "")
            existing = parent(of: existing)
        }
    }

    /// The path of `inner` below `outer`, empty where they are the same; nil where it is not below.
    static func relative(_ inner: String, to outer: String) -> String? {
        if inner == outer { return "" }
        let folder = outer == "/" ? "/" : outer + "/"
        return inner.hasPrefix(folder) ? String(inner.dropFirst(folder.count)) : nil
    }
}
