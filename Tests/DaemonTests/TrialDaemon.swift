import Foundation
import Glibc
import TestSupport
import Testing

/// A `solstice serve`, or `solstice watch`, that has been started, with the processes that it starts.
final class DaemonProgram {
    let running: Running
    /// Value of an environment variable that the daemon's children inherit: by it they are found when the daemon is dead.
    private let mark: String
    /// Workers that are stopped.
    private var held: [Int32] = []
    private static let variable = "SOLSTICE_TRIAL"

    init(_ arguments: [String], environment: [String: String], program: String = Program.solstice, in logs: URL) throws {
        mark = UUID().uuidString
        // What the tests themselves were started by must not be spoken to.
        let own = ["NOTIFY_SOCKET": "", "JOURNAL_STREAM": "", "STATE_DIRECTORY": "", Self.variable: mark]
        running = try Program.start(program, arguments, environment: own.merging(environment) { $1 }, in: logs)
    }

    var pid: Int32 { running.process.processIdentifier }
    var log: String { running.complaints }
    /// Lines of the log that hold `words`.
    func lines(_ words: String) -> [Substring] { log.split(separator: "\n").filter { $0.contains(words) } }

    // MARK: - The API

    /// The port of its page, once it has told it.
    var port: Int? {
        guard let place = log.range(of: "http://127.0.0.1:") else { return nil }
        return Int(log[place.upperBound...].prefix { $0.isNumber })
    }

    func get(_ path: String) -> (status: Int, body: String)? { port.flatMap { try? WebClient.ask($0, "GET", path) } }

    /// All jobs, newest first.
    var jobs: [JSONRow] {
        (get("/api/v1/jobs?limit=500")?.body).flatMap { JSONRow(line: Substring($0)) }?.rows("jobs") ?? []
    }

    var status: JSONRow? { (get("/api/v1/status")?.body).flatMap { JSONRow(line: Substring($0)) } }

    /// The first watch folder.
    var folder: JSONRow? { status?.rows("folders").first }

    /// The newest job of a file.
    func job(_ file: String) -> JSONRow? { jobs.first { $0.text("file") == file } }

    // MARK: - Waits

    static let patience = 60.0

    func wait(upTo limit: Double = patience, _ condition: () throws -> Bool) rethrows -> Bool {
        let end = Date().addingTimeInterval(limit)
        while true {
            let wasRunning = running.isRunning
            if try condition() { return true }
            if !wasRunning || Date() > end { return false }
            usleep(20_000)
        }
    }

    func waitReady() -> Bool { wait { get("/readyz")?.status == 200 } }

    /// Waits until the newest job of `file` is in a state.
    func wait(_ file: String, is state: String, upTo limit: Double = patience) -> Bool {
        var isReached = false
        _ = wait(upTo: limit) {
            let now = job(file).state
            isReached = now == state
            // It does not come back from there by itself.
            return isReached || now == "failed"
        }
        return isReached
    }

    /// Waits until exactly so many jobs are done and none is on its way; false as soon as nothing can come any more.
    func wait(done count: Int, upTo limit: Double = patience) -> Bool {
        var restingSince: Date?
        var isDone = false
        _ = wait(upTo: limit) {
            let states = jobs.map(\.state)
            isDone = false
            guard !states.isEmpty, !states.contains(where: { !["done", "failed", "cancelled"].contains($0) }) else {
                restingSince = nil
                return false
            }
            isDone = states.filter { $0 == "done" }.count == count
            restingSince = restingSince ?? Date()
            // A file may still be settling, and whoever looks at it may have to wait for the processor.
            return isDone || -(restingSince ?? Date()).timeIntervalSinceNow > 30
        }
        return isDone
    }

    // MARK: - Moments that last

    /// Waits until the newest job of `file` is running and is as wanted, and stops its worker there: a test that has to wait for
    /// the processor would else come when the clip is at its end. `letGo`, `stop` and whatever kills the worker end that.
    func hold(_ file: String, upTo limit: Double = patience, when isWanted: (JSONRow) -> Bool = { _ in true }) -> Bool {
        wait(upTo: limit) {
            func isThere() -> Bool { job(file).map { $0.state == "running" && isWanted($0) } ?? false }
            guard isThere() else { return false }
            held = workers.map(\.pid)
            for worker in held { Glibc.kill(worker, SIGSTOP) }
            // It may have gone on meanwhile.
            if !held.isEmpty, isThere() { return true }
            letGo()
            return false
        }
    }

