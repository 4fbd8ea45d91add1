public import SystemPackage

/// What became of asking for a lease.
public enum LeaseAttempt: Sendable {
    case acquired(Lease)
    /// Somebody else's, in their own words; it is theirs for so long at least unless they give it back.
    case held(by: String, freeAfter: Duration)
}

/// Takes leases on targets, and renews them on a thread of its own until they are released.
public final class LeaseKeeper: Sendable {
    /// - Parameter holder: who holds the leases, for people; nil for this machine's name and process.
    public init(holder: String? = nil, ttl: Duration = .seconds(60)) { fatalError() }

    /// Tries to get the lease on `target`, whose folder must be there. Does not wait.
    ///
    /// - Throws: `noSuchFolder`, `unreadable`, `unwritable`, `diskFull`.
    public func acquire(for target: FilePath) throws(WatchError) -> LeaseAttempt { fatalError() }

    /// Ends the renewals; leases that are still held are released.
    public func close() {}

    /// True where other machines may write what lies at `path`, so that the kernel here hears nothing of it: NFS, SMB, Ceph,
    /// 9p, FUSE and the like. A path that is not there counts as its nearest folder that is.
    public static func isNetworkFileSystem(_ path: FilePath) -> Bool { false }
}

/// A lease that was taken.
public final class Lease: Sendable {
    public let target: FilePath
    init(target: FilePath) { self.target = target }

    /// False once it was released, somebody else has taken it over, or it could not be renewed in time. Costs nothing.
    public var isHeld: Bool { false }

    /// As `isHeld`, having looked at the file system.
    public func confirm() -> Bool { false }

    /// Gives it back; may be called more than once.
    public func release() {}
}
