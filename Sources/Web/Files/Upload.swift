internal import Foundation

/// A file that comes in: hidden until it is whole and on the disk, then in its place by one step, never over another file.
/// Used by one request; its calls block.
final class Upload: Sendable {
    private let root: SystemFile
    private let path: UploadPath
    /// Beside the final name where that is another file system, else in the root.
    private let place: SystemFile
    private let file: SystemFile
    private let hiddenName: String
    static let hiddenPrefix = ".solstice-upload-"

    /// Throws `Problem`: 404 without the folder, 409 where the name is taken, 507 where `size` bytes have no room.
    init(root path: String, to target: UploadPath, size: Int64) throws {
        let root: SystemFile
        do {
            root = try SystemFile.folder(path)
        } catch let failure as SystemFailure {
            throw Problem(.serviceUnavailable, "folderUnavailable", "the watch folder cannot be opened (\(failure.text))", remedy: "try again when it is back")
        }
        self.root = root
        self.path = target
        let folder = try Self.existing(target.folders, below: root)
        if folder?.hasEntry(target.name) == true { throw Self.taken(target) }
        let isElsewhere = try folder.map { try $0.status().device != root.status().device } ?? false
        place = isElsewhere ? folder! : root
        guard try place.freeSpace() >= size else { throw Self.full }
        hiddenName = Self.hiddenPrefix + UUID().uuidString + ".part"
        do {
            file = try place.newFile(hiddenName)
        } catch let failure as SystemFailure {
            throw Self.problem(failure, target)
        }
        // Whoever cleans up leaves it alone.
        _ = file.lock()
    }

    func write(_ bytes: [UInt8]) throws {
        do { try file.write(bytes) } catch let failure as SystemFailure { throw Self.problem(failure, path) }
    }

    /// Whole: to the disk, then to its name.
    func finish() throws {
        do {
            try file.synchronize()
            var folder = root
            for name in path.folders {
                try folder.makeFolder(name)
                try folder.synchronize()
                folder = try folder.folder(name)
            }
            try place.move(hiddenName, to: folder, path.name)
            try folder.synchronize()
        } catch let failure as SystemFailure {
            throw Self.problem(failure, path)
        }
    }

    /// Broken off: nothing is left.
    func abandon() { place.remove(hiddenName) }

    /// The folder that the file goes to, where it is there already.
    private static func existing(_ names: [String], below root: SystemFile) throws -> SystemFile? {
        var folder = root
        for name in names {
            do {
                folder = try folder.folder(name)
            } catch let failure as SystemFailure {
                if failure.number == ENOENT { return nil }
                throw Problem.bad("\(name): not a folder that files can be put into", remedy: "choose another one")
            }
        }
        return folder
    }

    private static func taken(_ path: UploadPath) -> Problem {
        Problem(.conflict, "fileExists", "\(path.shown) is there already", remedy: "give it another name")
    }

    private static let full = Problem(
        .init(code: 507, reasonPhrase: "Insufficient Storage"), "diskFull", "the disk of the watch folder has no room for the file", remedy: "make room")

    private static func problem(_ failure: SystemFailure, _ path: UploadPath) -> Problem {
        if failure.isDiskFull { return full }
        switch failure.number {
        case EEXIST: return taken(path)
        case EACCES, EPERM, EROFS:
            return Problem(.forbidden, "notPermitted", "the watch folder cannot be written (\(failure.text))", remedy: "let the daemon write there")
        case ELOOP, ENOTDIR: return Problem.bad("\(path.shown): a part of it is not a folder", remedy: "choose another one")
        case ENAMETOOLONG: return Problem.bad("the file's name is too long for the disk", remedy: "give it another name")
        default: return Problem(.internalServerError, "internalFailure", "\(path.shown) could not be written (\(failure.text))")
        }
    }

    /// Removes what an earlier life of the daemon left in a watch folder; what somebody is still writing stays.
    static func removeLeftovers(in path: String) {
        guard let root = try? SystemFile.folder(path), let names = try? root.names(limit: 10_000, where: { $0.hasPrefix(hiddenPrefix) }) else { return }
        for name in names {
            guard let file = try? root.existingFile(name), (try? file.status())?.isRegular == true, file.lock() else { continue }
            root.remove(name)
        }
    }
}
