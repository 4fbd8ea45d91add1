internal import Foundation
internal import Jobs

/// Puts the state into words for the event stream (HTML standard, server-sent events).
struct SectionMaker: Sendable {
    let backend: any Backend
    let uploadLimit: Int64
    /// Jobs of one list; the rest is fetched by its pages.
    static let listLimit = 50

    private static let lists: [(name: String, states: Set<JobState>)] = [
        ("active", [.probing, .running, .verifying]), ("queued", [.queued]), ("failed", [.failed]), ("finished", [.done, .cancelled]),
    ]

    /// All sections; those that say the same as in `previous` keep their version.
    func sections(after previous: [EventHub.Section]) async -> [EventHub.Section] {
        var status = await backend.status()
        let throughput = status.throughput
        // Long, and new every ten seconds only.
        status.throughput = []
        var made: [EventHub.Section] = []
        func add(_ name: String, _ value: some Encodable) {
            let bytes = Self.event(name, JSONAnswer.encode(value))
            let old = previous.first { $0.name == name }
            made.append(old?.bytes == bytes ? old! : EventHub.Section(name: name, version: (old?.version ?? 0) + 1, bytes: bytes))
        }
        do {
            add("status", StatusView(status, counts: try await backend.counts(), uploadLimit: uploadLimit))
            for list in Self.lists {
                var jobs = try await backend.jobs(state: list.states, folder: nil, before: nil, limit: Self.listLimit + 1)
                let next = jobs.count > Self.listLimit ? jobs[Self.listLimit - 1].id : nil
                jobs = Array(jobs.prefix(Self.listLimit))
                add(list.name, JobList(jobs: jobs.map(JobView.init), next: next))
            }
        } catch {
            // What is not known now stays as it was told, with its version.
            for old in previous where !["trouble", "throughput"].contains(old.name) && !made.contains(where: { $0.name == old.name }) {
                made.append(old)
            }
            let problem = Problem(error)
            add("trouble", ProblemView.Body(code: problem.code, message: problem.message, remedy: problem.remedy))
        }
        add("throughput", throughput)
        return made
    }

    /// JSON has no line ends outside of strings, and escapes them inside.
    static func event(_ name: String, _ json: [UInt8]) -> [UInt8] {
        Array("event: \(name)\ndata: ".utf8) + json + Array("\n\n".utf8)
    }
}
