internal import Foundation
internal import GRDB

/// Opens the database of a store, brings it up to date, and moves a damaged one aside.
struct StoreOpening {
    let path: String
    let access: JobStore.Access

    struct Opened {
        var pool: DatabasePool
        /// Nil where a reader may not open the file of locks.
        var lock: StoreLock?
        /// Inode and device of the database file.
        var file: FileIdentity
        var notices: [String]
    }

    /// Seconds that SQLite waits for another process's transaction.
    private static let patience: Double = 10

    func open() throws(JobError) -> Opened {
        guard access == .create || FileManager.default.fileExists(atPath: path) else {
            throw JobError(.noDatabase, "there is no job database '\(path)'", remedy: "give --state-folder, or start 'solstice serve'")
        }
        guard access != .read else { return try openForReading() }
        let lock = try StoreLock(path: path + ".lock", database: path, readOnly: false)
        guard lock.beginOpening(patience: Self.patience) else {
            throw JobError(.databaseUnavailable, "another process does not get done with opening the job database '\(path)'")
        }
        defer { lock.endOpening() }
        var notices: [String] = []
        var pool: DatabasePool
        do {
            pool = try prepared()
        } catch where error.code == .databaseDamaged && access == .create {
            notices.append(try moveAside(error, lock))
            pool = try prepared()
        }
        guard lock.share() else { throw JobError(.databaseUnavailable, "another process is repairing the job database '\(path)'") }
        return Opened(pool: pool, lock: lock, file: try FileIdentity(path), notices: notices)
    }

    private func openForReading() throws(JobError) -> Opened {
        // One that may not be opened is of another user's daemon, which does not move its database away while it uses it.
        let lock = try? StoreLock(path: path + ".lock", database: path, readOnly: true)
        _ = lock?.share()
        do {
            let pool = try DatabasePool(path: path, configuration: configuration)
            try pool.read { db in
                if try StoreSchema.migrator.hasBeenSuperseded(db) { throw newer }
                if try !StoreSchema.migrator.hasCompletedMigrations(db) {
                    throw JobError(
                        .databaseUnavailable, "an older solstice has written the job database '\(path)'",
                        remedy: "start 'solstice serve', which brings it up to date")
                }
            }
            return Opened(pool: pool, lock: lock, file: try FileIdentity(path), notices: [])
        } catch {
            throw JobError.of(error, path: path)
        }
    }

    /// An open database with the tables of this version.
    private func prepared() throws(JobError) -> DatabasePool {
        do {
            let pool = try DatabasePool(path: path, configuration: configuration)
            do {
                try pool.writeWithoutTransaction { db in
                    // GRDB chooses NORMAL for WAL, with which a power cut loses transactions; no 'done' may be lost.
                    try db.execute(sql: "PRAGMA synchronous = FULL")
                    if try StoreSchema.migrator.hasBeenSuperseded(db) { throw newer }
                    let verdict = try String.fetchAll(db, sql: "PRAGMA quick_check(1)")
                    if verdict != ["ok"] { throw JobError.damaged(path, cause: verdict.first ?? "no verdict") }
                }
                try StoreSchema.migrator.migrate(pool)
                try pool.read { db in _ = try JobRow.fetch(where: "1 LIMIT 1", [], db) }
            } catch {
                try? pool.close()
                throw error
            }
            return pool
        } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR {
            // The file is sound, but its tables are not those of any version.
            throw JobError.damaged(path, cause: error.message ?? "strange tables")
        } catch {
            throw JobError.of(error, path: path)
        }
    }

    private var newer: JobError {
        JobError(.newerVersion, "a newer solstice has written the job database '\(path)'", remedy: "use that version, or another state folder")
    }

    private var configuration: Configuration {
        var configuration = Configuration()
        configuration.readonly = access == .read
        configuration.busyMode = .timeout(Self.patience)
        configuration.maximumReaderCount = 4
        configuration.label = "jobs"
        return configuration
    }

    /// Gives the database's files other names, so that a new one can be begun. Nothing is deleted.
    /// - Returns: the line that tells of it.
    private func moveAside(_ damage: JobError, _ lock: StoreLock) throws(JobError) -> String {
        guard lock.isolate() else { throw JobError(.databaseDamaged, damage.message, remedy: "end the other processes that use it", cause: damage.cause) }
        var number = 1
        while FileManager.default.fileExists(atPath: "\(path).damaged-\(number)") { number += 1 }
        let aside = "\(path).damaged-\(number)"
        // The log goes first: a database that is left without its log is one, a log without its database would be taken for the next one's.
        for ending in ["-wal", "-shm", ""] where rename(path + ending, aside + ending) != 0 && errno != ENOENT {
            throw JobError(fileError: errno, "cannot move the damaged job database '\(path)' aside")
        }
        return "the job database was damaged (\(damage.cause ?? damage.message)): it is now '\(aside)', and a new one is begun; "
            + "results that are there already are recognised"
    }
}

/// Which file stands at a path.
struct FileIdentity: Equatable, Sendable {
    private let device: UInt64
    private let inode: UInt64

    init(_ path: String) throws(JobError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw JobError(fileError: errno, "the job database '\(path)' is not there any more") }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }
}
