public import Foundation
internal import GRDB
internal import Synchronization

/// The jobs of one daemon, in an SQLite database on a local disk. A change that returned has reached the disk.
///
/// Several stores, in one process or in many, may have the same database open. All calls are synchronous and may wait for the disk and
/// for other processes (up to 10 s); they may come from any thread at once, but not from within one another's closures.
public final class JobStore: Sendable {
    public enum Access: Sendable {
        /// For a daemon: a missing database is made, a damaged one moved aside.
        case create
        /// For others that change jobs: a missing or damaged database is an error.
        case change
        case read
    }

    public let path: String
    /// What the user should know of the opening: a damaged database was moved aside.
    public let notices: [String]
    let policy: RetryPolicy

    private let pool: DatabasePool
    private let lock: StoreLock?
    private let file: FileIdentity
    private let ownChanges = Atomic<Int64>(0)

    /// Name of the database in a state folder.
    public static let fileName = "jobs.sqlite"

    /// - Parameter path: of the database file; its folder must be there.
    /// - Throws: `.databaseUnavailable`, `.databaseDamaged`, `.newerVersion`, `.diskFull`.
    public init(path: String, access: Access = .create, policy: RetryPolicy = RetryPolicy()) throws(JobError) {
        let opened = try StoreOpening(path: path, access: access).open()
        self.path = path
        self.policy = policy
        (pool, lock, file, notices) = (opened.pool, opened.lock, opened.file, opened.notices)
    }

    // MARK: single jobs

    /// Applies an event to a job, on the disk when this returns.
    ///
    /// Two of them have further effects: `died` counts against the job's content, and a first `hashed` holds the job back as a `.twin` where
    /// the same content was or is being converted with the same settings. The caller looks at the returned job: where it is not active any
    /// more, its worker is to be ended.
    /// - Parameter owner: where given, the job must be this process's, so that a late word of a worker does not reach another one's job.
    /// - Throws: `.noSuchJob`, `.notPossible` where the job is not in a state for it, and the database's errors.
    @discardableResult
    public func apply(_ event: JobEvent, to id: Int64, now: Date = Date(), owner: ProcessIdentity? = nil) throws(JobError) -> Job {
        try write { db in
            let before = try Self.existing(id, db)
            if let owner, before.owner != owner {
                throw JobError(.notPossible, "job \(id) is \(before.state.rawValue): this process is not at it")
            }
            return try StoreChanges(db: db, policy: self.policy, now: now).apply(event, to: before)
        }
    }

    /// Does at once what a user asks where no living process is at the job, else leaves it for the owner to see.
    /// - Throws: as `apply`.
    @discardableResult
    public func request(_ request: JobRequest, job id: Int64, now: Date = Date()) throws(JobError) -> Job {
        try write { db in
            try StoreChanges(db: db, policy: self.policy, now: now).request(request, try Self.existing(id, db))
        }
    }

    /// Asks the same of all jobs that are in a state for it: `retry` of those that failed or wait for their next attempt, `cancel` and
    /// `pause` of those that wait or are at work, `resume` of the paused ones.
    /// - Returns: the jobs that it changed.
    public func requestAll(_ request: JobRequest, folder: String? = nil, now: Date = Date()) throws(JobError) -> [Job] {
        try write { db in
            let changes = StoreChanges(db: db, policy: self.policy, now: now)
            return try JobRow.fetch(where: Self.condition(of: request) + " AND (?1 IS NULL OR folder = ?1)", [folder], db).map { job in
                try changes.request(request, job)
            }
        }
    }

    private static func condition(of request: JobRequest) -> String {
        let active = "state IN ('probing', 'running', 'verifying')"
        switch request {
        case .cancel: return "(state = 'queued' OR \(active) AND request IS NOT 'cancel')"
        case .pause: return "(state = 'queued' AND hold IS NOT 'user' OR \(active) AND request IS NULL)"
        case .resume: return "(state = 'queued' AND hold = 'user' OR \(active) AND request = 'pause')"
        case .retry: return "(state = 'failed' AND replaced_by IS NULL OR state = 'queued' AND hold = 'retry')"
        }
    }

    // MARK: the database

    /// Changes whenever a transaction was committed: by this store, or by another one, in this process or elsewhere.
    public struct Version: Sendable, Equatable {
        public var own: Int64
        public var others: Int64
    }

    /// Costs microseconds: meant to be asked often.
    /// - Throws: `.databaseUnavailable` where the file was removed or replaced.
    public func dataVersion() throws(JobError) -> Version {
        guard try FileIdentity(path) == file else {
            throw JobError(.databaseUnavailable, "the job database '\(path)' was replaced while it was in use", remedy: "start the daemon again")
        }
        do {
            // The writer's own connection, always the same one: the numbers of two connections cannot be compared.
            let others = try pool.writeWithoutTransaction { db in try Int64.fetchOne(db, sql: "PRAGMA data_version") ?? 0 }
            return Version(own: ownChanges.load(ordering: .relaxed), others: others)
        } catch {
            throw JobError.of(error, path: path)
        }
    }

    /// One transaction, which is on the disk when this returns.
    func write<Result>(_ body: (Database) throws -> Result) throws(JobError) -> Result {
        do {
            return try pool.write { db in
                let before = db.totalChangesCount
                let result = try body(db)
                if db.totalChangesCount != before { ownChanges.wrappingAdd(1, ordering: .relaxed) }
                return result
            }
        } catch {
            throw JobError.of(error, path: path)
        }
    }

    /// A view of the database at one moment.
    func read<Result>(_ body: (Database) throws -> Result) throws(JobError) -> Result {
        do { return try pool.read(body) } catch { throw JobError.of(error, path: path) }
    }

    private static func existing(_ id: Int64, _ db: Database) throws -> Job {
        if let job = try JobRow.fetch(id, db) { return job }
        throw JobError.noSuchJob(id)
    }
}
