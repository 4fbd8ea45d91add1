internal import Foundation
internal import SystemPackage

/// A job as others see it: the answer of the API, and the line of `solstice jobs --json`. What is not known is left out.
public struct JobView: Codable, Equatable, Sendable {
    struct Failure: Codable, Equatable {
        var code: String
        var text: String
        var mayPass: Bool
    }

    var id: Int64
    var folder: String
    /// Below the folder; bytes that are not text are escaped as `\xFF`.
    var file: String
    var source: String
    var target: String
    /// The paths' bytes in base64, where the text is not the path itself: bytes that are not text are escaped in it.
    var sourceBase64: String?
    var targetBase64: String?
    var state: String
    var hold: String?
    var note: String?
    var notBefore: Date?
    var attempts: Int
    var failure: Failure?
    /// Asked for by the user, and not obeyed yet.
    var request: String?
    var framesDone: Int
    var framesRendered: Int
    var framesTotal: Int?
    var framesPerSecond: Double?
    /// 0 to 1, where the number of frames is known.
    var progress: Double?
    var secondsLeft: Double?
    var sourceBytes: Int64
    var outputBytes: Int64?
    var contentHash: String?
    var busySeconds: Double
    var notices: [String]
    var copyOf: Int64?
    /// The job that took its place, as its file has changed.
    var replacedBy: Int64?
    /// Options of `solstice convert`.
    var settings: [String]
    var after: String
    var created: Date
    var started: Date?
    var finished: Date?
    /// What may be asked of it now: `cancel`, `pause`, `resume`, `retry`.
    var actions: [String]

    public init(_ job: Job) {
        id = job.id
        folder = job.folder
        file = job.relativePath.shown
        source = job.source.shown
        target = job.target.shown
        sourceBase64 = Self.base64(job.source)
        targetBase64 = Self.base64(job.target)
        state = job.state.rawValue
        hold = job.hold?.rawValue
        note = job.note
        notBefore = job.notBefore
        attempts = job.attempts
        failure = job.failure.map { Failure(code: $0.code, text: $0.text, mayPass: $0.mayPass) }
        request = job.request?.rawValue
        framesDone = job.framesDone
        framesRendered = max(job.framesRendered, job.framesDone)
        framesTotal = job.framesTotal
        framesPerSecond = job.framesPerSecond
        progress = Self.progress(of: job)
        secondsLeft = Self.secondsLeft(of: job)
        sourceBytes = job.identity.size
        outputBytes = job.outputBytes
        contentHash = job.identity.contentHash
        busySeconds = job.busySeconds
        notices = job.notices
        copyOf = job.copyOf
        replacedBy = job.replacedBy
        settings = job.settings.arguments
        after = job.settings.after.rawValue
        created = job.created
        started = job.started
        finished = job.finished
        actions = Self.actions(for: job).map(\.rawValue)
    }

    private static func base64(_ path: FilePath) -> String? {
        path.bytes == Array(path.shown.utf8) ? nil : Data(path.bytes).base64EncodedString()
    }

    private static func progress(of job: Job) -> Double? {
        if job.state == .done { return 1 }
        guard let total = job.framesTotal, total > 0 else { return nil }
        // A container may promise fewer frames than there are.
        return min(1, Double(max(job.framesRendered, job.framesDone)) / Double(total))
    }

    private static func secondsLeft(of job: Job) -> Double? {
        guard job.state == .running, let total = job.framesTotal, let rate = job.framesPerSecond, rate > 0 else { return nil }
        return max(0, Double(total - max(job.framesRendered, job.framesDone)) / rate)
    }

    /// What makes sense to offer; the store has the last word.
    private static func actions(for job: Job) -> [JobRequest] {
        switch job.state {
        case .done: []
        case .failed, .cancelled: [.retry]
        case .queued: job.hold == .user ? [.resume, .cancel] : job.hold == .retry ? [.retry, .pause, .cancel] : [.pause, .cancel]
        case .probing, .running, .verifying: [.pause, .cancel]
        }
    }
}
