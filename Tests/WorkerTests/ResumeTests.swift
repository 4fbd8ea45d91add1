import Foundation
import Jobs
import MediaIO
import Pipeline
import Synchronization
import SystemPackage
import TSIT
import TestSupport
import Testing

@testable import Worker

@Suite("Work that was interrupted", .serialized) struct ResumeTests {
    private let bench: WorkerBench
    init() throws { bench = try WorkerBench() }

    /// Sources and how they can be taken up again.
    enum Kind: String, CaseIterable, CustomTestStringConvertible {
        /// Reordered pictures, found by their times.
        case mp4
        /// No times: found by counting.
        case avi
        /// What comes out depends on earlier frames.
        case interlaced
        /// Frames that stand in for lost ones.
        case damaged
        /// Frames at uneven times.
        case uneven

        var testDescription: String { rawValue }
    }

    private func source(_ kind: Kind) throws -> String {
        let pictures = "-f lavfi -i testsrc2=s=160x90:r=25:d=4"
        switch kind {
        case .mp4: return try bench.source("a.mp4")
        case .avi: return try bench.source("a.avi", "\(pictures) \(WorkerBench.sound) -c:v mpeg4 -g 20 -c:a mp2")
        case .interlaced: return try bench.source("a.ts", "-f lavfi -i testsrc2=s=160x96:r=50:d=4,interlace -c:v mpeg2video -flags +ilme+ildct -g 12")
        case .uneven: return try bench.source("a.mkv", "\(pictures),select='mod(n\\,3)' -fps_mode vfr -c:v libx264 -g 20 -bf 2")
        case .damaged:
            let path = try bench.source("a.mkv", "\(pictures) -c:v libx264 -g 20 -bf 2")
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            for place in stride(from: bytes.count / 3, to: bytes.count / 3 + 2000, by: 7) { bytes[place] ^= 0x3c }
            try bytes.write(to: URL(fileURLWithPath: path))
            return path
        }
    }

    private func conversion(_ source: String, _ folder: String, _ request: ConvertRequest, key: String = "k") throws -> DurableConversion {
        try FileManager.default.createDirectory(atPath: bench.folder.path(folder), withIntermediateDirectories: true)
        let info = try SourceProbe.probe(path: source, interrupt: Interrupt())
        return try DurableConversion(request, source: info, folder: bench.folder.path(folder), key: key, checkpointSeconds: 0.003)
    }

    @Test("gives what it gives in one go, wherever it ended", arguments: Kind.allCases)
    func cutAnywhere(kind: Kind) async throws {
        let source = try source(kind)
        var request = WorkerBench.request()
        request.salvage = true
        let ending = kind == .avi ? "mkv" : (source as NSString).pathExtension
        (request.input, request.output) = (source, bench.folder.path("out/whole.\(ending)"))
        let translator = try await Translator.load(for: request)
        let reference = try await ConvertJob(request, translator: translator).run()
        let pictures = try WorkerBench.pictures(request.output)
        #expect(reference.frames == pictures.count)

        let whole = try conversion(source, "whole", request)
        let outcome = try await whole.render(stop: StopSwitch(), load: { translator }) { _, _, _ in }
        #expect(outcome == .rendered(frames: pictures.count))
        let journal = try Data(contentsOf: URL(fileURLWithPath: bench.folder.path("whole/packets.journal")))
        var random = SeededRandom(seed: 7)
        var starts: [Int] = []
        for round in 0..<4 {
            let name = "cut\(round)"
            let cut = try conversion(source, name, request)
            let length = round == 0 ? journal.count - 3 : Int.random(in: journal.count / 8..<journal.count, using: &random)
            try journal.prefix(length).write(to: URL(fileURLWithPath: bench.folder.path(name + "/packets.journal")))
            let first = Mutex<Int?>(nil)
            let outcome = try await cut.render(stop: StopSwitch(), load: { translator }) { frames, _, _ in
                first.withLock { $0 = $0 ?? frames }
            }
            #expect(outcome == .rendered(frames: pictures.count))
            starts.append(first.withLock { $0 } ?? pictures.count)
            let path = bench.folder.path("out/\(name).\(ending)")
            let joined = try await cut.join(to: path, mark: OutputMark(), translator: translator, stop: StopSwitch())
            #expect(joined.report.frames == pictures.count)
            #expect(try WorkerBench.pictures(path) == pictures)
            #expect(try Probe.packets(path, "a").map(\.hash) == Probe.packets(request.output, "a").map(\.hash))
            // libavcodec's threads do not always agree whether a frame near a damage was patched up.
            #expect(joined.notices.contains { $0.contains("frames are damaged") } == reference.damage.isDamaged)
        }
        // Work was taken up, not done again.
        #expect(starts.contains { $0 > 1 }, "every life began at the first frame")
    }

