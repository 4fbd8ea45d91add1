public import Foundation
public import SystemPackage

/// Where a job is on its way.
///
///     queued -> probing -> running -> verifying -> done
///        ^         |          |           |
///        +---------+----------+-----------+-- interrupted, or a failure that may pass
///                                         +-- failed, cancelled
public enum JobState: String, Sendable, Codable, CaseIterable {
    case queued, probing, running, verifying, done, failed, cancelled

    /// A worker process is at it.
    public var isActive: Bool { self == .probing || self == .running || self == .verifying }
    /// Nothing more happens unless the user asks, or the source changes.
    public var isFinal: Bool { self == .done || self == .failed || self == .cancelled }
}

/// Which file a job was made for: what tells a changed file from the same one.
public struct SourceIdentity: Sendable, Equatable, Codable {
    /// Bytes.
    public var size: Int64
    /// Nanoseconds since 1970.
    public var modified: Int64
    /// SHA-256 of the content, in hex; nil until a worker has read it.
    public var contentHash: String?

    public init(size: Int64, modified: Int64, contentHash: String? = nil) {
        self.size = size
        self.modified = modified
        self.contentHash = contentHash
    }

    /// The same file as far as can be told without reading it.
    public func looksLike(_ other: SourceIdentity) -> Bool { size == other.size && modified == other.modified }
}

/// What becomes of a source once its translation is verified and on the disk.
public enum AfterPolicy: String, Sendable, Codable, CaseIterable { case keep, move, delete }

/// How a job's file is converted.
public struct JobSettings: Sendable, Equatable, Codable {
    /// Options of `solstice convert`, such as `--to`, `winter`, in a fixed order.
    public var arguments: [String]
    public var after: AfterPolicy
    /// Where `after: move` puts the source, with the relative path below it; else nil.
    public var moveTo: String?
    /// Digest of everything that the result depends on besides the source: the arguments, the model's and the styles'
    /// content, the output's container. The same content with the same identity is converted once.
    public var identity: String

    public init(arguments: [String], after: AfterPolicy = .keep, moveTo: String? = nil, identity: String) {
        self.arguments = arguments
        self.after = after
        self.moveTo = moveTo
        self.identity = identity
    }
}

/// Why a job failed.
public struct JobFailure: Sendable, Equatable, Codable {
    /// The name of the exit code, such as `diskFull` or `notMedia`; `crashed` and `quarantined` of workers that died.
    public var code: String
    /// One clear line.
    public var text: String
    /// Trying again may help: the disk was full, the source had vanished, memory ran out.
    public var mayPass: Bool

    /// The code of a job whose settings come to another identity by now, as its worker has told.
    public static let inputsChanged = "inputsChanged"

    public init(code: String, text: String, mayPass: Bool) {
        self.code = code
        self.text = text
        self.mayPass = mayPass
    }
}

/// Why a queued job does not start; in its `note` in words.
public enum JobHold: String, Sendable, Codable {
    /// Paused by the user.
    case user
    /// Too little room; goes on by itself.
    case disk
    /// Waits for its next attempt.
    case retry
    /// Another daemon is at the same file.
    case lease
    /// Another job is at the same content with the same settings, or has done it: its result is copied.
    case twin
    /// The folder that it comes from is not there.
    case root
}

/// One file and what becomes of it.
public struct Job: Sendable, Equatable, Identifiable {
    public var id: Int64
    /// Name of the watch folder in the configuration.
    public var folder: String
    /// Below the folder; any bytes but zero.
    public var relativePath: FilePath
    public var source: FilePath
    public var target: FilePath
    public var identity: SourceIdentity
    public var settings: JobSettings

    public var state: JobState
    public var hold: JobHold?
    /// What the hold, or the present state, is about, in words.
    public var note: String?
    /// Not started before this moment.
    public var notBefore: Date?
    /// How often a worker was started for it.
    public var attempts: Int
    /// Attempts in a row that failed in a way that may pass; the pause before the next one grows with them.
    public var failedAttempts: Int
    public var failure: JobFailure?
    /// What a running job's worker is to be told next.
    public var request: JobRequest?
    public var owner: ProcessIdentity?

    /// Frames in safety: they are not rendered again after a crash.
    public var framesDone: Int
    /// Frames rendered, those included that are not in safety yet.
    public var framesRendered: Int
    /// Frames that there will be, as far as the container says.
    public var framesTotal: Int?
    public var framesPerSecond: Double?
    /// Bytes of the result, once it is there.
    public var outputBytes: Int64?
    /// Seconds that workers were busy with it, all attempts together.
    public var busySeconds: Double
    /// What the user should know of the result, one line each.
    public var notices: [String]
    /// The job whose result was copied, where content and settings were the same.
    public var copyOf: Int64?
    /// The job that took this one's place, as its file has changed since.
    public var replacedBy: Int64?

    public var created: Date
    /// When the present or last attempt began.
    public var started: Date?
    public var finished: Date?

    /// A job as it is made: queued, with nothing done yet.
    public init(
        id: Int64, folder: String, relativePath: FilePath, source: FilePath, target: FilePath, identity: SourceIdentity, settings: JobSettings,
        created: Date
    ) {
        self.id = id
        self.folder = folder
        self.relativePath = relativePath
        self.source = source
        self.target = target
        self.identity = identity
        self.settings = settings
        state = .queued
        attempts = 0
        failedAttempts = 0
        framesDone = 0
        framesRendered = 0
        busySeconds = 0
        notices = []
        self.created = created
    }
}

/// What a user asks of a job.
public enum JobRequest: String, Sendable, Codable, CaseIterable { case cancel, pause, resume, retry }

/// Which process, so that nobody is taken for it after a restart of the process or the machine.
public struct ProcessIdentity: Sendable, Equatable, Codable {
    public var pid: Int32
    /// Clock ticks since the machine's start (`/proc/PID/stat`, field 22).
    public var startTime: UInt64
    /// `/proc/sys/kernel/random/boot_id`.
    public var bootID: String

    public init(pid: Int32, startTime: UInt64, bootID: String) {
        self.pid = pid
        self.startTime = startTime
        self.bootID = bootID
    }
}
