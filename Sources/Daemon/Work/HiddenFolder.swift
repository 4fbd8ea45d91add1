internal import Foundation
internal import Glibc
internal import Jobs
internal import SystemPackage

/// The folder beside a target in which its worker makes the result.
enum HiddenFolder {
    static func path(of target: FilePath, token: String, job: Int64) -> FilePath {
        target.removingLastComponent().appending(WorkOrder.hiddenName(token: token, job: job))
    }

    /// Removes the folder and the files in it; nothing below, since a worker makes none. False where something is left of it.
    @discardableResult
    static func remove(_ folder: FilePath) -> Bool {
        guard let directory = folder.withPlatformString({ opendir($0) }) else { return errno == ENOENT || errno == ENOTDIR }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { _ = unlinkat(dirfd(directory), $0, 0) }
            }
        }
        return folder.withPlatformString { rmdir($0) } == 0
    }

    /// Bytes of the files in it.
    static func bytes(_ folder: FilePath) -> Int64 {
        guard let directory = folder.withPlatformString({ opendir($0) }) else { return 0 }
        defer { closedir(directory) }
        var sum: Int64 = 0
        while let entry = readdir(directory) {
            var status = stat()
            let isFile = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { fstatat(dirfd(directory), $0, &status, AT_SYMLINK_NOFOLLOW) }
            } == 0 && status.st_mode & S_IFMT == S_IFREG
            if isFile { sum += Int64(status.st_size) }
        }
        return sum
    }
}
