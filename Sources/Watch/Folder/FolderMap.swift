internal import SystemPackage

/// The folders that are known below a watched one, by path relative to it, and their watches.
struct FolderMap {
    struct Folder {
        var identity: FolderIdentity
        /// The kernel's number of the watch; nil where there is none.
        var watch: Int32?
        var children: Set<FilePath.Component> = []
    }

    private var folders: [FilePath: Folder] = [:]
    private var paths: [Int32: FilePath] = [:]

    subscript(path: FilePath) -> Folder? { folders[path] }
    var all: [FilePath] { Array(folders.keys) }
    var isWatchedWhole: Bool { folders.values.allSatisfy { $0.watch != nil } }

    func path(of watch: Int32) -> FilePath? { paths[watch] }

    mutating func set(_ path: FilePath, _ folder: Folder) {
        if let old = folders[path]?.watch, old != folder.watch { paths[old] = nil }
        // A folder that was moved keeps its number as long as its old path is not known to be left.
        if let watch = folder.watch {
            if let old = paths[watch], old != path { folders[old]?.watch = nil }
            paths[watch] = path
        }
        folders[path] = folder
    }

    /// The kernel has removed a watch.
    mutating func drop(_ watch: Int32) {
        guard let path = paths.removeValue(forKey: watch) else { return }
        folders[path]?.watch = nil
    }

    /// Notes that `path` lies in its parent.
    mutating func noteChild(_ path: FilePath) {
        guard let name = path.lastComponent else { return }
        folders[path.removingLastComponent()]?.children.insert(name)
    }

    /// Removes a folder with everything below it; returns them.
    mutating func remove(_ top: FilePath) -> [(path: FilePath, folder: Folder)] {
        if let name = top.lastComponent { folders[top.removingLastComponent()]?.children.remove(name) }
        var removed: [(FilePath, Folder)] = []
        var open = [top]
        while let path = open.popLast() {
            guard let folder = folders.removeValue(forKey: path) else { continue }
            if let watch = folder.watch, paths[watch] == path { paths[watch] = nil }
            removed.append((path, folder))
            open += folder.children.map { path.appending($0) }
        }
        return removed
    }

    mutating func removeAll() { self = FolderMap() }
}

/// Folders that are to be listed, each once.
struct FolderQueue {
    private var paths: [FilePath] = []
    private var known: Set<FilePath> = []

    var isEmpty: Bool { paths.isEmpty }

    mutating func push(_ path: FilePath) {
        if known.insert(path).inserted { paths.append(path) }
    }

    /// The newest: depth first keeps few waiting.
    mutating func next() -> FilePath? {
        guard let path = paths.popLast() else { return nil }
        known.remove(path)
        return path
    }

    mutating func removeAll() { self = FolderQueue() }
}
