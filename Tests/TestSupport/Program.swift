public import Foundation

/// Runs other programs: solstice itself, and ffmpeg and ffprobe as independent makers and readers of media.
public enum Program {
    public struct Outcome: Sendable {
        /// Exit code; 128 plus the signal's number where a signal ended the program.
        public let status: Int32
        public let output: String
        public let errors: String
        /// Peak resident memory in bytes, as far as it was seen while the program ran.
        public let peakMemory: Int
    }

    public struct Failure: Error, CustomStringConvertible {
        public let description: String

        public init(description: String) { self.description = description }
    }

    /// The solstice that was built with these tests.
    public static let solstice: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return (own as NSString).deletingLastPathComponent + "/solstice"
    }()

    /// Starts a program with its output going to files, so that it never waits for a reader.
    public static func start(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], in folder: URL
    ) throws -> Running {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try locate(path))
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        let name = UUID().uuidString
        let output = folder.appendingPathComponent(".\(name).out"), errors = folder.appendingPathComponent(".\(name).err")
        for file in [output, errors] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try withDeliverableSignals { try process.run() }
        return Running(process: process, output: output, errors: errors)
    }

    /// Runs `body` with no signal blocked on this thread. A child inherits what is blocked where it is started, and the threads that
    /// tests run on block nearly everything: such a child would never hear of a SIGTERM.
    private static func withDeliverableSignals(_ body: () throws -> Void) rethrows {
        var none = sigset_t(), before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    /// Runs a program to its end. One that takes longer than `limit` seconds is killed and reported as status -1.
    public static func run(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], limit: Double = 120
    ) throws -> Outcome {
        let folder = FileManager.default.temporaryDirectory
        return try start(path, arguments, environment: environment, in: folder).wait(limit: limit)
    }

    /// Runs a program that must succeed and returns its standard output.
    @discardableResult
    public static func output(_ path: String, _ arguments: [String]) throws -> String {
        let outcome = try run(path, arguments)
        guard outcome.status == 0 else {
            throw Failure(description: "\(path) \(arguments.joined(separator: " ")): status \(outcome.status): \(outcome.errors)")
        }
        return outcome.output
    }

    private static func locate(_ program: String) throws -> String {
        if program.contains("/") { return program }
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for folder in folders where FileManager.default.isExecutableFile(atPath: "\(folder)/\(program)") {
            return "\(folder)/\(program)"
        }
        throw Failure(description: "\(program) is not installed; the tests need it")
    }
}

/// A program that has been started.
public struct Running: @unchecked Sendable {
    // Safe to share: `Process` is used by one test at a time; only `interrupt` style calls cross threads, which it allows.
    public let process: Process
    let output: URL
    let errors: URL

    public func send(signal number: Int32) { kill(process.processIdentifier, number) }

    /// Waits for the end and collects what was printed.
    public func wait(limit: Double) -> Program.Outcome {
        let end = Date().addingTimeInterval(limit)
        var peak = 0
        while process.isRunning && Date() < end {
            peak = max(peak, residentPeak)
            usleep(5000)
        }
        let isLate = process.isRunning
        if isLate { send(signal: SIGKILL) }
        process.waitUntilExit()
        let status = isLate ? -1 : process.terminationStatus + (process.terminationReason == .uncaughtSignal ? 128 : 0)
        defer { for file in [output, errors] { try? FileManager.default.removeItem(at: file) } }
        return Program.Outcome(status: status, output: Self.text(output), errors: Self.text(errors), peakMemory: peak)
    }

    /// The kernel's own high-water mark (`VmHWM`), 0 once the program has ended.
    private var residentPeak: Int {
        guard let status = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") })
        else { return 0 }
        return (line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0) * 1024
    }

    static func text(_ file: URL) -> String {
        (try? Data(contentsOf: file)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}

/// A folder for one test, removed with it.
public final class TemporaryFolder: Sendable {
    public let url: URL

    public init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("solstice-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    public func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    /// Everything in it, hidden files included.
    public var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: url.path).sorted()) ?? [] }
}
