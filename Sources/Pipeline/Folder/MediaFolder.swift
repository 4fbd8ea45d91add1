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

    /// The media files below `folder`, as paths relative to it, sorted; hidden files and everything below the folders
    /// `outputs` are left out. `unreadable` are the folders that could not be listed.
    ///
    /// - Throws: `MediaError` `.unreadable` where the folder cannot be listed, `.outputIsInput` where it is an output too,
    ///   `.unwritable` where an output is no folder, `.outputExists` where one lies in another.
    public static func files(below folder: String, except outputs: [String]) throws -> (files: [String], unreadable: [String]) {
        let root = resolved(folder)
        let targets = outputs.map(resolved)
        for (output, target) in zip(outputs, targets) {
            guard root.path != target.path else {
                throw MediaError(.outputIsInput, "\(output) is both the input and the output", remedy: "name another output folder")
            }
            guard isFolder(output) || !FileManager.default.fileExists(atPath: output) else {
                throw MediaError(.unwritable, "\(output) is a file, and the output of a folder is a folder", remedy: "name another output folder")
            }
        }
        try checkApart(outputs)
        guard FileManager.default.isReadableFile(atPath: root.path) else {
            throw MediaError(.unreadable, "the folder \(folder) cannot be read", remedy: "check its permissions")
        }
        var unreadable: [String] = []
        guard let walk = FileManager.default.enumerator(
            at: root, includingPropertiesForKeys: [.isRegularFileKey, .isDirectoryKey], options: [.skipsHiddenFiles],
            errorHandler: { place, _ in
                unreadable.append(relative(place, to: root))
                return true
            })
        else { throw MediaError(.unreadable, "the folder \(folder) cannot be read") }
        var found: [String] = []
        for case let file as URL in walk {
            if targets.contains(where: { file.resolvingSymlinksInPath().path == $0.path }) {
                walk.skipDescendants()
                continue
            }
            guard extensions.contains(file.pathExtension.lowercased()),
                // A link to a file counts as the file; a link to a folder is not followed, so that there are no circles.
                (try? file.resolvingSymlinksInPath().resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile == true
            else { continue }
            found.append(relative(file, to: root))
        }
        return (found.sorted(), unreadable.sorted())
    }

    /// The part of a path below `root`, by bytes: a name that begins with a combining character makes one `Character` with the
    /// slash before it.
    private static func relative(_ file: URL, to root: URL) -> String {
        let base = root.path
        return String(Substring(file.path.utf8.dropFirst(base.utf8.count + (base.hasSuffix("/") ? 0 : 1))))
    }

    private static func resolved(_ folder: String) -> URL {
        URL(fileURLWithPath: folder, isDirectory: true).resolvingSymlinksInPath()
    }

    /// Throws where two outputs are one folder, or one lies in another: files of one name would then meet.
    private static func checkApart(_ outputs: [String]) throws {
        try OutputPlace.checkDistinct(outputs.map { $0.hasSuffix("/") && $0.count > 1 ? String($0.dropLast()) : $0 })
        for (place, inner) in outputs.enumerated() {
            for (other, outer) in outputs.enumerated() where other != place {
                guard !(resolved(inner).path + "/").hasPrefix(resolved(outer).path + "/") else {
                    throw MediaError(
                        .outputExists, "the output folder \(inner) lies in the output folder \(outer)",
                        remedy: "give each a place of its own")
                }
            }
        }
    }

    /// Makes the folder that `path` lies in, and those above it. Throws `MediaError` `.unwritable`.
    public static func makeParent(of path: String) throws {
        // By bytes, too.
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash > path.startIndex else { return }
        let parent = String(path[..<slash])
        do {
            try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        } catch {
            throw MediaError(.unwritable, "the folder \(parent) cannot be made", cause: String(cString: strerror(errno)))
        }
    }
}
