internal import Jobs

/// A page of the list of jobs.
struct JobList: Codable, Equatable {
    var jobs: [JobView]
    /// `before` of the next page; left out on the last one.
    var next: Int64?
}
