import Foundation
import Pipeline
import TestSupport
import Testing

@Suite("The pipeline", .serialized) struct PipelineContractTests {
    @Test("decodes the next frame and encodes the last one while it generates one")
    func overlap() async throws {
        let folder = try TemporaryFolder()
        let request = try Self.request(in: folder, seconds: 3)
        let trace = Trace()
        let translator = try await Translator.load(for: request)
        let report = try await ConvertJob(request, translator: translator).run(trace: trace)
        #expect(report.frames == 75)

        let events = Dictionary(grouping: trace.events, by: \.stage)
        let names = ["demux", "decode", "preprocess", "generate", "postprocess", "encode", "mux"]
        #expect(Set(events.keys) == Set(names))
        #expect(report.stages.map(\.name) == names)
        let generate = try #require(events["generate"]), encode = try #require(events["encode"])
        let preprocess = try #require(events["preprocess"])
        #expect(generate.count == 75 && preprocess.count == 75)
        // A frame is prepared only after it was decoded, so a later frame's preparation shows its decoding as well.
        let overlapping = generate.dropFirst().dropLast().filter { now in
            let next = preprocess[now.index + 1], last = encode[now.index - 1]
            return next.start < now.end && last.end > now.start
        }
        #expect(!overlapping.isEmpty)
        // Frames pass every stage in order.
        for stage in [preprocess, generate, encode] {
            #expect(zip(stage, stage.dropFirst()).allSatisfy { $0.end <= $1.start && $0.index + 1 == $1.index })
        }
    }

    @Test("makes several outputs side by side")
    func branches() async throws {
        let folder = try TemporaryFolder()
        let request = try Self.request(in: folder, seconds: 3, outputs: 3)
        let trace = Trace()
        let translator = try await Translator.load(for: request)
        let report = try await ConvertJob(request, translator: translator).run(trace: trace)
        let shared = ["demux", "decode", "preprocess", "generate"]
        let branches = ["", " 2", " 3"].map { number in ["postprocess", "encode", "mux"].map { $0 + number } }
        #expect(report.stages.map(\.name) == shared + branches.flatMap { $0 })
        #expect(report.outputs.map(\.frames) == [75, 75, 75])

        let events = Dictionary(grouping: trace.events, by: \.stage)
        // Once for all.
        #expect(shared[2...].allSatisfy { events[$0]?.count == 75 })
        let first = try #require(events["postprocess"]), others = try [" 2", " 3"].map { try #require(events["postprocess" + $0]) }
        for other in others {
            #expect(other.count == 75)
            #expect(zip(first, other).contains { $0.start < $1.end && $1.start < $0.end })
        }
    }

    @Test("leaves no thread and no open file behind, finished, cancelled or failed", arguments: [1, 2])
    func leaks(outputs: Int) async throws {
        let folder = try TemporaryFolder()
        let request = try Self.request(in: folder, seconds: 2, outputs: outputs)
        let translator = try await Translator.load(for: request)
        func run(cancelling: Bool, failing: Bool) async throws {
            var request = request
            if failing { request.encoder.name = "h263" }
            let job = ConvertJob(request, translator: translator)
            let task = Task { try await job.run() }
            if cancelling {
                try await Task.sleep(for: .milliseconds(60))
                task.cancel()
            }
            let result = await task.result
            #expect(((try? result.get()) != nil) == !(cancelling || failing))
            for output in request.outputs { try? FileManager.default.removeItem(atPath: output) }
        }
        try await run(cancelling: false, failing: false)
        for _ in 0..<5 {
            try await run(cancelling: true, failing: false)
            try await run(cancelling: false, failing: true)
            try await run(cancelling: false, failing: false)
        }
        // A thread that has delivered its result may need a moment to end and to let go of what it worked on.
        let end = Date().addingTimeInterval(10)
        func threads() -> Int { ["demux", "decode", "generate", "encode", "mux"].reduce(0) { $0 + Self.threads(named: $1) } }
        func files() -> [String] { Self.openFiles(below: folder.url.path) }
        while threads() > 0 || !files().isEmpty, Date() < end { try await Task.sleep(for: .milliseconds(5)) }
        #expect(threads() == 0)
        #expect(files() == [])
        #expect(folder.names == (outputs == 1 ? ["in.mp4"] : ["in.mp4", "style.png"]))
    }

    @Test("needs no more memory for a longer video", arguments: [1, 2])
    func memory(outputs: Int) throws {
        let folder = try TemporaryFolder()
        func peak(seconds: Int) throws -> Double {
            let request = try Self.request(in: folder, seconds: seconds, outputs: outputs)
            let also = request.also.flatMap { ["--also", "\($0.recipe)=\($0.output)"] }
            let outcome = try Program.run(
                Program.solstice, ["convert", request.input, request.output, "--overwrite"] + also + ContractTests.quick)
            #expect(outcome.status == 0, "\(outcome.errors)")
            return Double(outcome.peakMemory)
        }
        let short = try peak(seconds: 10), long = try peak(seconds: 60)
        #expect(short > 10e6)
        #expect(long < short * 1.05, "\(short) bytes for 10 s, \(long) for 60 s")
    }

    private static func request(in folder: TemporaryFolder, seconds: Int, outputs: Int = 1) throws -> ConvertRequest {
        let input = folder.path("in.mp4")
        try Program.output(
            "ffmpeg",
            ["-v", "error", "-y", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=\(seconds)"] + Source.x264 + [input])
        var request = ConvertRequest(input: input, output: folder.path("out.mp4"))
        request.networkSize = .fixed(width: 256, height: 128)
        if outputs > 1 {
            let style = folder.path("style.png")
            try Program.output("ffmpeg", ["-v", "error", "-y", "-nostdin", "-i", input, "-frames:v", "1", style])
            request.also = (2...outputs).map { .init(recipe: .init(reference: style), output: folder.path("out\($0).mp4")) }
        }
        return request
    }

    /// Files that this process has open in a folder; other tests run beside this one and open theirs.
    private static func openFiles(below folder: String) -> [String] {
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        let files = descriptors.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
        return files.filter { $0.hasPrefix(folder) }
    }

    private static func threads(named name: String) -> Int {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        return threads.count { thread in
            (try? String(contentsOfFile: "/proc/self/task/\(thread)/comm", encoding: .utf8))?.hasPrefix(name) == true
        }
    }
}
