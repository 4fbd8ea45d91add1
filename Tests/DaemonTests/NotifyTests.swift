import Foundation
import Logging
import TestSupport
import Testing

@testable import Daemon

/// A socket that datagrams come to, as the service manager's and the journal's.
final class DatagramReceiver: Sendable {
    let path: String
    private let socket: Int32

    /// - Parameter path: as in `$NOTIFY_SOCKET`.
    init(_ path: String) throws {
        self.path = path
        socket = Foundation.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(2 + bytes.count + (bytes[0] == 0 ? 0 : 1))
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, length) }
        }
        guard result == 0 else { throw Program.Failure(description: "no socket at \(path): \(errno)") }
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(socket) }

    /// The next datagram; nil where none comes for 10 s, or, without `waiting`, where none is there.
    func next(waiting: Bool = true) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        let count = recv(socket, &buffer, buffer.count, waiting ? 0 : Int32(MSG_DONTWAIT))
        return count >= 0 ? Array(buffer.prefix(count)) : nil
    }

    func nextText() -> String? { next().map { String(decoding: $0, as: UTF8.self) } }
}

@Suite("notices to systemd") struct NotifyTests {
    @Test("the words arrive, at a path and at an abstract address", arguments: [false, true])
    func words(_ isAbstract: Bool) throws {
        let folder = try TemporaryFolder()
        let receiver = try DatagramReceiver(isAbstract ? "@solstice-\(UUID().uuidString)" : folder.path("notify"))
        let notify = try #require(Notify.fromEnvironment(["NOTIFY_SOCKET": receiver.path]))
        notify.ready()
        #expect(receiver.nextText() == "READY=1")
        notify.reloading()
        let reloading = try #require(receiver.nextText()).split(separator: "\n")
        #expect(reloading.first == "RELOADING=1")
        // Microseconds since the machine's start, as systemd compares them.
        let uptime = try #require(Double(String(contentsOfFile: "/proc/uptime", encoding: .utf8).split(separator: " ")[0]))
        let told = try #require(reloading.last.flatMap { $0.hasPrefix("MONOTONIC_USEC=") ? Double($0.dropFirst(15)) : nil })
        #expect(abs(told * 1e-6 - uptime) < 3600 && told > 0)
        notify.status("3 jobs\nrunning")
        #expect(receiver.nextText() == "STATUS=3 jobs running")
        notify.status("3 jobs\nrunning")
        notify.stopping()
        #expect(receiver.nextText() == "STOPPING=1")
        #expect(receiver.next(waiting: false) == nil)
    }

    @Test("signs of life come where they are wanted, four times in the interval")
    func watchdog() async throws {
        let folder = try TemporaryFolder()
        let receiver = try DatagramReceiver(folder.path("notify"))
        // Far more than fifty calls take, whatever else the machine does.
        var environment = ["NOTIFY_SOCKET": receiver.path, "WATCHDOG_USEC": "80000000", "WATCHDOG_PID": "\(getpid())"]
        let patient = try #require(Notify.fromEnvironment(environment))
        #expect(abs((patient.watchdog ?? 0) - 80) < 1e-9)
        for _ in 0..<50 { patient.alive() }
        #expect(receiver.nextText() == "WATCHDOG=1")
        #expect(receiver.next(waiting: false) == nil)
        environment["WATCHDOG_USEC"] = "800000"
        let notify = try #require(Notify.fromEnvironment(environment))
        #expect(abs((notify.watchdog ?? 0) - 0.8) < 1e-9)
        for _ in 0..<2 {
            notify.alive()
            #expect(receiver.nextText() == "WATCHDOG=1")
            try await Task.sleep(for: .milliseconds(250))
        }
        environment["WATCHDOG_PID"] = "1"
        #expect(try #require(Notify.fromEnvironment(environment)).watchdog == nil)
        environment["WATCHDOG_PID"] = nil
        environment["WATCHDOG_USEC"] = "nonsense"
        let silent = try #require(Notify.fromEnvironment(environment))
        silent.alive()
        #expect(receiver.next(waiting: false) == nil)
    }

    @Test("no service manager, or one that has gone, is no harm")
    func absent() throws {
        #expect(Notify.fromEnvironment([:]) == nil)
        for path in ["", "relative", "vsock:2:1234", "/" + String(repeating: "x", count: 200), "@"] {
            #expect(Notify.fromEnvironment(["NOTIFY_SOCKET": path]) == nil, "\(path)")
        }
        try #require(Notify.fromEnvironment(["NOTIFY_SOCKET": "/no/such/socket"])).ready()
    }

    @Test("a manager that does not read holds nothing up for long")
    func full() throws {
        let folder = try TemporaryFolder()
        let receiver = try DatagramReceiver(folder.path("notify"))
        let notify = try #require(Notify.fromEnvironment(["NOTIFY_SOCKET": receiver.path]))
        let start = ContinuousClock.now
        for number in 0..<2000 { notify.status("\(number)") }
        #expect(ContinuousClock.now - start < .seconds(10))
    }
}

