internal import Glibc
internal import Jobs
internal import SystemPackage

/// A folder to write to, and how it was found: where its file system is unmounted, what is written to it would fill the disk
/// below the mount point, be hidden once it is mounted again, and be taken for safe meanwhile.
struct Anchor {
    let path: FilePath
    private var wasThere = false
    private var wasMountPoint = false

    private let mounts: @Sendable () -> ExpectedMounts

    init(_ path: String, mounts: @escaping @Sendable () -> ExpectedMounts = { .now }) { (self.path, self.mounts) = (FilePath(path), mounts) }

    /// Why nothing may be written to it now; nil where it may. The folder is made where it has never been there.
    mutating func refusal() -> String? {
        if !wasThere {
            // At a first start nothing is known of the folder but what is to be mounted.
            if let mount = mounts().missing(for: path) { return "\(mount.shown) is not mounted" }
            do { try Folders.make(path) } catch { return "\(path.shown) cannot be made: \(error)" }
        }
        guard let own = FileStatus(path), own.isFolder else { return "\(path.shown) is not there any more" }
        let isMountPoint = FileStatus(path.removingLastComponent()).map { $0.device != own.device } ?? false
        guard isMountPoint || !wasMountPoint else { return "\(path.shown) is not mounted any more" }
        (wasThere, wasMountPoint) = (true, isMountPoint)
        return nil
    }
}
