internal import Foundation
public import Logging
internal import Synchronization

/// The daemon's log: in the journal where standard error leads there, else lines on standard error.
public enum ServiceLog {
    private static let queue = Mutex<LogQueue?>(nil)
    private static let level = Mutex(Logger.Level.info)

    /// A logger for the whole daemon.
    public static func start(level: Logger.Level) -> Logger {
        let sink: any LogSink = JournalSink.isMeant() ? (try? JournalSink()) ?? LineSink.standardError : LineSink.standardError
        let queue = LogQueue(sink)
        Self.queue.withLock { $0 = queue }
        set(level: level)
        return Logger(label: "solstice") { _ in ServiceLogHandler(queue: queue) { Self.level.withLock { $0 } } }
    }

    /// Changes the level of every copy of the logger.
    public static func set(level: Logger.Level) { Self.level.withLock { $0 = level } }

    /// Lets what has been logged come out, for a moment; to be called before the process ends.
    public static func finish() { queue.withLock { $0 }?.finish(patience: 1) }
}

/// Puts what is logged into a queue; a part of a copy's own, its level is the daemon's.
struct ServiceLogHandler: LogHandler {
    let queue: LogQueue
    let sharedLevel: @Sendable () -> Logger.Level
    private var ownLevel: Logger.Level?
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(queue: LogQueue, sharedLevel: @escaping @Sendable () -> Logger.Level) {
        self.queue = queue
        self.sharedLevel = sharedLevel
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? sharedLevel() }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { $1 } }
        if let own = event.metadata { fields.merge(own) { $1 } }
        if let error = event.error { fields["error"] = "\(error)" }
        queue.put(LogRecord(level: event.level, text: "\(event.message)", metadata: fields))
    }
}
