public import Foundation
internal import GRDB
public import SystemPackage

/// A file that a watcher found, and what is to become of it.
public struct JobCandidate: Sendable {
    public var folder: String
    public var relativePath: FilePath
    public var source: FilePath
    public var target: FilePath
    /// Without the content's hash.
    public var identity: SourceIdentity
    public var settings: JobSettings

    public init(folder: String, relativePath: FilePath, source: FilePath, target: FilePath, identity: SourceIdentity, settings: JobSettings) {
        self.folder = folder
        self.relativePath = relativePath
        self.source = source
        self.target = target
        self.identity = identity
        self.settings = settings
    }
}

/// What the store made of a file.
public enum Offer: Sendable, Equatable {
    /// There was no job for it, or its file was gone for a while: it is queued.
    case new(Job)
    /// There is a job for this very file, in whatever state.
    case known(Job)
    /// The file is another one than its job was made for. The job in here is queued; `replaced`, where an earlier one was tried or done,
    /// is cancelled, or asked to end, or stays done.
    case changed(Job, replaced: Int64?)

    public var job: Job {
        switch self {
        case .new(let job), .known(let job), .changed(let job, _): job
        }
    }
}

extension JobStore {
    /// Makes jobs of files, in one transaction; files that are known change nothing.
    ///
    /// A job that waits takes over a changed place and changed settings. One that is done stays so when only its settings have changed
    /// since: nothing that was delivered is replaced unasked; where its result would now be elsewhere, a new job takes its place. One
    /// that failed is tried again with the new settings.
    public func offer(_ candidates: [JobCandidate], now: Date = Date()) throws(JobError) -> [Offer] {
        // Nearly every scan finds nothing new: that should not wait for anybody.
        let seen = try read { db in try candidates.map { try StoreOffer(db: db, candidate: $0).known() } }
        let known = seen.compactMap { $0.map(Offer.known) }
        if known.count == candidates.count { return known }
        return try write { db in
            let changes = StoreChanges(db: db, policy: self.policy, now: now)
            return try candidates.map { try StoreOffer(db: db, candidate: $0).take(changes) }
        }
    }

    /// As `offer` of one file.
    public func offer(
        folder: String, relativePath: FilePath, source: FilePath, target: FilePath, identity: SourceIdentity, settings: JobSettings,
        now: Date = Date()
    ) throws(JobError) -> Offer {
        let candidate = JobCandidate(
            folder: folder, relativePath: relativePath, source: source, target: target, identity: identity, settings: settings)
        return try offer([candidate], now: now)[0]
    }

    /// Gives the next job to `owner`: the oldest that is due, those that have failed before behind all others. None whose target, or whose
    /// content with the same settings, another job is at. Jobs whose content is in quarantine fail on the way.
    /// - Parameter eligible: further conditions; it is asked from within the store, so it must not call it, and may be asked again for the same job.
    public func claim(owner: ProcessIdentity, now: Date = Date(), eligible: (Job) -> Bool = { _ in true }) throws(JobError) -> Job? {
        // Looking through a long queue keeps nobody from writing; what it finds may be taken by then, and it looks again.
        while true {
            let (found, quarantined) = try read { db in
                try self.next(StoreChanges(db: db, policy: self.policy, now: now), eligible)
            }
            if found == nil, quarantined.isEmpty { return nil }
            let claimed = try write { db in
                let changes = StoreChanges(db: db, policy: self.policy, now: now)
                for id in quarantined { if let job = try self.ifDue(id, changes) { _ = try changes.apply(.quarantined, to: job) } }
                return try found.flatMap { try self.ifDue($0, changes) }.map { try changes.apply(.claimed(owner), to: $0) }
            }
            if claimed != nil || found == nil { return claimed }
        }
    }

    /// Numbers of the first job to do, and of those before it whose content is in quarantine.
    private func next(_ changes: StoreChanges, _ eligible: (Job) -> Bool) throws -> (found: Int64?, quarantined: [Int64]) {
        var quarantined: [Int64] = []
        let found = try JobRow.first(where: Self.due + Self.order, times(changes.now), changes.db) { job in
            guard try isQuarantined(job, changes) else { return eligible(job) }
            quarantined.append(job.id)
            return false
        }
        return (found?.id, quarantined)
    }

    private func isQuarantined(_ job: Job, _ changes: StoreChanges) throws -> Bool {
        guard let hash = job.identity.contentHash else { return false }
        return try changes.deaths(of: hash) >= policy.deathsOfContent
    }

    private func ifDue(_ id: Int64, _ changes: StoreChanges) throws -> Job? {
        try JobRow.fetch(where: Self.due + " AND id = ?3", times(changes.now) + [id], changes.db).first
    }

    private func times(_ now: Date) -> StatementArguments {
        [now.timeIntervalSince1970, now.timeIntervalSince1970 + policy.longestPause]
    }

