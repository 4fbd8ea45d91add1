internal import Foundation
internal import MediaIO

/// Finds what is to be converted in a folder.
public enum MediaFolder {
    /// Extensions of files that are taken for videos and pictures; everything else in a folder is left alone.
    static let extensions: Set<String> = [
        "mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "mts", "m2ts", "mpg", "mpeg", "vob", "flv", "wmv", "3gp", "mxf",
        "ogv", "gif", "jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp",
    ]

    public static func isFolder(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    /// The media files below `folder`, as paths relative to it, sorted; hidden files and everything below `excluded` are
    /// left out. `unreadable` are the folders that could not be listed.
    ///
    /// - Throws: `MediaError` `.unreadable` where the folder cannot be listed, `.outputIsInput` where both are the same,
    ///   `.unwritable` where `excluded` is no folder.
    public static func files(below folder: String, except excluded: String) throws -> (files: [String], unreadable: [String]) {
        let root = URL(fileURLWithPath: folder, isDirectory: true).resolvingSymlinksInPath()
        let target = URL(fileURLWithPath: excluded, isDirectory: true).resolvingSymlinksInPath()
        guard root.path != target.path else {
            throw MediaError(.outputIsInput, "\(folder) is both the input and the output", remedy: "name another output folder")
        }
        guard isFolder(excluded) || !FileManager.default.fileExists(atPath: excluded) else {
            throw MediaError(.unwritable, "\(excluded) is a file, and the output of a folder is a folder", remedy: "name another output folder")
        }
        guard FileManager.default.isReadableFile(atPath: root.path) else {
            throw MediaError(.unreadable, "the folder \(folder) cannot be read", remedy: "check its permissions")
        }
        var unreadable: [String] = []
        guard let walk = FileManager.default.enumerator(
            at: root, includingPropertiesForKeys: [.isRegularFileKey, .isDirectoryKey], options: [.skipsHiddenFiles],
            errorHandler: { place, _ in
                unreadable.append(String(place.path.dropFirst(root.path.count + 1)))
                return true
            })
        else { throw MediaError(.unreadable, "the folder \(folder) cannot be read") }
        var found: [String] = []
        for case let file as URL in walk {
            if file.resolvingSymlinksInPath().path == target.path {
                walk.skipDescendants()
                continue
            }
            guard extensions.contains(file.pathExtension.lowercased()),
                // A link to a file counts as the file; a link to a folder is not followed, so that there are no circles.
                (try? file.resolvingSymlinksInPath().resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile == true
            else { continue }
            found.append(String(file.path.dropFirst(root.path.count + 1)))
        }
        return (found.sorted(), unreadable.sorted())
    }

    /// Makes the folder that `path` lies in, and those above it. Throws `MediaError` `.unwritable`.
    public static func makeParent(of path: String) throws {
        let parent = (path as NSString).deletingLastPathComponent
        do {
            try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        } catch {
            throw MediaError(.unwritable, "the folder \(parent) cannot be made", cause: String(cString: strerror(errno)))
        }
    }
}
