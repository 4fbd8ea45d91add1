public import ArgumentParser
internal import Foundation
public import Jobs

struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "See what a watch-folder daemon has to do and has done, and tell it what to do with it.",
        discussion: """
            Works on the job database, with the daemon running or not: what it is to do with a file that it is at, it sees within a \
            second; everything else is done at once.

            The database is \(JobStore.fileName) in --state-folder, by default $STATE_DIRECTORY, $XDG_STATE_HOME/solstice or \
            ~/.local/state/solstice, or, where there is none, /var/lib/solstice.
            """,
        subcommands: [List.self, Show.self, Retry.self, Cancel.self, Pause.self, Resume.self])
}

extension JobState: ExpressibleByArgument {}

struct StateFolderOption: ParsableArguments {
    @Option(help: "The daemon's state folder.", completion: .directory) var stateFolder: String?

    func open(_ access: JobStore.Access) throws -> JobStore {
        let folder = stateFolder ?? StateFolder.found(environment: ProcessInfo.processInfo.environment)
        return try JobStore(path: StateFolder.database(in: folder), access: access)
    }
}

extension JobsCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List jobs, the newest first.")

        @Option(help: ArgumentHelp("Only jobs that are queued, probing, running, verifying, done, failed or cancelled; may be repeated.", valueName: "state")) var state: [JobState] = []
        @Option(help: "Only jobs of this watch folder, by its name in the configuration.") var folder: String?
        @Option(help: "How many at most.") var limit = 100
        @Flag(help: "Print a JSON object a line.") var json = false
        @OptionGroup var place: StateFolderOption

        func validate() throws {
            guard limit >= 1 else { throw ValidationError("--limit is 1 at least.") }
        }

        func run() throws {
            let store = try place.open(.read)
            let wanted = state.isEmpty ? nil : Set(state)
            // One more than is shown tells whether there are more.
            let jobs = try store.jobs(state: wanted, folder: folder, limit: limit < .max ? limit + 1 : limit)
            for line in json ? jobs.prefix(limit).map(JSONLine.job) : JobTable.lines(jobs.prefix(limit), columns: Self.columns) { Terminal.print(line) }
            guard !json else { return }
            let counts = try store.counts(folder: folder)
            let words = JobState.allCases.compactMap { state in counts[state].flatMap { $0 > 0 ? "\($0) \(state.rawValue)" : nil } }
            Terminal.note(words.isEmpty ? "no jobs" : words.joined(separator: ", ") + (jobs.count > limit ? "; --limit shows more than \(limit)" : ""))
        }

        /// Nil where lines may be as long as they are.
        private static var columns: Int? { isatty(STDOUT_FILENO) == 1 ? Terminal.columns : nil }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show all about jobs.")

        @Argument(help: "Numbers of jobs, as in 'solstice jobs list'.") var ids: [Int64]
        @Flag(help: "Print a JSON object a line.") var json = false
        @OptionGroup var place: StateFolderOption

        func run() throws {
            let store = try place.open(.read)
            for (index, id) in ids.enumerated() {
                guard let job = try store.job(id) else { throw JobError.noSuchJob(id) }
                if json { Terminal.print(JSONLine.job(job)) } else {
                    Terminal.print((index > 0 ? "\n" : "") + JobTable.description(of: job))
                }
            }
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try jobs again.",
            discussion: """
                Jobs that failed, were cancelled, wait for their next attempt, or are done. A file in quarantine is let out of it. With \
                --all those that failed or wait for their next attempt.
                """)
        @OptionGroup var selection: JobSelection
        func run() throws { try selection.ask(.retry) }
    }

    struct Cancel: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Give jobs up that wait or are at work; sources and results stay.")
        @OptionGroup var selection: JobSelection
        func run() throws { try selection.ask(.cancel) }
    }

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Hold jobs back; what is rendered of them is kept.")
        @OptionGroup var selection: JobSelection
        func run() throws { try selection.ask(.pause) }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let paused jobs go on.")
        @OptionGroup var selection: JobSelection
        func run() throws { try selection.ask(.resume) }
    }
}

/// Which jobs a request is for.
struct JobSelection: ParsableArguments {
    @Argument(help: "Numbers of jobs, as in 'solstice jobs list'.") var ids: [Int64] = []
    @Flag(help: "All jobs that are in a state for it.") var all = false
    @Option(help: "With --all, only jobs of this watch folder.") var folder: String?
    @Flag(help: "Print the jobs as they are then, a JSON object a line.") var json = false
    @OptionGroup var place: StateFolderOption

    func validate() throws {
        guard all != !ids.isEmpty else { throw ValidationError("Give numbers of jobs, or --all.") }
        guard all || folder == nil else { throw ValidationError("--folder goes with --all.") }
    }

    /// Asks every one of them; those that are not in a state for it do not keep it from the others.
    func ask(_ request: JobRequest) throws {
        let store = try place.open(.change)
        if all { return try told(try store.requestAll(request, folder: folder), request) }
        var failure: JobError?
        for id in ids {
            do {
                try told([try store.request(request, job: id)], request)
            } catch {
                guard let error = error as? JobError, error.code == .notPossible || error.code == .noSuchJob else { throw error }
                if ids.count == 1 { throw error }
                Terminal.note("solstice: \(error)")
                failure = failure ?? error
            }
        }
        if let failure { throw ExitStatus(failure).exitCode }
    }

    private func told(_ jobs: [Job], _ request: JobRequest) throws {
        for job in jobs { Terminal.print(json ? JSONLine.job(job) : JobTable.answer(to: request, job)) }
        if jobs.isEmpty, !json { Terminal.note("no job is in a state for it") }
    }
}
