internal import Foundation
internal import Jobs

/// Jobs in words, for `solstice jobs`.
enum JobTable {
    /// A line a job under a line of headings; none where there are no jobs.
    /// - Parameter columns: no line is longer; nil where they may be.
    static func lines(_ jobs: ArraySlice<Job>, columns: Int?) -> [String] {
        guard !jobs.isEmpty else { return [] }
        let rows = [["ID", "STATE", "DONE", "FPS", "FILE", "WHY"]] + jobs.map(cells)
        let widths = (0..<4).map { column in rows.map { $0[column].count }.max() ?? 0 }
        // Of a long name a terminal shows the end, and leaves room for the reason; a line is cut, not wrapped.
        let hasReasons = rows.dropFirst().contains { !$0[5].isEmpty }
        let room = columns.map { max(20, ($0 - widths.reduce(8, +)) * (hasReasons ? 3 : 5) / 5) } ?? .max
        let nameWidth = min(rows.map { $0[4].count }.max() ?? 0, room)
        return rows.map { row in
            let numbers = [left(row[0], widths[0]), right(row[1], widths[1]), left(row[2], widths[2]), left(row[3], widths[3])]
            let name = row[4].count > nameWidth ? "…" + row[4].suffix(nameWidth - 1) : right(row[4], nameWidth)
            let line = (numbers + [name, row[5]]).joined(separator: "  ")
            let shown = columns.map { line.count > $0 ? String(line.prefix($0 - 1)) + "…" : line } ?? line
            return String(shown.reversed().drop { $0 == " " }.reversed())
        }
    }

    private static func cells(_ job: Job) -> [String] {
        [
            "\(job.id)", state(of: job), progress(of: job), job.state == .running ? job.framesPerSecond.map { String(format: "%.1f", $0) } ?? "" : "",
            Terminal.printable(job.folder + "/" + job.relativePath.shown), Terminal.printable(reason(for: job)),
        ]
    }

    private static func left(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
    private static func right(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }

    /// What is going on, in one word or two.
    static func state(of job: Job) -> String {
        switch (job.state, job.hold, job.request) {
        case (_, _, .cancel?): "cancelling"
        case (_, _, .pause?): "pausing"
        case (.queued, .user?, _): "paused"
        case (.queued, .retry?, _): "to retry"
        case (.queued, .some, _): "waiting"
        default: job.state.rawValue
        }
    }

    private static func progress(of job: Job) -> String {
        if job.state == .done { return "100%" }
        guard let total = job.framesTotal, total > 0, job.framesRendered > 0 else { return "" }
        // A container may promise fewer frames than there are.
        return "\(min(99, job.framesRendered * 100 / total))%"
    }

    private static func reason(for job: Job) -> String {
        if let failure = job.failure, job.state != .done { return failure.text }
        return (job.hold == .user ? nil : job.note) ?? job.notices.first ?? ""
    }

    /// What a request has come to.
    static func answer(to request: JobRequest, _ job: Job) -> String {
        let name = "job \(job.id) (\(Terminal.printable(job.folder + "/" + job.relativePath.shown)))"
        if job.state.isActive, let pending = job.request { return "\(name): the daemon is asked to \(pending.rawValue) it" }
        return "\(name): \(state(of: job))"
    }

    /// All about one job, a line for each thing that is known.
    static func description(of job: Job) -> String {
        var rows: [(String, String?)] = [
            ("job", "\(job.id)"), ("state", state(of: job)), ("folder", job.folder), ("source", job.source.shown), ("target", job.target.shown),
            ("source bytes", "\(job.identity.size)"), ("content", job.identity.contentHash), ("settings", job.settings.arguments.joined(separator: " ")),
            ("after", job.settings.after == .keep ? nil : job.settings.after.rawValue + (job.settings.moveTo.map { " to \($0)" } ?? "")),
        ]
        rows += [
            ("why", job.failure.map { "\($0.text) (\($0.code))" }), ("note", job.note), ("next attempt", job.notBefore.map(time)),
            ("attempts", "\(job.attempts)"), ("worker's owner", job.owner.map { "process \($0.pid)" }),
            ("frames", job.framesTotal.map { "\(job.framesRendered) of \($0)" } ?? (job.framesRendered > 0 ? "\(job.framesRendered)" : nil)),
            ("frames in safety", job.framesRendered != job.framesDone ? "\(job.framesDone)" : nil),
            ("fps", job.framesPerSecond.map { String(format: "%.2f", $0) }), ("result bytes", job.outputBytes.map { "\($0)" }),
            ("copied from", job.copyOf.map { "job \($0)" }), ("replaced by", job.replacedBy.map { "job \($0)" }),
            ("busy", ProgressBar.clock(job.busySeconds)), ("found", time(job.created)), ("started", job.started.map(time)),
            ("finished", job.finished.map(time)),
        ]
        rows += job.notices.map { ("notice", $0) }
        let known = rows.compactMap { name, value in value.map { (name, $0) } }
        return known.map { name, value in right(name + ":", 18) + Terminal.printable(value) }.joined(separator: "\n")
    }

    /// ISO 8601, UTC.
    private static func time(_ date: Date) -> String { date.formatted(.iso8601) }
}
