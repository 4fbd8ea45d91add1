internal import Foundation
internal import Hummingbird
internal import Jobs

/// The list of jobs, one job, and what may be asked of it.
struct JobRoutes: Sendable {
    let backend: any Backend
    static let pageLimit = 500

    var routes: [Route] {
        [
            Route(.get, "/api/v1/jobs") { request, _ in try await list(request) },
            Route(.get, "/api/v1/jobs/{id}") { _, context in JSONAnswer.response(JobView(try await job(context))) },
            Route(.get, "/api/v1/jobs/{id}/before.jpg") { _, context in try await picture(.before, context) },
            Route(.get, "/api/v1/jobs/{id}/after.jpg") { _, context in try await picture(.after, context) },
        ]
            + JobRequest.allCases.map { asked in
                Route(.post, "/api/v1/jobs/{id}/\(asked.rawValue)") { _, context in
                    JSONAnswer.response(JobView(try await backend.request(asked, job: try Self.id(context))))
                }
            }
    }

    private func list(_ request: Request) async throws -> Response {
        let query = try Query(request)
        let limit = try query.number("limit", in: 1...Int64(Self.pageLimit)).map(Int.init) ?? 100
        // One more than asked for tells whether there is another page.
        var jobs = try await backend.jobs(
            state: query.states("state"), folder: query["folder"], before: query.number("before", in: 1...Int64.max), limit: limit + 1)
        let hasMore = jobs.count > limit
        if hasMore { jobs.removeLast(jobs.count - limit) }
        return JSONAnswer.response(JobList(jobs: jobs.map(JobView.init), next: hasMore ? jobs.last?.id : nil))
    }

    private func job(_ context: WebContext) async throws -> Job {
        let id = try Self.id(context)
        guard let job = try await backend.job(id) else { throw Self.noSuchJob(id) }
        return job
    }

    private func picture(_ side: PictureSide, _ context: WebContext) async throws -> Response {
        let id = try Self.id(context)
        if let picture = await backend.picture(of: .job(id), side: side) { return .bytes(picture, type: "image/jpeg") }
        _ = try await job(context)
        // Nothing is wrong: its first frame is not done yet.
        return Response(status: .noContent)
    }

    static func noSuchJob(_ id: Int64) -> Problem { Problem(.notFound, "noSuchJob", "there is no job \(id)") }

    static func id(_ context: WebContext) throws(Problem) -> Int64 {
        guard let text = context.parameters.get("id"), let id = Int64(text), id > 0 else { throw Problem.bad("a job is named by its number") }
        return id
    }
}

/// Parameters behind the `?`; the ones that no operation knows are refused, as a misspelt filter would show everything.
struct Query {
    private let values: [String: String]
    private static let known: Set = ["state", "folder", "before", "limit"]

    init(_ request: Request) throws(Problem) {
        var values: [String: String] = [:]
        for pair in (request.uri.query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard Self.known.contains(name) else { throw Problem.bad("\(name): not a parameter of this address") }
            guard parts.count == 2, values[name] == nil,
                let value = parts[1].replacingOccurrences(of: "+", with: " ").removingPercentEncoding
            else { throw Problem.bad("\(name): needs one value") }
            values[name] = value
        }
        self.values = values
    }

    subscript(name: String) -> String? { values[name] }

    func number(_ name: String, in range: ClosedRange<Int64>) throws(Problem) -> Int64? {
        guard let text = values[name] else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            throw Problem.bad("\(name): a number from \(range.lowerBound) to \(range.upperBound) is needed")
        }
        return number
    }

    func states(_ name: String) throws(Problem) -> Set<JobState>? {
        guard let text = values[name] else { return nil }
        var states: Set<JobState> = []
        for word in text.split(separator: ",") {
            guard let state = JobState(rawValue: String(word)) else {
                let all = JobState.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem.bad("\(name): \(word) is not a state", remedy: "take of \(all)")
            }
            states.insert(state)
        }
        guard !states.isEmpty else { throw Problem.bad("\(name): needs one value") }
        return states
    }
}
