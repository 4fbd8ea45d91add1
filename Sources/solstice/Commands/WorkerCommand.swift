internal import ArgumentParser
internal import Foundation
internal import Jobs
internal import Pipeline
internal import Synchronization
internal import Worker

/// One job of the daemon, in a process of its own; not for people.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Do one job of the daemon: its order comes on standard input, what there is to tell goes to standard output.",
        discussion: "The first line of standard input is the order, a JSON object. The work stops at a checkpoint when that input ends, or at SIGTERM.",
        shouldDisplay: false)

    func run() async throws {
        let input = OrderInput()
        guard let line = input.line else { throw ValidationError("An order is expected on standard input.") }
        let order: WorkOrder
        do { order = try JSONDecoder().decode(WorkOrder.self, from: line) } catch {
            throw ValidationError("Standard input holds no order: \(error)")
        }
        let output = MessageOutput()
        let request: ConvertRequest
        do { request = try JobOptions.parse(order.settings.arguments).request(input: "", output: "") } catch {
            let failure = OptionFailure(error, of: JobOptions.self)
            output.write(.failed(JobFailure(code: "\(ExitStatus.unsupportedOption)", text: "\(failure)", mayPass: false)))
            throw ExitStatus.unsupportedOption.exitCode
        }
        let stop = StopSwitch()
        output.onBroken = { stop.stop() }
        let signals = Signals.watch([SIGINT, SIGTERM, SIGHUP]) { _ in stop.stop() }
        defer { for signal in signals { signal.cancel() } }
        input.onEnd { stop.stop() }
        let worker = try Worker(
            order, request: request, stop: stop, identity: { try JobIdentity.of($0.arguments) }, codeName: { "\(ExitStatus($0))" }
        ) { output.write($0) }
        let last = await worker.run()
        // Stages that a stop has found at work need not be waited for: nothing of theirs is on the disk.
        Foundation.exit(Self.status(of: last).rawValue)
    }

    private static func status(of message: WorkMessage) -> ExitStatus {
        guard case .failed(let failure) = message else { return .success }
        return ExitStatus.allCases.first { "\($0)" == failure.code } ?? .internalFailure
    }
}

/// Standard input: one line, and its end.
private final class OrderInput: Sendable {
    let line: Data?
    private static let mostBytes = 4 << 20
    /// Seconds that the way to a checkpoint may take.
    private static let patience: UInt32 = 9

    init() {
        var bytes = Data()
        var byte: UInt8 = 0
        var isWhole = false
        while bytes.count < Self.mostBytes, read(STDIN_FILENO, &byte, 1) == 1 {
            if byte == UInt8(ascii: "\n") {
                isWhole = true
                break
            }
            bytes.append(byte)
        }
        line = isWhole || !bytes.isEmpty ? bytes : nil
    }

    /// Calls `body` on a thread of its own when nothing follows any more.
    func onEnd(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread {
            var buffer = [UInt8](repeating: 0, count: 256)
            while true {
                let count = read(STDIN_FILENO, &buffer, buffer.count)
                if count == 0 || (count < 0 && errno != EINTR) { break }
            }
            body()
            // One that hangs must not keep its successor from the job.
            sleep(Self.patience)
            _exit(ExitStatus.terminated.rawValue)
        }
        thread.stackSize = 256 << 10
        thread.start()
    }
}

/// Standard output: one JSON object a line.
private final class MessageOutput: Sendable {
    private struct State {
        var isBroken = false
        var onBroken: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// Called once when nobody reads any more.
    var onBroken: (@Sendable () -> Void)? {
        get { state.withLock { $0.onBroken } }
        set { state.withLock { $0.onBroken = newValue } }
    }

    func write(_ message: WorkMessage) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let line = try? encoder.encode(message) else { return }
        let broken: (@Sendable () -> Void)? = state.withLock { state in
            guard !state.isBroken, !Self.write(line + [UInt8(ascii: "\n")]) else { return nil }
            state.isBroken = true
            return state.onBroken
        }
        broken?()
    }

    private static func write(_ bytes: Data) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
