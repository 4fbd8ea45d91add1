internal import Foundation
internal import Glibc
internal import Jobs
internal import SystemPackage

/// The folder beside a target in which its worker makes the result.
enum HiddenFolder {
    static func path(of target: FilePath, token: String, job: Int64) -> FilePath {
        target.removingLastComponent().appending(WorkOrder.hiddenName(token: token, job: job))
    }

    /// Removes the folder and the files in it; nothing below, since a worker makes none.
    static func remove(_ folder: FilePath) {
        guard let directory = folder.withPlatformString({ opendir($0) }) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { _ = unlinkat(dirfd(directory), $0, 0) }
            }
        }
        _ = folder.withPlatformString { rmdir($0) }
    }
}
