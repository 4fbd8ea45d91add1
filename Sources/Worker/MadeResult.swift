internal import Foundation
internal import SystemPackage

/// What is known of a result in the hidden folder: so that a worker after this one need not make or check it again.
struct MadeResult: Codable, Equatable {
    /// Content and settings.
    var key: String
    var frames: Int
    var bytes: Int64
    /// Of the result, to recognise it by.
    var modified: Int64
    /// Names in the hidden folder, the result first.
    var files: [String]
    /// Packets from which on the video decodes by itself.
    var runStarts: [Int]
    /// Runs that have been decoded without a fault.
    var runsChecked = 0
    /// All is checked: what is left to do is to give the files their names.
    var isVerified = false
    /// An older result of this folder stands in the place.
    var replaces = false
    var notices: [String]
    var isCopy = false

    private static func path(_ folder: String) -> FilePath { FilePath(folder).appending("result.json") }

    /// Nil where there is none for `key`. Throws `.unreadable` where that cannot be told: half of it may be in place already.
    static func load(from folder: String, key: String) throws(WorkerError) -> MadeResult? {
        guard let bytes = try WorkFiles.read(path(folder)), let made = try? JSONDecoder().decode(MadeResult.self, from: Data(bytes)),
            made.key == key
        else { return nil }
        return made
    }

    /// Throws `.diskFull`, `.unwritable`.
    func save(in folder: String) throws(WorkerError) {
        // Numbers and texts always encode.
        guard let data = try? JSONEncoder().encode(self) else { return }
        try WorkFiles.write(Array(data), to: Self.path(folder))
    }

    static func forget(in folder: String) { WorkFiles.remove(path(folder)) }

    /// True while the file it speaks of is as it was.
    func isStill(_ result: FilePath) -> Bool {
        guard let status = try? WorkFiles.status(result) else { return false }
        return status.size == bytes && status.modified == modified
    }
}
