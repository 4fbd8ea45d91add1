internal import Foundation
internal import Jobs

/// What the daemon is doing, and what a client has to know of this server.
struct StatusView: Encodable {
    var status: ServiceStatus
    /// Jobs by state.
    var jobs: [String: Int]
    /// Bytes that one upload may have.
    var uploadLimit: Int64
    /// The server's clock.
    var time: Date

    init(_ status: ServiceStatus, counts: [JobState: Int], uploadLimit: Int64, time: Date = Date()) {
        self.status = status
        jobs = Dictionary(uniqueKeysWithValues: JobState.allCases.map { ($0.rawValue, counts[$0] ?? 0) })
        self.uploadLimit = uploadLimit
        self.time = time
    }

    private enum Keys: String, CodingKey { case jobs, uploadLimit, time }

    func encode(to encoder: any Encoder) throws {
        try status.encode(to: encoder)
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(jobs, forKey: .jobs)
        try container.encode(uploadLimit, forKey: .uploadLimit)
        try container.encode(time, forKey: .time)
    }
}
