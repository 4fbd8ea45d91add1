internal import Foundation
internal import GRDB
internal import SystemPackage

/// A job as a row of the table `job`.
enum JobRow {
    /// Columns besides `id`, in the order of `values`.
    private static let columns = [
        "folder", "relative_path", "source", "target", "size", "modified", "content_hash", "arguments", "after", "move_to",
        "settings_identity", "state", "hold", "note", "not_before", "attempts", "failed_attempts", "failure_code", "failure_text",
        "failure_may_pass", "request", "owner_pid", "owner_start", "owner_boot", "frames_done", "frames_rendered", "frames_total",
        "frames_per_second", "output_bytes", "busy_seconds", "notices", "copy_of", "replaced_by", "created", "started", "finished",
    ]

    private static let insertion =
        "INSERT INTO job (\(columns.joined(separator: ", "))) VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))"
    private static let replacement = "UPDATE job SET \(columns.map { "\($0) = ?" }.joined(separator: ", ")) WHERE id = ?"

    private static let selection = "SELECT id, \(columns.joined(separator: ", ")) FROM job WHERE "

    /// Gives the job its number.
    static func insert(_ job: Job, _ db: Database) throws -> Job {
        try db.cachedStatement(sql: insertion).execute(arguments: StatementArguments(values(of: job)))
        var job = job
        job.id = db.lastInsertedRowID
        return job
    }

    static func update(_ job: Job, _ db: Database) throws {
        try db.cachedStatement(sql: replacement).execute(arguments: StatementArguments(values(of: job) + [job.id] as [(any DatabaseValueConvertible)?]))
    }

    static func fetch(_ id: Int64, _ db: Database) throws -> Job? {
        try Row.fetchOne(db.cachedStatement(sql: selection + "id = ?"), arguments: [id]).map(job)
    }

    /// The jobs of which `condition` is true; it may go on with an order and a limit.
    static func fetch(where condition: String, _ arguments: StatementArguments, _ db: Database) throws -> [Job] {
        let rows = try Row.fetchCursor(db.cachedStatement(sql: selection + condition), arguments: arguments)
        var jobs: [Job] = []
        while let row = try rows.next() { jobs.append(try job(row)) }
        return jobs
    }

    /// The first of the jobs of which `condition` is true that `isWanted`.
    static func first(
        where condition: String, _ arguments: StatementArguments, _ db: Database, isWanted: (Job) throws -> Bool
    ) throws -> Job? {
        let rows = try Row.fetchCursor(db.cachedStatement(sql: selection + condition), arguments: arguments)
        while let row = try rows.next() {
            let job = try job(row)
            if try isWanted(job) { return job }
        }
        return nil
    }

    private static func values(of job: Job) -> [(any DatabaseValueConvertible)?] {
        let about: [(any DatabaseValueConvertible)?] = [
            job.folder, Data(job.relativePath.bytes), Data(job.source.bytes), Data(job.target.bytes), job.identity.size,
            job.identity.modified, job.identity.contentHash, words(job.settings.arguments), job.settings.after.rawValue,
            job.settings.moveTo, job.settings.identity,
        ]
        let state: [(any DatabaseValueConvertible)?] = [
            job.state.rawValue, job.hold?.rawValue, job.note, job.notBefore?.timeIntervalSince1970, job.attempts, job.failedAttempts,
            job.failure?.code, job.failure?.text, job.failure?.mayPass, job.request?.rawValue, job.owner?.pid,
            job.owner.map { Int64(bitPattern: $0.startTime) }, job.owner?.bootID,
        ]
        return about + state + [
            job.framesDone, job.framesRendered, job.framesTotal, job.framesPerSecond, job.outputBytes, job.busySeconds,
            words(job.notices), job.copyOf, job.replacedBy, job.created.timeIntervalSince1970, job.started?.timeIntervalSince1970,
            job.finished?.timeIntervalSince1970,
        ]
    }

    /// - Throws: `.databaseDamaged` where a row holds what no version has written.
    private static func job(_ row: Row) throws -> Job {
        do {
            var fields = Fields(row: row)
            return try job(&fields)
        } catch {
            let id = (try? row.decode(Int64.self, atIndex: 0)).map(String.init) ?? "?"
            throw JobError(.databaseDamaged, "the job database holds a job that cannot be read", cause: "job \(id): \(error)")
        }
    }

