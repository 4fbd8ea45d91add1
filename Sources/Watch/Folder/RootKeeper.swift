internal import SystemPackage

/// Which folder it is, whatever its name.
struct FolderIdentity: Sendable, Hashable {
    var device: UInt64
    var inode: UInt64
}

/// Judges whether the watched folder is there.
///
/// The folder that a file system was mounted on is there when it is not mounted, and empty: it must not be taken for the
/// watched folder, all of whose files would seem to have been deleted.
struct RootKeeper: Sendable {
    /// What was seen where the root should be.
    enum Sight: Sendable {
        case absent(String)
        case present(FolderIdentity)
    }

    enum Change: Sendable, Equatable {
        case none
        case lost(String)
        /// There, for the first time or again.
        case back
        /// Another folder took its place.
        case replaced
    }

    private(set) var isThere = false
    private(set) var hasBeenLost = false
    private var identity: FolderIdentity?
    /// The mount that the root was on when it was there.
    private(set) var mount: Mount?

    static let notMounted = "its file system is not mounted"

    /// - Parameter holder: the mount that the path is on now; only asked where it matters.
    mutating func judge(_ sight: Sight, holder: () -> Mount?) -> Change {
        guard case .present(let seen) = sight else {
            guard case .absent(let reason) = sight else { return .none }
            return lose(reason)
        }
        if isThere, seen == identity { return .none }
        let holder = holder()
        if let mount, let holder, Self.isBeneath(holder, mount) { return lose(Self.notMounted) }
        defer { (isThere, identity, mount) = (true, seen, holder ?? mount) }
        return isThere ? .replaced : .back
    }

    /// The root is known to be no longer the one that it was.
    mutating func lose(_ reason: String) -> Change {
        guard isThere || !hasBeenLost else { return .none }
        (isThere, hasBeenLost) = (false, true)
        return .lost(reason)
    }

    /// What is seen on `holder` is what `mount` covers when it is there. (A trigger of autofs lies where it mounts.)
    private static func isBeneath(_ holder: Mount, _ mount: Mount) -> Bool {
        if holder.point == mount.point { return holder.type == "autofs" && mount.type != "autofs" }
        return mount.point.starts(with: holder.point)
    }

    static func look(at root: FilePath) -> Sight {
        do {
            let status = try OpenFolder(root, followsLink: true).status()
            return .present(FolderIdentity(device: status.facts.device, inode: status.facts.inode))
        } catch {
            return .absent(error == .notDirectory ? "it is no folder" : "\(error)")
        }
    }
}