    @Test("with a translation too")
    func translated() async throws {
        let source = try bench.source("a.mp4", "-f lavfi -i testsrc2=s=320x180:r=25:d=0.8 -c:v libx264 -g 5 -bf 1")
        // Larger than the network, so that each frame depends on those before it through the detail transfer's average.
        var request = WorkerBench.request()
        request.strength = Timeline(1)
        request.networkSize = .fixed(width: 256, height: 128)
        (request.input, request.output) = (source, bench.folder.path("out/whole.mp4"))
        let translator = try await Translator.load(for: request)
        _ = try await ConvertJob(request, translator: translator).run()
        let stop = StopSwitch()
        let stopped = try await conversion(source, "w", request).render(stop: stop, load: { translator }) { frames, _, _ in
            if frames == 8 { stop.stop() }
        }
        guard case .stopped(let safe) = stopped, safe >= 8 else {
            Issue.record("\(stopped)")
            return
        }
        let again = try conversion(source, "w", request)
        let firstFrame = Mutex<Int?>(nil)
        let outcome = try await again.render(stop: StopSwitch(), load: { translator }) { frames, _, _ in firstFrame.withLock { $0 = $0 ?? frames } }
        #expect(outcome == .rendered(frames: 20))
        #expect(firstFrame.withLock { $0 } == safe + 1)
        _ = try await again.join(to: bench.folder.path("out/cut.mp4"), mark: OutputMark(), translator: translator, stop: StopSwitch())
        #expect(try WorkerBench.pictures(bench.folder.path("out/cut.mp4")) == WorkerBench.pictures(request.output))
        // The frame that was worked on could be looked at.
        for name in ["before.jpg", "after.jpg"] { #expect(try PictureIO.load(bench.folder.path("w/" + name)).width == 320) }
    }

    @Test("is refused for what would be opened at its beginning")
    func instances() throws {
        let source = try bench.source("a.mp4", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264")
        var request = WorkerBench.request()
        (request.input, request.output) = (source, bench.folder.path("out/a.mp4"))
        request.labels.instances = source
        #expect { _ = try conversion(source, "w", request) } throws: { ($0 as? MediaError)?.code == .unsupportedOption }
    }

    @Test("begins anew where the source is not what was rendered")
    func otherSource() async throws {
        let source = try bench.source("a.mp4")
        var request = WorkerBench.request()
        (request.input, request.output) = (source, bench.folder.path("out/a.mp4"))
        let translator = try await Translator.load(for: request)
        let stop = StopSwitch()
        let stopped = try await conversion(source, "w", request).render(stop: stop, load: { translator }) { frames, _, _ in
            if frames == 50 { stop.stop() }
        }
        guard case .stopped(let safe) = stopped, safe > 0 else {
            Issue.record("\(stopped)")
            return
        }
        // Other pictures at the same times, under the same key.
        try bench.source("a.mp4", "-f lavfi -i testsrc=s=160x90:r=25:d=4 -c:v libx264 -g 20 -bf 2")
        let again = try conversion(source, "w", request)
        let firstFrame = Mutex<Int?>(nil)
        _ = try await again.render(stop: StopSwitch(), load: { translator }) { frames, _, _ in firstFrame.withLock { $0 = $0 ?? frames } }
        #expect(firstFrame.withLock { $0 } == 1)
        _ = try await again.join(to: request.output, mark: OutputMark(), translator: translator, stop: StopSwitch())
        #expect(try WorkerBench.pictures(request.output) == WorkerBench.pictures(source))
    }

    @Test("is stopped in good time, and says what is safe")
    func stopped() async throws {
        try bench.source("a.mp4")
        let order = try bench.order("a.mp4")
        var ends: [Int] = []
        var last = WorkMessage.verifying
        for _ in 0..<20 {
            let stop = StopSwitch()
            let began = ContinuousClock.now
            last = try await bench.run(order, stop: stop) { message in
                if case .progress(_, let safe, _, _) = message, safe > 0 { stop.stop() }
            }
            #expect(ContinuousClock.now - began < .seconds(30))
            guard case .stopped(let safe) = last else { break }
            ends.append(safe)
        }
        // The next one needs no stop.
        if last.frames == nil { last = try await bench.run(order) }
        #expect(last.frames == 100)
        #expect(!ends.isEmpty && ends == ends.sorted() && ends.allSatisfy { $0 > 0 })
        #expect(try WorkerBench.pictures(bench.folder.path("out/a.mp4")) == WorkerBench.pictures(bench.folder.path("in/a.mp4")))
        #expect(bench.names("out") == ["a.mp4"])
    }

    @Test("fails as it does in one go where too much is damaged, also behind a checkpoint")
    func damageLimit() async throws {
        let source = try source(.damaged)
        var request = WorkerBench.request()
        (request.input, request.output) = (source, bench.folder.path("out/a.mkv"))
        request.maxErrorShare = 0.001
        #expect(try await bench.run(bench.order("a.mkv"), request: request).failure?.code == "damaged")
        let again = try await bench.run(bench.order("a.mkv"), request: request).failure
        #expect(again?.code == "damaged" && again?.mayPass == false)
        #expect(bench.names("out").isEmpty)
    }
}

@Suite("Results put in place") struct PublicationTests {
    private let bench: WorkerBench
    init() throws { bench = try WorkerBench() }

    /// A result with two sidecars in the hidden folder.
    private func staged() throws -> (Publication, WorkPaths) {
        try Data("source".utf8).write(to: URL(fileURLWithPath: bench.folder.path("in/a.mp4")))
        let paths = try WorkPaths(bench.order("a.mp4"))
        try WorkFiles.makeFolder(.init(paths.folder))
        try paths.hidden.make()
        let files = ["a.mp4", "a.mp4.streams.mov", "a.mp4.streams.json"]
        for name in files { try WorkFiles.write(Array(name.utf8), to: paths.stage.appending(name)) }
        let status = try #require(try WorkFiles.status(paths.result))
        let made = MadeResult(
            key: "k", frames: 1, bytes: status.size, modified: status.modified, files: files, runStarts: [0], isVerified: true, notices: [])
        return (Publication(paths: paths, made: made), paths)
    }

    @Test("whichever step was the last of an earlier life", arguments: 0...6)
    func steps(step: Int) throws {
        let (publication, paths) = try staged()
        let names = ["a.mp4.streams.mov", "a.mp4.streams.json", "a.mp4"]
        // Steps come in pairs: the second name is there, the first one is gone.
        for index in 0..<step {
            let name = names[index / 2]
            let (from, to) = (paths.stage.appending(name), paths.place(ofStaged: name))
            if index % 2 == 0 {
                #expect(from.withPlatformString { from in to.withPlatformString { link(from, $0) } } == 0)
            } else {
                WorkFiles.remove(from)
            }
        }
        #expect(publication.isPossible)
        try publication.run()
        #expect(bench.names("out") == ["a.mp4", "a.mp4.streams.json", "a.mp4.streams.mov"])
        for name in names { #expect(try String(contentsOfFile: bench.folder.path("out/" + name), encoding: .utf8) == name) }
    }

    @Test("never over what somebody else has there")
    func foreign() throws {
        let (publication, paths) = try staged()
        let other = bench.folder.path("out/a.mp4.streams.json")
        try Data("mine".utf8).write(to: URL(fileURLWithPath: other))
        do {
            try publication.run()
            Issue.record("a file was replaced")
        } catch {
            #expect(error.code == .outputExists)
        }
        #expect(bench.names("out").count == 2 && bench.names("out").first?.hasPrefix(".solstice-tok-7-") == true)
        #expect(try String(contentsOfFile: other, encoding: .utf8) == "mine")
    }

    @Test("not where a part has gone")
    func incomplete() throws {
        let (publication, paths) = try staged()
        WorkFiles.remove(paths.result)
        #expect(!publication.isPossible)
    }
}
