internal import Base
public import SystemPackage

/// Which files of a folder are taken, and when.
public struct WatchRules: Sendable, Equatable {
    /// The watched folder.
    public let root: FilePath
    /// Patterns of which a file must match one; see `Glob`.
    public let include: [String]
    /// Patterns that keep a file, or a folder with everything in it, out.
    public let exclude: [String]
    /// How long a file must be unchanged.
    public let settle: Duration
    /// How long a file must be unchanged that nobody was seen to close, where the kernel does not tell who has it open.
    public let patience: Duration
    /// The time between two scans for what the kernel did not tell of.
    public let scanInterval: Duration
    /// Folders within the root that are left out, such as that of the results.
    public let ignored: [FilePath]

    let includeGlobs: [Glob]
    let excludeGlobs: [Glob]
    /// The ignored folders as far as their paths lie below the root's.
    let ignoredBelow: [FilePath]

    /// The endings of videos' names that are included where nothing else is said.
    public static let videoEndings = [
        "3g2", "3gp", "asf", "avi", "divx", "f4v", "flv", "m2ts", "m2v", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf",
        "nut", "ogm", "ogv", "qt", "ts", "vob", "webm", "wmv",
    ]

    /// - Throws: `badPattern`.
    public init(
        root: FilePath, include: [String] = videoEndings.map { "*." + $0 }, exclude: [String] = [], settle: Duration = .seconds(2),
        patience: Duration = .seconds(30), scanInterval: Duration = .seconds(60), ignored: [FilePath] = []
    ) throws(WatchError) {
        self.root = root
        self.include = include
        self.exclude = exclude
        self.settle = settle
        self.patience = patience
        self.scanInterval = scanInterval
        self.ignored = ignored
        includeGlobs = try Self.globs(include)
        excludeGlobs = try Self.globs(exclude)
        let base = root.lexicallyNormalized()
        ignoredBelow = ignored.compactMap { folder in
            var folder = folder.lexicallyNormalized()
            return folder.removePrefix(base) ? folder : nil
        }
    }

    private static func globs(_ patterns: [String]) throws(WatchError) -> [Glob] {
        var globs: [Glob] = []
        for pattern in patterns { globs += try Glob.parse(pattern) }
        return globs
    }

    public static func == (left: WatchRules, right: WatchRules) -> Bool {
        left.root == right.root && left.include == right.include && left.exclude == right.exclude && left.settle == right.settle
            && left.patience == right.patience && left.scanInterval == right.scanInterval && left.ignored == right.ignored
    }

    /// True where a file with this path below the root is one to take, as far as names tell.
    public func admits(_ relativePath: FilePath) -> Bool {
        admitsFolders(to: relativePath.removingLastComponent()) && admitsFile(relativePath)
    }

    /// True where the folder and all that it lies in are admitted.
    func admitsFolders(to path: FilePath) -> Bool {
        var folder = path
        while !folder.isEmpty {
            guard admitsFolder(folder) else { return false }
            folder.removeLastComponent()
        }
        return true
    }

    /// As `admits`, for a file in a folder that is known to be admitted.
    func admitsFile(_ path: FilePath) -> Bool {
        guard let name = path.lastNameBytes, !Self.isUnfinished(name) else { return false }
        let subject = GlobSubject(path)
        return includeGlobs.contains { $0.matches(subject, isFolder: false) }
            && !excludeGlobs.contains { $0.matches(subject, isFolder: false) }
    }

    /// True where a folder is to be looked into, if those that it lies in are.
    func admitsFolder(_ path: FilePath) -> Bool {
        guard let name = path.lastNameBytes, name.first != UInt8(ascii: "."),
            !Self.systemFolders.contains(name), !ignoredBelow.contains(path)
        else { return false }
        let subject = GlobSubject(path)
        return !excludeGlobs.contains { $0.matches(subject, isFolder: true) }
    }

    /// Hidden, or under a name that programs give to what they have not written to the end.
    private static func isUnfinished(_ name: [UInt8]) -> Bool {
        guard name.first != UInt8(ascii: "."), name.last != UInt8(ascii: "~") else { return true }
        return unfinishedEndings.contains { ending in
            name.count >= ending.count && zip(name.suffix(ending.count), ending).allSatisfy { $0 == $1 || ($0 | 0x20) == $1 }
        }
    }

    private static let unfinishedEndings = UnfinishedNames.endings.map { Array($0.utf8) }

    /// Folders in which systems keep what was deleted or found again.
    private static let systemFolders = Set(["lost+found", "$RECYCLE.BIN", "System Volume Information"].map { Array($0.utf8) })
}
