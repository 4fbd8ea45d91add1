import Foundation
import Glibc
import Jobs
import MediaIO
import SystemPackage
import TestSupport
import Testing

@testable import Worker

/// `solstice worker` as the daemon runs it.
@Suite("The worker's process", .serialized) struct WorkerProcessTests {
    private let bench: WorkerBench
    init() throws { bench = try WorkerBench() }

    /// A process with an order, and what it has printed by its end.
    final class Child {
        let process = Process()
        let input = Pipe()
        let output = Pipe()

        /// - Parameter isPlanned: the order gets the identity that its settings have, as a daemon plans it.
        init(_ order: WorkOrder, environment: [String: String] = [:], isPlanned: Bool = true) throws {
            var order = order
            if isPlanned { order.settings.identity = try Self.identity(of: order) }
            process.executableURL = URL(fileURLWithPath: Program.solstice)
            process.arguments = ["worker"]
            process.standardInput = input
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
                .merging(environment) { $1 }
            try process.run()
            try input.fileHandleForWriting.write(contentsOf: JSONEncoder().encode(order) + Data("\n".utf8))
        }

        /// What the order's settings come to; that given where they are wrong.
        static func identity(of order: WorkOrder) throws -> String {
            var probe = order
            probe.workFolder += "-probe"
            probe.settings.identity = "none"
            let child = try Child(probe, isPlanned: false)
            let told = try child.next { if case .settingsNow = $0 { true } else { false } }
            child.process.waitUntilExit()
            if case .settingsNow(let identity)? = told { return identity }
            return order.settings.identity
        }

        /// Reads messages until one is as wanted; nil where the output ends before.
        func next(where isWanted: (WorkMessage) -> Bool) throws -> WorkMessage? {
            while let line = try line() {
                let message = try JSONDecoder().decode(WorkMessage.self, from: line)
                if isWanted(message) { return message }
            }
            return nil
        }

        private var buffer = Data()

        private func line() throws -> Data? {
            while true {
                if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                    defer { buffer = Data(buffer[(end + 1)...]) }
                    return buffer[..<end]
                }
                let data = output.fileHandleForReading.availableData
                guard !data.isEmpty else { return nil }
                buffer += data
            }
        }
    }

    private func order() throws -> WorkOrder {
        var order = try bench.order("a.mp4")
        order.settings.arguments = ["--strength=0", "--crf=0", "--preset=ultrafast"]
        order.checkpointSeconds = 0.02
        return order
    }

    @Test("killed again and again, gives the whole result")
    func killed() throws {
        let source = try bench.source("a.mp4", "-f lavfi -i testsrc2=s=320x180:r=25:d=12 \(WorkerBench.sound) -c:v libx264 -g 20 -bf 2 -c:a aac")
        let order = try order()
        var safe = 0
        for _ in 0..<3 {
            let child = try Child(order)
            let message = try child.next { message in
                if case .progress(_, let now, _, _) = message { return now > safe }
                return message.frames != nil
            }
            kill(child.process.processIdentifier, SIGKILL)
            child.process.waitUntilExit()
            if case .progress(_, let now, _, _) = message { safe = now }
        }
        let child = try Child(order)
        let last = try #require(try child.next { message in message.frames != nil || message.failure != nil })
        child.process.waitUntilExit()
        #expect(child.process.terminationStatus == 0)
        #expect(last.frames == 300)
        #expect(try WorkerBench.pictures(bench.folder.path("out/a.mp4")) == WorkerBench.pictures(source))
        #expect(bench.names("out") == ["a.mp4"])
    }

    @Test("stops at a checkpoint when its input ends, or at SIGTERM", arguments: [false, true])
    func stops(bySignal: Bool) throws {
        try bench.source("a.mp4", "-f lavfi -i testsrc2=s=640x360:r=25:d=60 -c:v libx264 -preset ultrafast -g 20")
        // So much to do that it cannot be at its end before it hears of it.
        var order = try order()
        order.settings.arguments = ["--strength=1", "--network-size=256x128"]
        let child = try Child(order)
        _ = try child.next { if case .progress = $0 { true } else { false } }
        if bySignal { kill(child.process.processIdentifier, SIGTERM) } else { try child.input.fileHandleForWriting.close() }
        let began = ContinuousClock.now
        let last = try child.next { if case .stopped = $0 { true } else { $0.frames != nil } }
        child.process.waitUntilExit()
        #expect(ContinuousClock.now - began < .seconds(60))
        guard case .stopped(let safe)? = last else {
            Issue.record("it did not stop: \(String(describing: last))")
            return
        }
        #expect(safe > 0)
        #expect(child.process.terminationStatus == 0)
    }

    @Test("says what is wrong with an order")
    func badOrders() throws {
        try Data("text".utf8).write(to: URL(fileURLWithPath: bench.folder.path("in/a.mp4")))
        var order = try order()
        order.settings.arguments = ["--to=autumn"]
        let child = try Child(order)
        let failure = try #require(try child.next { $0.failure != nil }?.failure)
        #expect(failure.code == "unsupportedOption" && failure.text.contains("autumn") && !failure.mayPass)
        child.process.waitUntilExit()
        #expect(child.process.terminationStatus == 31)

        let media = try Child(self.order())
        #expect(try media.next { $0.failure != nil }?.failure?.code == "notMedia")
        media.process.waitUntilExit()
        #expect(media.process.terminationStatus == 11)
        // It is not for people.
        #expect(try !Program.run(Program.solstice, ["--help"]).output.contains("worker"))
        #expect(try Program.run(Program.solstice, ["worker"]).status == 64)
    }
}