    private static let due = """
        state = 'queued' AND (hold IS NULL OR hold IN ('retry', 'lease', 'twin'))
        AND (not_before IS NULL OR not_before <= ?1 OR not_before > ?2)
        AND NOT EXISTS (
            SELECT 1 FROM job AS other WHERE other.target = job.target AND other.state IN ('probing', 'running', 'verifying'))
        AND (content_hash IS NULL OR NOT EXISTS (
            SELECT 1 FROM job AS other WHERE other.content_hash = job.content_hash AND other.settings_identity = job.settings_identity
            AND other.state IN ('probing', 'running', 'verifying')))
        """
    private static let order = " ORDER BY failed_attempts > 0, COALESCE(not_before, created), id"

    /// Puts jobs whose owner is dead back into the queue at once; it counts nothing against them.
    /// - Returns: the jobs, as they are now.
    public func takeOver(owner: ProcessIdentity, now: Date = Date()) throws(JobError) -> [Job] {
        func orphans(_ db: Database) throws -> [Job] {
            try JobRow.fetch(where: "state IN ('probing', 'running', 'verifying')", [], db).filter { $0.owner != owner && $0.owner?.isAlive != true }
        }
        if try read(orphans).isEmpty { return [] }
        return try write { db in
            let changes = StoreChanges(db: db, policy: self.policy, now: now)
            return try orphans(db).map { try changes.apply(.interrupted(safe: nil), to: $0) }
        }
    }

    /// Holds back all jobs that wait, of one folder or of all; those that the user has paused stay so.
    /// - Returns: the jobs that this changed.
    @discardableResult
    public func holdAll(_ hold: JobHold, note: String, folder: String? = nil, now: Date = Date()) throws(JobError) -> [Job] {
        try applyAll(
            .held(hold, note, until: nil), where: "state = 'queued' AND hold IS NOT 'user' AND (hold IS NOT ?2 OR note IS NOT ?3)",
            folder: folder, [hold.rawValue, note], now: now)
    }

    /// Lets all jobs go that wait for `hold`, of one folder or of all.
    /// - Returns: the jobs that this changed.
    @discardableResult
    public func releaseAll(_ hold: JobHold, folder: String? = nil, now: Date = Date()) throws(JobError) -> [Job] {
        try applyAll(.released, where: "state = 'queued' AND hold = ?2", folder: folder, [hold.rawValue], now: now)
    }

    private func applyAll(
        _ event: JobEvent, where condition: String, folder: String?, _ values: [String?], now: Date
    ) throws(JobError) -> [Job] {
        let arguments = StatementArguments([folder] + values)
        let sql = condition + " AND (?1 IS NULL OR folder = ?1)"
        if try read({ db in try JobRow.first(where: sql, arguments, db) { _ in true } }) == nil { return [] }
        return try write { db in
            let changes = StoreChanges(db: db, policy: self.policy, now: now)
            return try JobRow.fetch(where: sql, arguments, db).map { try changes.apply(event, to: $0) }
        }
    }
}

/// What becomes of one file.
private struct StoreOffer {
    let db: Database
    let candidate: JobCandidate

    /// The job that stands for the file, if the offer changes nothing.
    func known() throws -> Job? {
        guard let job = try present(), job.identity.looksLike(candidate.identity), job.failure != JobMachine.gone else { return nil }
        switch job.state {
        case .queued: return isSamePlan(job) && job.source == candidate.source ? job : nil
        case .failed: return isSamePlan(job) ? job : nil
        case .done: return job.target == candidate.target ? job : nil
        case .probing, .running, .verifying, .cancelled: return job
        }
    }

    func take(_ changes: StoreChanges) throws -> Offer {
        guard let job = try present() else { return .new(try JobRow.insert(fresh(changes.now), db)) }
        if let job = try known() { return .known(job) }
        let isSame = job.identity.looksLike(candidate.identity)
        if isSame, job.failure == JobMachine.gone, job.state == .cancelled {
            return .new(try revised(try changes.apply(.sourceBack, to: job)))
        }
        if job.state == .queued, isSame { return .known(try revised(job)) }
        // Nobody has seen it yet: it need not leave a trace.
        if job.state == .queued, job.attempts == 0 {
            var job = job
            job.identity = candidate.identity
            return .changed(try revised(job), replaced: nil)
        }
        return try replace(job, changes)
    }

    private func replace(_ job: Job, _ changes: StoreChanges) throws -> Offer {
        // The old one must have left its place before the new one takes it, and can only then name its successor.
        let old = try changes.apply(.replaced(by: 0), to: job)
        let successor = try JobRow.insert(fresh(changes.now), db)
        _ = try changes.apply(.replaced(by: successor.id), to: old)
        return .changed(successor, replaced: job.id)
    }

    private func present() throws -> Job? {
        try JobRow.fetch(
            where: "folder = ? AND relative_path = ? AND replaced_by IS NULL", [candidate.folder, Data(candidate.relativePath.bytes)], db
        ).first
    }

    private func isSamePlan(_ job: Job) -> Bool { job.settings == candidate.settings && job.target == candidate.target }

    private func fresh(_ now: Date) -> Job {
        Job(
            id: 0, folder: candidate.folder, relativePath: candidate.relativePath, source: candidate.source, target: candidate.target,
            identity: candidate.identity, settings: candidate.settings, created: now)
    }

    private func revised(_ job: Job) throws -> Job {
        var job = job
        (job.source, job.target, job.settings) = (candidate.source, candidate.target, candidate.settings)
        try JobRow.update(job, db)
        return job
    }
}
