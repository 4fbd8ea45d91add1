public import Foundation
public import SystemPackage
internal import GRDB

/// What a folder's configuration makes of one of its files.
public struct JobPlan: Sendable, Equatable {
    public var target: FilePath
    public var settings: JobSettings

    public init(target: FilePath, settings: JobSettings) {
        self.target = target
        self.settings = settings
    }
}

extension JobStore {
    /// Gives the jobs of a folder that wait what its configuration says now, in one transaction.
    /// - Parameter plan: nil where the file is none of the folder's: its job is cancelled until the file is offered again. It is
    ///   asked from within the store, so it must not call it, and may be asked twice for the same job.
    /// - Returns: the jobs that this changed, as they were before.
    public func replan(folder: String, now: Date = Date(), _ plan: (Job) -> JobPlan?) throws(JobError) -> [Job] {
        func changed(_ db: Database) throws -> [(job: Job, plan: JobPlan?)] {
            try JobRow.fetch(where: "folder = ? AND state = 'queued'", [folder], db).map { ($0, plan($0)) }
                .filter { job, plan in plan != JobPlan(target: job.target, settings: job.settings) }
        }
        // Nearly every start finds nothing to change: that should not wait for anybody.
        if try read({ try changed($0).isEmpty }) { return [] }
        return try write { db in
            let changes = StoreChanges(db: db, policy: self.policy, now: now)
            return try changed(db).map { before, plan in
                guard let plan else {
                    _ = try changes.apply(.sourceVanished, to: before)
                    return before
                }
                var job = before
                (job.target, job.settings) = (plan.target, plan.settings)
                try JobRow.update(job, db)
                return before
            }
        }
    }
}