    /// Workers that are held go on.
    func letGo() {
        for worker in held { Glibc.kill(worker, SIGCONT) }
        held = []
    }

    // MARK: - Its end

    /// SIGTERM, and how long it took to end. That this is soon is tested in one place only, as any machine may stall.
    func stop(_ signal: Int32 = SIGTERM) -> (outcome: Program.Outcome, seconds: Double) {
        let start = Date()
        running.send(signal: signal)
        letGo()
        let outcome = running.wait(limit: 60)
        return (outcome, Date().timeIntervalSince(start))
    }

    /// Everything that it has started and that still runs.
    var children: [ProcessTable.Entry] { ProcessTable.entries { $0 == "\(Self.variable)=\(mark)" }.filter { $0.pid != pid } }
    var workers: [ProcessTable.Entry] { children.filter { $0.words.dropFirst().first == "worker" } }
    var relays: [ProcessTable.Entry] { children.filter { $0.words.dropFirst().first == "relay" } }

    enum Victims: CaseIterable { case daemon, daemonAndWorkers, workers }

    /// kill -9; returns once the daemon is gone, where it is meant.
    func kill(_ victims: Victims) {
        switch victims {
        case .daemon: running.send(signal: SIGKILL)
        case .workers: for worker in workers { Glibc.kill(worker.pid, SIGKILL) }
        case .daemonAndWorkers:
            // Held still first, so that it starts nothing behind the list's back.
            running.send(signal: SIGSTOP)
            let all = children
            running.send(signal: SIGKILL)
            for child in all { Glibc.kill(child.pid, SIGKILL) }
        }
        if victims != .daemon { held = [] }
        if victims != .workers { running.process.waitUntilExit() }
    }

    /// Nothing of it is left behind.
    func discard() {
        if running.isRunning { kill(.daemonAndWorkers) }
        for child in children { Glibc.kill(child.pid, SIGKILL) }
        running.discard()
    }

    /// What a failing test needs to know.
    var story: Comment {
        Comment(rawValue: String(log.suffix(6000)) + "\n" + jobs.map(\.description).joined(separator: "\n").prefix(6000))
    }
}

extension JSONRow {
    /// The text of a key, empty where there is none.
    func words(_ key: String) -> String { text(key) ?? "" }
    /// Why a job failed: the code, and the text.
    var failureCode: String { row("failure")?.text("code") ?? "" }
    var failureText: String { row("failure")?.text("text") ?? "" }
    var state: String { words("state") }
    var hold: String { words("hold") }
}

extension JSONRow? {
    /// Nothing is in no state and has no reason.
    var state: String { self?.state ?? "" }
    var hold: String { self?.hold ?? "" }
    var failureCode: String { self?.failureCode ?? "" }
    var failureText: String { self?.failureText ?? "" }
    func words(_ key: String) -> String { self?.words(key) ?? "" }
}

/// The machine's processes, as /proc lists them.
enum ProcessTable {
    struct Entry {
        let pid: Int32
        /// The command line.
        let words: [String]
    }

    /// Those with an environment variable that suits; what has ended and waits to be reaped has none.
    static func entries(_ suits: (String) -> Bool) -> [Entry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.compactMap { pid in
            guard list("/proc/\(pid)/environ").contains(where: suits) else { return nil }
            return Entry(pid: pid, words: list("/proc/\(pid)/cmdline"))
        }
    }

    private static func list(_ path: String) -> [String] {
        guard let data = FileManager.default.contents(atPath: path) else { return [] }
        return data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// A client of one request a connection, blocking, as small as tests need it.
enum WebClient {
    static func ask(_ port: Int, _ method: String, _ path: String) throws -> (status: Int, body: String) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { throw POSIXError(.ECONNREFUSED) }
        let request = Array("\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { throw POSIXError(.EPIPE) }
        var answer: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            // A process that is stopped and goes on finds its calls with a time limit interrupted (signal(7)).
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            answer += buffer[..<count]
        }
        let text = String(decoding: answer, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n"), let status = Int(text.split(separator: " ").dropFirst().first ?? "") else {
            throw POSIXError(.EBADMSG)
        }
        return (status, String(text[end.upperBound...]))
    }
}
