public import Jobs
public import Logging

/// What `solstice serve` is to do: the contents of its configuration file, with every default filled in and every path absolute.
public struct Configuration: Sendable, Equatable {
    /// The folder of the job database.
    public var state: String
    /// A folder for each unfinished job, within `work`, which may hold other things.
    public var jobsFolder: String { work + "/solstice-jobs" }
    /// Where unfinished work is kept, a folder for each job.
    public var work: String
    /// Conversions at the same time.
    public var jobs: Int
    /// Seconds of work that a kill may cost.
    public var checkpoint: Double
    /// Bytes that stay free on every disk that is written to.
    public var diskFloor: Int64
    public var logLevel: Logger.Level
    /// Nil: no web page and no API.
    public var web: WebSettings?
    public var folders: [WatchFolder]
    public var relays: [RelaySettings]

    public init(
        state: String, work: String? = nil, jobs: Int = 1, checkpoint: Double = 10, diskFloor: Int64 = 2 << 30,
        logLevel: Logger.Level = .info, web: WebSettings? = WebSettings(), folders: [WatchFolder] = [], relays: [RelaySettings] = []
    ) {
        self.state = state
        self.work = work ?? state + "/work"
        self.jobs = jobs
        self.checkpoint = checkpoint
        self.diskFloor = diskFloor
        self.logLevel = logLevel
        self.web = web
        self.folders = folders
        self.relays = relays
    }

    /// Where a relay keeps the pictures of the frame that it is at, and its control socket, `control`.
    public func pictureFolder(ofRelay name: String) -> String { "\(work)/relays/\(name)" }
}

/// Where the web page and the API are.
public struct WebSettings: Sendable, Equatable {
    /// An address or a name; IPv6 without brackets.
    public var host: String
    public var port: Int
    /// Names besides `localhost` and plain addresses that browsers may call the page by.
    public var hostNames: [String]
    /// A file whose first line is the token that a request must carry; nil only on loopback.
    public var tokenFile: String?
    /// Bytes of an uploaded file.
    public var uploadLimit: Int64

    public init(host: String = "127.0.0.1", port: Int = 8080, hostNames: [String] = [], tokenFile: String? = nil, uploadLimit: Int64 = 8 << 30) {
        self.host = host
        self.port = port
        self.hostNames = hostNames
        self.tokenFile = tokenFile
        self.uploadLimit = uploadLimit
    }
}

/// A folder whose videos are converted into another one.
public struct WatchFolder: Sendable, Equatable {
    /// Whether other machines may work on the same folder, so that each file is leased first.
    public enum Sharing: String, Sendable, CaseIterable {
        /// Where the output is on a network file system.
        case auto
        case yes, no
    }

    public var name: String
    public var input: String
    public var output: String
    /// Patterns of relative paths; an empty `include` means every usual video.
    public var include: [String]
    public var exclude: [String]
    /// Seconds that a file must not have changed.
    public var settle: Double
    /// Seconds between two scans of the whole folder.
    public var scan: Double
    public var after: AfterPolicy
    /// Set where `after` is `move`.
    public var moveTo: String?
    public var shared: Sharing
    /// Options of `solstice convert`, `--name=value` each, in a fixed order.
    public var arguments: [String]
    /// Digest of all that a result depends on beside its source, as `OptionValidator.identity` makes it.
    public var identity: String

    public init(
        name: String, input: String, output: String, include: [String] = [], exclude: [String] = [], settle: Double = 2,
        scan: Double = 60, after: AfterPolicy = .keep, moveTo: String? = nil, shared: Sharing = .auto, arguments: [String] = [],
        identity: String
    ) {
        self.name = name
        self.input = input
        self.output = output
        self.include = include
        self.exclude = exclude
        self.settle = settle
        self.scan = scan
        self.after = after
        self.moveTo = moveTo
        self.shared = shared
        self.arguments = arguments
        self.identity = identity
    }

    /// How the folder's jobs are converted.
    public var jobSettings: JobSettings { JobSettings(arguments: arguments, after: after, moveTo: moveTo, identity: identity) }
}

/// A relay that runs as long as the daemon.
public struct RelaySettings: Sendable, Equatable {
    public var name: String
    /// May hold a password, which is for nobody's eyes.
    public var source: String
    public var targets: [String]
    /// Options of `solstice relay`, `--name=value` each, in a fixed order.
    public var arguments: [String]

    public init(name: String, source: String, targets: [String] = [], arguments: [String] = []) {
        self.name = name
        self.source = source
        self.targets = targets
        self.arguments = arguments
    }
}
