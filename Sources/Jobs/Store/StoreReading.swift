public import Foundation
public import SystemPackage
internal import GRDB

/// What all results together were.
public struct JobTotals: Sendable, Equatable {
    public var jobs: Int
    public var frames: Int
    public var bytes: Int64
    /// Seconds that workers were busy.
    public var busySeconds: Double
}

/// What was finished in a span of time.
public struct HistoryPoint: Sendable, Equatable {
    public var start: Date
    public var jobs: Int
    public var frames: Int
    public var busySeconds: Double
}

extension JobStore {
    /// Newest first.
    /// - Parameters:
    ///   - state: nil for any.
    ///   - before: only jobs with a lower number.
    public func jobs(
        state: Set<JobState>? = nil, folder: String? = nil, before: Int64? = nil, limit: Int = .max
    ) throws(JobError) -> [Job] {
        let states = state.map { states in
            " AND state IN (" + JobState.allCases.filter(states.contains).map { "'\($0.rawValue)'" }.joined(separator: ", ") + ")"
        }
        return try read { db in
            try JobRow.fetch(
                where: """
                    is_forgotten = 0 AND (?1 IS NULL OR folder = ?1) AND (?2 IS NULL OR id < ?2)\(states ?? "") ORDER BY id DESC LIMIT ?3
                    """, [folder, before, max(0, limit)], db)
        }
    }

    /// Nil where there is none.
    public func job(_ id: Int64) throws(JobError) -> Job? { try read { db in try JobRow.fetch(id, db) } }

    /// The job that stands for a file; nil where there is none.
    public func job(folder: String, relativePath: FilePath) throws(JobError) -> Job? {
        try read { db in
            try JobRow.fetch(where: "folder = ? AND relative_path = ? AND replaced_by IS NULL", [folder, Data(relativePath.bytes)], db).first
        }
    }

    /// Jobs that wait for `hold`, the oldest first.
    /// - Parameter folder: nil for any.
    public func held(_ hold: JobHold, folder: String? = nil, limit: Int = .max) throws(JobError) -> [Job] {
        try read { db in
            try JobRow.fetch(
                where: "state = 'queued' AND hold = ?1 AND (?2 IS NULL OR folder = ?2) ORDER BY id LIMIT ?3", [hold.rawValue, folder, max(0, limit)], db)
        }
    }

    /// How many jobs there are in each state, also where there are none.
    public func counts(folder: String? = nil) throws(JobError) -> [JobState: Int] {
        try read { db in
            var counts = Dictionary(uniqueKeysWithValues: JobState.allCases.map { ($0, 0) })
            let rows = try Row.fetchCursor(
                db, sql: "SELECT state, COUNT(*) FROM job WHERE is_forgotten = 0 AND (?1 IS NULL OR folder = ?1) GROUP BY state",
                arguments: [folder])
            while let row = try rows.next() {
                if let state = JobState(rawValue: try row.decode(atIndex: 0)) { counts[state] = try row.decode(atIndex: 1) }
            }
            return counts
        }
    }

    /// A job that is done with the same content and the same settings as `job`, whose result can be copied: not the one in the job's own
    /// place. Nil where there is none, or where the job's content is not known yet.
    public func twin(of job: Job) throws(JobError) -> Job? { try read { db in try StoreChanges.twin(of: job, db) } }

    /// Workers have died of this content so often that it is not tried again.
    public func isQuarantined(contentHash: String) throws(JobError) -> Bool {
        try read { db in
            try StoreChanges(db: db, policy: self.policy, now: Date()).deaths(of: contentHash) >= self.policy.deathsOfContent
        }
    }

    /// Numbers of the jobs that wait or are at work: whose work folders are still wanted.
    public func unfinished() throws(JobError) -> Set<Int64> {
        try read { db in
            try Int64.fetchSet(db, sql: "SELECT id FROM job WHERE state IN ('queued', 'probing', 'running', 'verifying')")
        }
    }

    /// Of all jobs that are done, also of those that `forget` has hidden.
    public func totals() throws(JobError) -> JobTotals {
        try read { db in
            let row = try Row.fetchOne(
                db, sql: "SELECT COUNT(*), TOTAL(frames_done), TOTAL(output_bytes), TOTAL(busy_seconds) FROM job WHERE state = 'done'")
            guard let row else { return JobTotals(jobs: 0, frames: 0, bytes: 0, busySeconds: 0) }
            let frames: Double = try row.decode(atIndex: 1), bytes: Double = try row.decode(atIndex: 2)
            return JobTotals(
                jobs: try row.decode(atIndex: 0), frames: Int(frames), bytes: Int64(bytes), busySeconds: try row.decode(atIndex: 3))
        }
    }

    /// What was finished since a moment, in spans of `seconds`, oldest first; spans in which nothing was are left out.
    public func history(since: Date, every seconds: Int) throws(JobError) -> [HistoryPoint] {
        try read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT CAST(finished / ?1 AS INTEGER) * ?1 AS span, COUNT(*), SUM(frames_done), SUM(busy_seconds) FROM job
                    WHERE finished >= ?2 AND state = 'done' GROUP BY span ORDER BY span
                    """, arguments: [max(1, seconds), since.timeIntervalSince1970])
            return try rows.map { row in
                HistoryPoint(
                    start: Date(timeIntervalSince1970: try row.decode(atIndex: 0)), jobs: try row.decode(atIndex: 1),
                    frames: try row.decode(atIndex: 2), busySeconds: try row.decode(atIndex: 3))
            }
        }
    }

    /// Takes jobs that were done before a moment out of the lists. What they were made of is kept, so that nothing is done twice;
    /// finished jobs whose file has changed since are deleted.
    /// - Returns: how many it were.
    @discardableResult
    public func forget(finishedBefore moment: Date) throws(JobError) -> Int {
        try write { db in
            let time = moment.timeIntervalSince1970
            try db.execute(
                sql: "DELETE FROM job WHERE finished < ? AND replaced_by IS NOT NULL AND state IN ('done', 'failed', 'cancelled')", arguments: [time])
            let deleted = db.changesCount
            try db.execute(
                sql: "UPDATE job SET is_forgotten = 1, notices = x'' WHERE finished < ? AND state = 'done' AND is_forgotten = 0",
                arguments: [time])
            return deleted + db.changesCount
        }
    }
}
