internal import Foundation
internal import Logging

/// One line of the log with what belongs to it.
struct LogRecord: Sendable, Equatable {
    var level: Logger.Level
    var text: String
    /// Sorted by name.
    var fields: [(name: String, value: String)] = []

    static func == (one: LogRecord, other: LogRecord) -> Bool {
        one.level == other.level && one.text == other.text && one.fields.elementsEqual(other.fields, by: ==)
    }

    init(level: Logger.Level, text: String, metadata: Logger.Metadata = [:]) {
        self.level = level
        self.text = text
        fields = metadata.map { ($0.key, "\($0.value)") }.sorted { $0.0 < $1.0 }
    }

    /// The text with its fields, as in `job done file=a.mp4 job=12`; whatever they hold, it is one line without control characters.
    var line: String {
        Self.printable(text) + fields.map { " \(Self.printable($0.name))=\(Self.quoted($0.value))" }.joined()
    }

    private static func quoted(_ value: String) -> String {
        let shown = printable(value)
        guard shown.isEmpty || shown.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return shown }
        return "\"" + shown.replacingOccurrences(of: "\"", with: "\\\"") + "\""
    }

    /// Control characters, and those that turn the direction of writing, are escaped.
    static func printable(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: result += scalar.escaped(asASCII: true)
            default: result.unicodeScalars.append(scalar)
            }
        }
    }
}

/// Takes lines of the log to where they belong; calls may block, and come one after another.
protocol LogSink: Sendable {
    func write(_ record: LogRecord)
}

/// Lines on standard error: the time (UTC), the level, the text and its fields.
struct LineSink: LogSink {
    let put: @Sendable (Data) -> Void

    static let standardError = LineSink { try? FileHandle.standardError.write(contentsOf: $0) }

    func write(_ record: LogRecord) {
        let time = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        put(Data("\(time) \(record.level.rawValue): \(record.line)\n".utf8))
    }
}

/// Entries of systemd's journal, in its own protocol (systemd's "Native Journal Protocol"): one datagram each, so that the
/// fields can be searched for, as in `journalctl SOLSTICE_JOB=12`.
struct JournalSink: LogSink {
    private let socket: UnixDatagram
    /// Bytes of one value; a datagram has room for a few of them.
    static let longest = 16 << 10
    static let standardPath = "/run/systemd/journal/socket"

    /// Throws `SystemFailure` `.badSocket`.
    init(path: String = standardPath) throws(SystemFailure) { socket = try UnixDatagram(path: path) }

    /// True where standard error leads to the journal, as `$JOURNAL_STREAM` says (systemd.exec(5)).
    static func isMeant(_ environment: [String: String] = ProcessInfo.processInfo.environment, descriptor: Int32 = STDERR_FILENO) -> Bool {
        guard let numbers = environment["JOURNAL_STREAM"]?.split(separator: ":"), numbers.count == 2 else { return false }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        return UInt64(numbers[0]) == UInt64(status.st_dev) && UInt64(numbers[1]) == UInt64(status.st_ino)
    }

    func write(_ record: LogRecord) {
        guard socket.send(Self.datagram(record), patience: 1) == EMSGSIZE else { return }
        // Many long fields: the line alone, which says the same.
        socket.send(Self.datagram(LogRecord(level: record.level, text: String(record.line.prefix(4096)))), patience: 1)
    }

    static func datagram(_ record: LogRecord) -> [UInt8] {
        var bytes: [UInt8] = []
        func add(_ name: String, _ value: String) {
            var value = Array(value.utf8)
            if value.count > longest { value = Array(value.prefix(longest)) }
            bytes += Array(name.utf8)
            if value.contains(UInt8(ascii: "\n")) {
                // A value of several lines has its length before it, 64 bits, least byte first.
                bytes.append(UInt8(ascii: "\n"))
                bytes += withUnsafeBytes(of: UInt64(value.count).littleEndian) { Array($0) }
            } else {
                bytes.append(UInt8(ascii: "="))
            }
            bytes += value + [UInt8(ascii: "\n")]
        }
        add("MESSAGE", record.line)
        add("PRIORITY", "\(priority(record.level))")
        add("SYSLOG_IDENTIFIER", "solstice")
        for field in record.fields { add(fieldName(field.name), field.value) }
        return bytes
    }

    /// `job` as `SOLSTICE_JOB`: names are upper-case letters, digits and `_`, 64 at most.
    static func fieldName(_ name: String) -> String {
        let letters = name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
        return String(("SOLSTICE_" + String(letters).uppercased()).prefix(64))
    }

    /// syslog(3).
    static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }
}
