internal import Foundation
internal import GRDB

/// Changes of jobs within one transaction.
struct StoreChanges {
    let db: Database
    let policy: RetryPolicy
    let now: Date

    /// Applies the event, and what it means beyond the job itself.
    func apply(_ event: JobEvent, to before: Job) throws -> Job {
        var job = before
        switch event {
        case .died(let death) where death.isOfContent && before.state.isActive:
            try step(event, &job, deaths: try countDeath(of: content(of: before)))
        case .hashed(let hash):
            try step(event, &job, deaths: try deaths(of: hash))
            if job.state.isActive, before.identity.contentHash != hash, let twin = try twinOf(job) {
                let words = twin.state == .done ? "has the same content" : "is at the same content"
                try step(.held(.twin, "job \(twin.id) \(words)", until: nil), &job)
            }
        case .request(.retry):
            try step(event, &job)
            try forgive(content(of: job))
        default:
            try step(event, &job)
        }
        if job != before { try JobRow.update(job, db) }
        return job
    }

    /// A user's request; a job whose owner has died is not waited for.
    func request(_ request: JobRequest, _ job: Job) throws -> Job {
        var job = job
        if job.state.isActive, job.owner?.isAlive != true {
            job = try apply(.interrupted(safe: nil), to: job)
            // It was asked for before, and the owner did not live to do it.
            if request == .cancel, job.state == .cancelled { return job }
            if request == .pause, job.hold == .user { return job }
        }
        return try apply(.request(request), to: job)
    }

    private func step(_ event: JobEvent, _ job: inout Job, deaths: Int = 0) throws(JobError) {
        try JobMachine.apply(event, to: &job, now: now, policy: policy, deathsOfContent: deaths)
    }

    // MARK: content

    /// Under which name deaths of the job's content are counted: one that nobody has read yet stands for itself.
    func content(of job: Job) -> String { job.identity.contentHash ?? "job \(job.id)" }

    func deaths(of content: String) throws -> Int {
        try Int.fetchOne(db, sql: "SELECT deaths FROM deadly_content WHERE content = ?", arguments: [content]) ?? 0
    }

    private func countDeath(of content: String) throws -> Int {
        try db.execute(
            sql: """
                INSERT INTO deadly_content (content, deaths, last_death) VALUES (?1, 1, ?2)
                ON CONFLICT (content) DO UPDATE SET deaths = deaths + 1, last_death = ?2
                """, arguments: [content, now.timeIntervalSince1970])
        return try deaths(of: content)
    }

    private func forgive(_ content: String) throws {
        try db.execute(sql: "DELETE FROM deadly_content WHERE content = ?", arguments: [content])
    }

    /// The job that has done, or is doing, the same; a result comes before work in progress.
    private func twinOf(_ job: Job) throws -> Job? { try Self.twin(of: job, db) ?? Self.atWork(like: job, db) }

    /// A result in the job's own place is none: the worker recognises it by itself.
    static func twin(of job: Job, _ db: Database) throws -> Job? {
        guard let hash = job.identity.contentHash else { return nil }
        return try JobRow.fetch(
            where: """
                content_hash = ? AND settings_identity = ? AND state = 'done' AND id <> ? AND target <> ?
                ORDER BY replaced_by IS NOT NULL, id DESC LIMIT 1
                """, [hash, job.settings.identity, job.id, Data(job.target.bytes)], db
        ).first
    }

    static func atWork(like job: Job, _ db: Database) throws -> Job? {
        guard let hash = job.identity.contentHash else { return nil }
        return try JobRow.fetch(
            where: "content_hash = ? AND settings_identity = ? AND state IN ('probing', 'running', 'verifying') AND id <> ? LIMIT 1",
            [hash, job.settings.identity, job.id], db
        ).first
    }
}
