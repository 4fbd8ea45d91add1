internal import Foundation
public import SystemPackage
internal import GRDB

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
                where: "(?1 IS NULL OR folder = ?1) AND (?2 IS NULL OR id < ?2)\(states ?? "") ORDER BY id DESC LIMIT ?3", [folder, before, max(0, limit)], db)
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

    /// Jobs that wait for `hold`, those of the smallest files first.
    /// - Parameter folder: nil for any.
    public func held(_ hold: JobHold, folder: String? = nil, limit: Int = .max) throws(JobError) -> [Job] {
        try read { db in
            try JobRow.fetch(
                where: "state = 'queued' AND hold = ?1 AND (?2 IS NULL OR folder = ?2) ORDER BY size, id LIMIT ?3", [hold.rawValue, folder, max(0, limit)], db)
        }
    }

    /// How many jobs there are in each state, also where there are none.
    public func counts(folder: String? = nil) throws(JobError) -> [JobState: Int] {
        try read { db in
            var counts = Dictionary(uniqueKeysWithValues: JobState.allCases.map { ($0, 0) })
            let rows = try Row.fetchCursor(
                db, sql: "SELECT state, COUNT(*) FROM job WHERE (?1 IS NULL OR folder = ?1) GROUP BY state",
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
}
