public import Jobs

/// What the web server shows and passes on; the daemon is behind it. All calls may come from any thread at once, return
/// soon, and never block Swift's pool.
public protocol Backend: Sendable {
    /// Everything but the jobs, as it is now.
    func status() async -> ServiceStatus
    /// Newest first; `state` and `folder` choose, `before` (an id) and `limit` page.
    func jobs(state: Set<JobState>?, folder: String?, before: Int64?, limit: Int) async throws -> [Job]
    func job(_ id: Int64) async throws -> Job?
    func counts() async throws -> [JobState: Int]
    /// Throws `JobError` with a line for the user where the job is not in a state for it.
    func request(_ request: JobRequest, job id: Int64) async throws -> Job
    /// JPEG pictures of the frame that a running job or a relay is at; nil where there are none.
    func picture(of subject: PictureSubject, side: PictureSide) async -> [UInt8]?
    /// Elements come when something changed, a few a second at most; the newest one only is kept for a slow listener.
    func changes() async -> AsyncStream<Void>
    /// Where an upload into `folder` goes; nil where there is no such folder.
    func uploadRoot(folder: String) async -> String?
    /// The result of a job that is done; nil where there is none.
    func result(of id: Int64) async throws -> Job?
}

public enum PictureSide: String, Sendable { case before, after }
public enum PictureSubject: Sendable, Equatable { case job(Int64), relay(String) }

/// What the daemon is doing; the JSON of `/api/v1/status` is this, keys in snake case.
public struct ServiceStatus: Sendable, Codable, Equatable {
    public var version: String
    /// Seconds since the daemon started.
    public var uptime: Double
    /// False while it starts, stops, or cannot reach its database.
    public var isReady: Bool
    /// Why not ready, in words.
    public var reason: String?
    public var folders: [FolderStatus]
    public var relays: [RelayState]
    public var disks: [DiskStatus]
    public var cpu: CPUStatus
    /// The last hour, a point every 10 s, oldest first.
    public var throughput: [ThroughputPoint]
    /// Counters since the start, by a Prometheus-like name without prefix, such as `worker_deaths`.
    public var counters: [String: Int]

    public init(
        version: String, uptime: Double, isReady: Bool, reason: String? = nil, folders: [FolderStatus] = [], relays: [RelayState] = [],
        disks: [DiskStatus] = [], cpu: CPUStatus = CPUStatus(), throughput: [ThroughputPoint] = [], counters: [String: Int] = [:]
    ) {
        self.version = version
        self.uptime = uptime
        self.isReady = isReady
        self.reason = reason
        self.folders = folders
        self.relays = relays
        self.disks = disks
        self.cpu = cpu
        self.throughput = throughput
        self.counters = counters
    }
}

public struct FolderStatus: Sendable, Codable, Equatable {
    public var name: String
    public var input: String
    public var output: String
    /// `watching`, or `paused` with the reason: its root is not there, the user paused it.
    public var state: String
    public var reason: String?
    /// Files seen that are still being written.
    public var settling: Int

    public init(name: String, input: String, output: String, state: String, reason: String? = nil, settling: Int = 0) {
        self.name = name
        self.input = input
        self.output = output
        self.state = state
        self.reason = reason
        self.settling = settling
    }
}

public struct RelayState: Sendable, Codable, Equatable {
    public var name: String
    /// `starting`, `connecting`, `playing`, `lost`, `restarting`, `stopped`.
    public var state: String
    public var reason: String?
    public var source: String
    public var fpsIn: Double?
    public var fpsOut: Double?
    /// Seconds.
    public var latencyP50: Double?
    public var latencyP95: Double?
    public var dropped: Int?
    public var reconnects: Int?
    public var readers: Int?
    /// How often its process was started.
    public var starts: Int
    public var hasPicture: Bool

    public init(name: String, state: String, reason: String? = nil, source: String, starts: Int = 0, hasPicture: Bool = false) {
        self.name = name
        self.state = state
        self.reason = reason
        self.source = source
        self.starts = starts
        self.hasPicture = hasPicture
    }
}

public struct DiskStatus: Sendable, Codable, Equatable {
    public var path: String
    /// What is on it, such as `results of dashcam`, `work`.
    public var use: String
    /// Bytes.
    public var free: Int64
    public var total: Int64
    public var floor: Int64

    public init(path: String, use: String, free: Int64, total: Int64, floor: Int64) {
        self.path = path
        self.use = use
        self.free = free
        self.total = total
        self.floor = floor
    }
}

public struct CPUStatus: Sendable, Codable, Equatable {
    /// Cores busy now, of this daemon with its workers and relays, and of the whole machine.
    public var own: Double
    public var machine: Double
    public var cores: Int
    /// Bytes of resident memory of the daemon and of all its children.
    public var residentOwn: Int64
    public var residentChildren: Int64

    public init(own: Double = 0, machine: Double = 0, cores: Int = 1, residentOwn: Int64 = 0, residentChildren: Int64 = 0) {
        self.own = own
        self.machine = machine
        self.cores = cores
        self.residentOwn = residentOwn
        self.residentChildren = residentChildren
    }
}

public struct ThroughputPoint: Sendable, Codable, Equatable {
    /// Seconds since 1970.
    public var time: Double
    /// Frames a second, all jobs together.
    public var framesPerSecond: Double

    public init(time: Double, framesPerSecond: Double) {
        self.time = time
        self.framesPerSecond = framesPerSecond
    }
}