@Suite("the log") struct LogTests {
    private func logger(_ sink: any LogSink, level: Logger.Level = .info) -> (Logger, LogQueue) {
        let queue = LogQueue(sink)
        return (Logger(label: "test") { _ in ServiceLogHandler(queue: queue) { level } }, queue)
    }

    @Test("an entry of the journal has its fields")
    func journal() throws {
        let folder = try TemporaryFolder()
        let receiver = try DatagramReceiver(folder.path("journal"))
        let (log, queue) = logger(try JournalSink(path: receiver.path))
        log.warning("job paused", metadata: ["job": "12", "why": "disk full", "source-file": "two\nlines"])
        #expect(queue.finish(patience: 10))
        let bytes = try #require(receiver.next())
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("MESSAGE=job paused job=12 source-file=two\\nlines why=\"disk full\"\nPRIORITY=4\nSYSLOG_IDENTIFIER=solstice\nSOLSTICE_JOB=12\n"), "\(text)")
        #expect(text.hasSuffix("SOLSTICE_WHY=disk full\n"))
        let multiline = Array("SOLSTICE_SOURCE_FILE\n".utf8) + [9, 0, 0, 0, 0, 0, 0, 0] + Array("two\nlines\n".utf8)
        #expect(bytes.firstRange(of: multiline) != nil)
    }

    @Test("an entry that is too large comes all the same, cut")
    func large() throws {
        let folder = try TemporaryFolder()
        let receiver = try DatagramReceiver(folder.path("journal"))
        let (log, queue) = logger(try JournalSink(path: receiver.path))
        var fields: Logger.Metadata = [:]
        for number in 0..<40 { fields["field\(number)"] = "\(String(repeating: "x", count: 20_000))" }
        log.error("much", metadata: fields)
        #expect(queue.finish(patience: 10))
        let text = try #require(receiver.nextText())
        #expect(text.hasPrefix("MESSAGE=much field0=xxx") && text.contains("\nPRIORITY=3\n"))
    }

    @Test("names of fields are fit for the journal")
    func names() {
        #expect(JournalSink.fieldName("job") == "SOLSTICE_JOB" && JournalSink.fieldName("next-start in") == "SOLSTICE_NEXT_START_IN")
        #expect(JournalSink.fieldName("größe") == "SOLSTICE_GR__E")
        #expect(JournalSink.fieldName(String(repeating: "a", count: 100)).count == 64)
    }

    @Test("the journal is taken where standard error leads there")
    func isMeant() {
        var status = stat()
        #expect(fstat(STDIN_FILENO, &status) == 0)
        let own = "\(status.st_dev):\(status.st_ino)"
        #expect(JournalSink.isMeant(["JOURNAL_STREAM": own], descriptor: STDIN_FILENO))
        for other in ["\(status.st_dev):\(status.st_ino + 1)", "", "1", "a:b"] {
            #expect(!JournalSink.isMeant(["JOURNAL_STREAM": other], descriptor: STDIN_FILENO), "\(other)")
        }
        #expect(!JournalSink.isMeant([:], descriptor: STDIN_FILENO))
    }

    @Test("a line has its level and fields, and stays one line")
    func lines() {
        let written = Collected()
        let (log, queue) = logger(LineSink { written.add($0) })
        var copy = log
        copy[metadataKey: "relay"] = "gate"
        copy.notice("red \u{1B}[31m\u{202E}\n", metadata: ["file": "a \"b\".mp4", "empty": ""])
        log.debug("not shown")
        copy.logLevel = .debug
        copy.debug("shown")
        #expect(queue.finish(patience: 10))
        let lines = written.all.joined().split(separator: "\n")
        #expect(lines.count == 2, "\(lines)")
        #expect(lines.first?.hasSuffix(" notice: red \\u{1B}[31m\\u{202E}\\n empty=\"\" file=\"a \\\"b\\\".mp4\" relay=gate") == true, "\(lines)")
        #expect(lines.first.map { $0.contains("T") && $0.contains("Z notice") } == true)
        #expect(lines.last?.hasSuffix("debug: shown relay=gate") == true)
    }

    @Test("a log that nobody reads holds nothing up, and says what it lost")
    func blocked() async {
        let written = Collected()
        let gate = DispatchSemaphore(value: 0)
        let (log, queue) = logger(LineSink {
            if written.all.isEmpty { gate.wait() }
            written.add($0)
        })
        // So many may be in the writer's hands, and as many wait.
        let count = 2 * LogQueue.most + 500
        for number in 0..<count { log.info("\(number)") }
        #expect(!queue.finish(patience: 0.05))
        gate.signal()
        #expect(queue.finish(patience: 30))
        #expect(written.all.count <= count && written.all.count >= LogQueue.most)
        #expect(written.all.contains { $0.contains("warning: the log was not read fast enough lost=") })
    }
}
