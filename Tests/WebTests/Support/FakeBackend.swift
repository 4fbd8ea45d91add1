@testable import Jobs
import Foundation
import Synchronization
import SystemPackage
import Web

/// A daemon that is made of what a test puts into it.
final class FakeBackend: Backend {
    struct State {
        var status = ServiceStatus(version: "1.2.3", uptime: 10, isReady: true)
        var jobs: [Job] = []
        var requests: [String] = []
        var roots: [String: String] = [:]
        var pictures: @Sendable (PictureSubject, PictureSide) -> [UInt8]? = { _, _ in nil }
        var failure: JobError?
        var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
        var listenerCount = 0
    }

    private let state = Mutex(State())

    init(_ configure: (inout State) -> Void = { _ in }) { change(configure) }

    /// Changes what is there, and says so.
    func change(_ body: (inout State) -> Void) {
        let listeners = state.withLock { state in
            body(&state)
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.yield() }
    }

    func read<Value>(_ body: (State) -> sending Value) -> sending Value { state.withLock { body($0) } }

    func status() async -> ServiceStatus { read { $0.status } }

    func jobs(state wanted: Set<JobState>?, folder: String?, before: Int64?, limit: Int) async throws -> [Job] {
        try check()
        let all = read { $0.jobs }
        let chosen = all.filter { job in
            wanted?.contains(job.state) ?? true && folder.map { $0 == job.folder } ?? true && before.map { job.id < $0 } ?? true
        }
        return Array(chosen.sorted { $0.id > $1.id }.prefix(limit))
    }

    func job(_ id: Int64) async throws -> Job? {
        try check()
        return read { $0.jobs.first { $0.id == id } }
    }

    func counts() async throws -> [JobState: Int] {
        try check()
        return read { Dictionary(grouping: $0.jobs, by: \.state).mapValues(\.count) }
    }

    private func check() throws {
        if let failure = read({ $0.failure }) { throw failure }
    }

    func request(_ request: JobRequest, job id: Int64) async throws -> Job {
        try check()
        var answer: Job?
        change { state in
            state.requests.append("\(request.rawValue) \(id)")
            guard let at = state.jobs.firstIndex(where: { $0.id == id }) else { return }
            guard request != .retry || state.jobs[at].state == .failed || state.jobs[at].state == .cancelled else { return }
            Self.obey(request, &state.jobs[at])
            answer = state.jobs[at]
        }
        if let answer { return answer }
        guard try await job(id) != nil else { throw JobError(.noSuchJob, "there is no job \(id)") }
        throw JobError(.notPossible, "job \(id) has not failed", remedy: "wait for it")
    }

    private static func obey(_ request: JobRequest, _ job: inout Job) {
        switch request {
        case .retry:
            job.state = .queued
            job.failure = nil
        case .cancel: job.state = .cancelled
        case .pause:
            job.state = .queued
            job.hold = .user
        case .resume: job.hold = nil
        }
    }

    func picture(of subject: PictureSubject, side: PictureSide) async -> [UInt8]? { read { $0.pictures }(subject, side) }

    func changes() async -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        state.withLock { state in
            state.listenerCount += 1
            let number = state.listenerCount
            state.listeners[number] = continuation
            continuation.onTermination = { [weak self] _ in self?.forget(number) }
        }
        return stream
    }

    private func forget(_ number: Int) { _ = state.withLock { $0.listeners.removeValue(forKey: number) } }

    func uploadRoot(folder: String) async -> String? { read { $0.roots[folder] } }

    func result(of id: Int64) async throws -> Job? { try await job(id).flatMap { $0.state == .done ? $0 : nil } }
}

extension Job {
    /// A job with little to say, to be changed by the test.
    static func sample(_ id: Int64, _ state: JobState, folder: String = "dashcam", path: String? = nil, _ configure: (inout Job) -> Void = { _ in }) -> Job {
        let path = FilePath(path ?? "clip \(id).mp4")
        var job = Job(
            id: id, folder: folder, relativePath: path, source: FilePath("/srv/in").appending(path.string), target: FilePath("/srv/out").appending(path.string),
            identity: SourceIdentity(size: 1000 * id, modified: 0), settings: JobSettings(arguments: ["--to", "night"], identity: "i"),
            created: Date(timeIntervalSince1970: 1_790_000_000))
        job.state = state
        configure(&job)
        return job
    }
}