    private static func job(_ fields: inout Fields) throws -> Job {
        let id: Int64 = try fields.next(), folder: String = try fields.next()
        let relativePath = try fields.path(), source = try fields.path(), target = try fields.path()
        let identity = SourceIdentity(size: try fields.next(), modified: try fields.next(), contentHash: try fields.nextIfAny())
        let settings = JobSettings(
            arguments: words(try fields.next()), after: try fields.name(), moveTo: try fields.nextIfAny(), identity: try fields.next())
        var job = Job(
            id: id, folder: folder, relativePath: relativePath, source: source, target: target, identity: identity, settings: settings,
            created: Date(timeIntervalSince1970: 0))
        job.state = try fields.name()
        job.hold = try fields.nameIfAny()
        job.note = try fields.nextIfAny()
        job.notBefore = try fields.date()
        job.attempts = try fields.next()
        job.failedAttempts = try fields.next()
        let code: String? = try fields.nextIfAny(), text: String? = try fields.nextIfAny(), mayPass: Bool? = try fields.nextIfAny()
        job.failure = code.map { JobFailure(code: $0, text: text ?? "", mayPass: mayPass ?? false) }
        job.request = try fields.nameIfAny()
        let pid: Int32? = try fields.nextIfAny(), start: Int64? = try fields.nextIfAny(), boot: String? = try fields.nextIfAny()
        if let pid, let start { job.owner = ProcessIdentity(pid: pid, startTime: UInt64(bitPattern: start), bootID: boot ?? "") }
        try readResult(of: &job, &fields)
        return job
    }

    private static func readResult(of job: inout Job, _ fields: inout Fields) throws {
        job.framesDone = try fields.next()
        job.framesRendered = try fields.next()
        job.framesTotal = try fields.nextIfAny()
        job.framesPerSecond = try fields.nextIfAny()
        job.outputBytes = try fields.nextIfAny()
        job.busySeconds = try fields.next()
        job.notices = words(try fields.next())
        job.copyOf = try fields.nextIfAny()
        job.replacedBy = try fields.nextIfAny()
        job.created = Date(timeIntervalSince1970: try fields.next())
        job.started = try fields.date()
        job.finished = try fields.date()
    }

    /// Words that end with a zero byte each; none has one within, as arguments of a program cannot.
    private static func words(_ words: [String]) -> Data {
        words.reduce(into: Data()) { data, word in
            data.append(contentsOf: word.utf8.lazy.filter { $0 != 0 })
            data.append(0)
        }
    }

    private static func words(_ data: Data) -> [String] {
        data.split(separator: 0, omittingEmptySubsequences: false).dropLast().map { String(decoding: $0, as: UTF8.self) }
    }
}

/// Reads a row's columns from the first to the last.
private struct Fields {
    struct Strange: Error, CustomStringConvertible { let description: String }

    let row: Row
    private var index = 0

    init(row: Row) { self.row = row }

    mutating func next<Value: DatabaseValueConvertible & StatementColumnConvertible>() throws -> Value {
        defer { index += 1 }
        return try row.decode(Value.self, atIndex: index)
    }

    mutating func nextIfAny<Value: DatabaseValueConvertible & StatementColumnConvertible>() throws -> Value? {
        defer { index += 1 }
        return try row.decode(Value?.self, atIndex: index)
    }

    mutating func date() throws -> Date? {
        let seconds: Double? = try nextIfAny()
        return seconds.map(Date.init(timeIntervalSince1970:))
    }

    mutating func path() throws -> FilePath {
        let data: Data = try next()
        guard let path = FilePath(bytes: Array(data)) else { throw Strange(description: "a path with a zero") }
        return path
    }

    mutating func name<Value: RawRepresentable<String>>() throws -> Value {
        guard let value: Value = try nameIfAny() else { throw Strange(description: "no \(Value.self)") }
        return value
    }

    mutating func nameIfAny<Value: RawRepresentable<String>>() throws -> Value? {
        guard let text: String = try nextIfAny() else { return nil }
        guard let value = Value(rawValue: text) else { throw Strange(description: "'\(text)' is no \(Value.self)") }
        return value
    }
}
