public import SystemPackage

/// A file that is complete, as far as can be told from outside.
public struct FoundFile: Sendable, Equatable {
    /// Below the watched folder; any bytes but zero.
    public var relativePath: FilePath
    /// Bytes.
    public var size: Int64
    /// Nanoseconds since 1970, as the file system says.
    public var modified: Int64
    public var device: UInt64
    public var inode: UInt64

    public init(relativePath: FilePath, size: Int64, modified: Int64, device: UInt64, inode: UInt64) {
        self.relativePath = relativePath
        self.size = size
        self.modified = modified
        self.device = device
        self.inode = inode
    }
}

/// What a watcher tells.
public enum WatchEvent: Sendable, Equatable {
    /// A file is complete: told once, and again when its content, or the file behind the name, has become another one. A
    /// watcher remembers nothing from one run of the program to the next, so all files are told after its start.
    case ready(FoundFile)
    /// A file that was told as ready is no longer there: removed, renamed, or moved out of the folder.
    case vanished(FilePath)
    /// The watched folder is not there, with the reason in words. Nothing is known of its files until `rootBack`; none of
    /// them counts as vanished.
    case rootLost(String)
    /// The watched folder is there again; a scan follows.
    case rootBack
    /// A whole scan has ended, having met so many files that the rules admit.
    case scanned(files: Int)
    /// Something the user should know: one line.
    case notice(String)
}
