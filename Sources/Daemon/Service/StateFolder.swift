internal import Foundation
internal import Glibc
internal import SystemPackage

/// The folder that holds the database and the work that is in progress, and belongs to one daemon at a time.
final class StateFolder {
    let databasePath: String
    /// Names this daemon's hidden folders for as long as the state folder lives, so that others that write into the same
    /// folders leave them alone.
    let token: String
    private let lock: FileDescriptor
    /// The work folder may be another one than that of the state.
    private let workLock: FileDescriptor?

    /// Makes the folders where they are missing, and locks the state folder until this object goes.
    ///
    /// Throws `ServiceError` where they cannot be used, or another daemon uses them.
    init(_ configuration: Configuration) throws {
        for path in [configuration.state, configuration.work, configuration.jobsFolder] {
            do {
                try FileManager.default.createDirectory(
                    atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
                Folders.synchronize(FilePath(path).removingLastComponent())
            } catch {
                throw ServiceError(
                    .stateUnavailable, "the folder \(path) cannot be made", remedy: "give another one as 'state' or 'work'",
                    cause: error.localizedDescription)
            }
        }
        databasePath = configuration.state + "/jobs.sqlite"
        do {
            lock = try FileDescriptor.open(
                configuration.state + "/lock", .readWrite, options: [.create, .closeOnExec], permissions: [.ownerReadWrite])
        } catch {
            throw ServiceError(
                .stateUnavailable, "the folder \(configuration.state) cannot be written", remedy: "check its owner and permissions", cause: "\(error)")
        }
        guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            throw ServiceError(
                .alreadyRunning, "another daemon uses \(configuration.state)",
                remedy: "stop it first, or give this one a 'state' folder of its own")
        }
        workLock = try? FileDescriptor.open(
            configuration.jobsFolder + "/lock", .readWrite, options: [.create, .closeOnExec], permissions: [.ownerReadWrite])
        guard let workLock, flock(workLock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            throw ServiceError(
                .alreadyRunning, "another daemon works in \(configuration.work)", remedy: "give this one a 'work' folder of its own")
        }
        token = try Self.token(lock)
    }

    /// What the lock file holds; a new one is given a random word.
    private static func token(_ file: FileDescriptor) throws -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = try bytes.withUnsafeMutableBytes { try file.read(fromAbsoluteOffset: 0, into: $0) }
        let known = String(decoding: bytes[..<count], as: UTF8.self)
        if known.utf8.count == 8, UInt32(known, radix: 16) != nil { return known }
        let text = String(UInt32.random(in: .min ... .max), radix: 16)
        let token = String(repeating: "0", count: 8 - text.count) + text
        try file.writeAll(toAbsoluteOffset: 0, token.utf8)
        return token
    }

    deinit {
        try? workLock?.close()
        try? lock.close()
    }
}
