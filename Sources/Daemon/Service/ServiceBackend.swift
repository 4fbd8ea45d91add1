internal import Foundation
internal import Jobs
internal import SystemPackage
internal import Web

/// The daemon as the web server sees it. SQLite and files block, so each question has a thread of its own: Dispatch's
/// are shared with Swift's pool, which a slow disk would then hold up.
struct ServiceBackend: Backend {
    let board: StatusBoard
    let store: JobStore
    let configuration: @Sendable () -> Configuration
    let poke: @Sendable () -> Void
    private func blocking<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await onThread("backend", body)
    }

    func status() async -> ServiceStatus { board.status }

    func jobs(state: Set<JobState>?, folder: String?, before: Int64?, limit: Int) async throws -> [Job] {
        try await blocking { [store] in try store.jobs(state: state, folder: folder, before: before, limit: limit) }
    }

    func job(_ id: Int64) async throws -> Job? { try await blocking { [store] in try store.job(id) } }

    func counts() async throws -> [JobState: Int] { try await blocking { [store] in try store.counts() } }

    func request(_ request: JobRequest, job id: Int64) async throws -> Job {
        let job = try await blocking { [store] in try store.request(request, job: id) }
        poke()
        return job
    }

    func picture(of subject: PictureSubject, side: PictureSide) async -> [UInt8]? {
        let configuration = configuration()
        let folder =
            switch subject {
            case .job(let id): "\(configuration.jobsFolder)/\(id)"
            // Names come from the configuration, never from a request.
            case .relay(let name): configuration.relays.first { $0.name == name }.map { configuration.pictureFolder(ofRelay: $0.name) }
            }
        guard let folder else { return nil }
        return try? await blocking { FileManager.default.contents(atPath: "\(folder)/\(side.rawValue).jpg").map(Array.init) }
    }

    func changes() async -> AsyncStream<Void> { board.changes() }

    func uploadRoot(folder: String) async -> String? { configuration().folders.first { $0.name == folder }?.input }

    func result(of id: Int64) async throws -> Job? {
        try await blocking { [store] in
            guard let job = try store.job(id), job.state == .done, FileStatus(job.target)?.isFile == true else { return nil }
            return job
        }
    }
}
