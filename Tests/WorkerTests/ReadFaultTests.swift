import Foundation
import Glibc
import Jobs
import TestSupport
import Testing

@testable import Worker

/// A disk or a network that fails for a while costs nothing of what is rendered.
@Suite("Failed reads of a job's source", .serialized, .enabled(if: Faults.isAvailable, "needs a clang that builds Tests/Fixtures/faults.c"))
struct ReadFaultTests {
    private let bench: WorkerBench
    init() throws { bench = try WorkerBench() }

    @Test("are passing faults, behind which the job goes on where it was", arguments: ["ts", "mkv"])
    func resumed(ending: String) throws {
        let source = try bench.source("a.\(ending)", "-f lavfi -i testsrc2=s=320x180:r=25:d=12 -c:v libx264 -g 10 -bf 2")
        var order = try bench.order("a.\(ending)")
        order.settings.arguments = ["--strength=0", "--crf=0", "--preset=ultrafast"]
        order.checkpointSeconds = 0.02
        let safe = try firstLife(&order)
        #expect(safe > 0)

        let size = try Data(contentsOf: URL(fileURLWithPath: source)).count
        for offset in [size / 100, size / 3] {
            let environment = Faults.environment(file: "/in/a.\(ending)", from: offset)
            let faulty = try WorkerProcessTests.Child(order, environment: environment)
            let failure = try #require(try faulty.next { $0.failure != nil }?.failure)
            faulty.process.waitUntilExit()
            #expect(failure.code == "unreadable" && failure.mayPass, "\(failure)")
        }
        let last = try WorkerProcessTests.Child(order)
        let first = try last.next { if case .progress = $0 { true } else { false } }
        guard case .progress(let frames, _, _, _)? = first else {
            Issue.record("no progress")
            return
        }
        #expect(frames > safe, "the journal was begun anew")
        #expect(try last.next { $0.frames != nil }?.frames == 300)
        last.process.waitUntilExit()
        #expect(try WorkerBench.pictures(bench.folder.path("out/a.\(ending)")).count == 300)
    }

    @Test("and of a result that stands there do not make it somebody else's file")
    func standingTransportStream() throws {
        let source = try bench.source("a.ts", "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -c:v libx264 -g 10 -bf 2")
        var order = try bench.order("a.ts")
        order.settings.arguments = ["--strength=0", "--crf=0", "--preset=ultrafast"]
        let first = try WorkerProcessTests.Child(order)
        #expect(try first.next { $0.frames != nil }?.frames == 25)
        first.process.waitUntilExit()
        let result = bench.folder.path("out/a.ts")
        let size = try Data(contentsOf: URL(fileURLWithPath: result)).count
        // Another job, as after the daemon's state was lost.
        order.job = 8
        order.workFolder = bench.folder.path("work8")
        // Its last packet holds the mark.
        let faulty = try WorkerProcessTests.Child(order, environment: Faults.environment(file: "/out/a.ts", from: size - 188))
        let failure = try #require(try faulty.next { $0.failure != nil }?.failure)
        faulty.process.waitUntilExit()
        #expect(failure.code == "unreadable" && failure.mayPass, "\(failure)")
        let last = try WorkerProcessTests.Child(order)
        #expect(try last.next { if case .foundDone = $0 { true } else { $0.failure != nil } } == .foundDone(bytes: Int64(size)))
        last.process.waitUntilExit()
        #expect(FileManager.default.fileExists(atPath: source))
    }

    @Test("of the result that stands in the place make it nobody else's", arguments: [0, 20_000])
    func standing(offset: Int) throws {
        try bench.source("a.mkv", "-f lavfi -i testsrc2=s=160x90:r=25:d=2 -c:v libx264 -g 10")
        var order = try bench.order("a.mkv")
        order.settings.arguments = ["--strength=0", "--crf=0", "--preset=ultrafast"]
        #expect(try last(order)?.frames == 50)
        let result = bench.folder.path("out/a.mkv"), bytes = try Data(contentsOf: URL(fileURLWithPath: result))
        #expect(bytes.count > 40_000)
        // Another life with the same order, as after a loss of the database.
        order.workFolder = bench.folder.path("work-anew")
        let failure = try #require(try last(order, Faults.environment(file: "/out/a.mkv", from: offset))?.failure)
        #expect(failure.code == "unreadable" && failure.mayPass && failure.text.contains(result), "\(failure)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: result)) == bytes)
        #expect(try last(order) == .foundDone(bytes: Int64(bytes.count)))
    }

    /// What a worker says last.
    private func last(_ order: WorkOrder, _ environment: [String: String] = [:]) throws -> WorkMessage? {
        let child = try WorkerProcessTests.Child(order, environment: environment)
        var last: WorkMessage?
        _ = try child.next { message in
            last = message
            return false
        }
        child.process.waitUntilExit()
        return last
    }

    /// Renders until something is safe, and is killed; how many frames are safe then.
    private func firstLife(_ order: inout WorkOrder) throws -> Int {
        let child = try WorkerProcessTests.Child(order)
        var safe = 0
        _ = try child.next { message in
            if case .hashed(let hash) = message { order.identity.contentHash = hash }
            if case .progress(_, let now, _, _) = message { safe = now }
            return safe > 100
        }
        kill(child.process.processIdentifier, SIGKILL)
        child.process.waitUntilExit()
        return safe
    }
}
