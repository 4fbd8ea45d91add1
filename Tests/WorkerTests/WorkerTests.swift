import Foundation
import Glibc
import MediaIO
import Pipeline
import Synchronization
import SystemPackage
import TSIT
import TestSupport
import Testing

@testable import Jobs
@testable import Worker

@Suite("A worker") struct WorkerTests {
    private let bench: WorkerBench
    init() throws { bench = try WorkerBench() }

    @Test("does a job from the source to the verified result in its place")
    func wholeJob() async throws {
        let source = try bench.source("a.mp4")
        let order = try bench.order("a.mp4", target: "sub/b.mp4")
        let last = try await bench.run(order)
        let target = bench.folder.path("out/sub/b.mp4")
        let size = try #require(try FileManager.default.attributesOfItem(atPath: target)[.size] as? Int64 ?? nil)
        #expect(last == .finished(frames: 100, bytes: size, copied: false))
        #expect(bench.hash?.count == 64)
        #expect(bench.messages.contains(.probed(frames: 100, seconds: 4)) || bench.messages.contains { if case .probed(100, _) = $0 { true } else { false } })
        #expect(bench.messages.count { $0 == .verifying } == 1)
        // The same pictures and sound, nothing left over, and the pictures of the running frame gone.
        #expect(try WorkerBench.pictures(target) == WorkerBench.pictures(source))
        #expect(try Probe.packets(target, "a").map(\.hash) == Probe.packets(source, "a").map(\.hash))
        #expect(try Probe.tags(target)["title"] == "Road")
        #expect(bench.names("out/sub") == ["b.mp4"])
        #expect(bench.names("work7") == ["lock", "result.json"])
        #expect(try OutputMark.read(path: target, interrupt: Interrupt()) == OutputMark(contentHash: bench.hash ?? "", settingsIdentity: "abc"))
    }

    @Test("removes nothing through links at names that its hidden folder could have")
    func linksAtHiddenNames() async throws {
        try bench.source("a.mp4", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264")
        let victim = bench.folder.path("victim/deep")
        try FileManager.default.createDirectory(atPath: victim, withIntermediateDirectories: true)
        try Data("precious".utf8).write(to: URL(fileURLWithPath: victim + "/c"))
        try FileManager.default.createSymbolicLink(
            atPath: bench.folder.path("out/.solstice-tok-7"), withDestinationPath: bench.folder.path("victim"))
        #expect(try await bench.run(bench.order("a.mp4")).frames == 25)
        #expect(FileManager.default.contents(atPath: victim + "/c") == Data("precious".utf8))
        #expect(bench.names("out") == [".solstice-tok-7", "a.mp4"])
    }

    @Test("does not follow links of others", .enabled(if: geteuid() == 0, "only root can give links away"))
    func foreignLink() async throws {
        let source = try bench.source("a.mp4", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264")
        let secret = bench.folder.path("secret.mp4"), link = bench.folder.path("in/b.mp4")
        #expect(rename(source, secret) == 0 && chown(secret, 54_322, 54_322) == 0)
        #expect(symlink(secret, link) == 0 && lchown(link, 54_321, 54_321) == 0)
        let failure = try await bench.run(bench.order("b.mp4")).failure
        #expect(failure?.code == "foreignLink" && failure?.mayPass == false, "\(String(describing: failure))")
        #expect(!bench.messages.contains { if case .hashed = $0 { true } else { false } } && bench.names("out").isEmpty)
        #expect(lchown(link, 54_322, 54_322) == 0)
        #expect(try await bench.run(bench.order("b.mp4")).frames == 25)
    }

    @Test("does not go through a folder that a link has replaced")
    func foreignFolder() async throws {
        let source = try bench.source("a.mp4", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264")
        for name in ["in/sub", "secrets"] { try FileManager.default.createDirectory(atPath: bench.folder.path(name), withIntermediateDirectories: false) }
        #expect(rename(source, bench.folder.path("secrets/a.mp4")) == 0)
        #expect(rmdir(bench.folder.path("in/sub")) == 0 && symlink(bench.folder.path("secrets"), bench.folder.path("in/sub")) == 0)
        let order = try bench.order(
            FilePath(bench.folder.path("in/sub/a.mp4")), FilePath(bench.folder.path("out/a.mp4")), relativePath: "sub/a.mp4")
        let failure = try await bench.run(order).failure
        #expect(failure?.code == "noSuchFile", "\(String(describing: failure))")
        #expect(bench.names("out").isEmpty)
    }

    @Test("reads the source that it has looked at, whatever its name leads to meanwhile")
    func turned() async throws {
        let source = try bench.source("a.mp4", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264")
        let pictures = try WorkerBench.pictures(source)
        let secret = try bench.source("b.mp4", "-f lavfi -i testsrc=s=160x90:r=25:d=1 -c:v libx264")
        let aside = bench.folder.path("aside.mp4")
        // Another file when it is looked at the next time.
        let refused = try await bench.run(bench.order("a.mp4")) { message in
            if case .hashed = message { #expect(rename(source, aside) == 0 && symlink(secret, source) == 0) }
        }
        #expect(refused.failure?.code == "sourceChanged", "\(refused)")
        #expect(bench.names("out").isEmpty)
        #expect(unlink(source) == 0 && rename(aside, source) == 0)
        // Turned away while it is read, and back for the last look.
        let again = try await bench.run(bench.order("a.mp4", job: 8, target: "c.mp4")) { message in
            switch message {
            case .probed: #expect(rename(source, aside) == 0 && symlink(secret, source) == 0)
            case .verifying: #expect(unlink(source) == 0 && rename(aside, source) == 0)
            default: break
            }
        }
        #expect(again.frames == 25, "\(again)")
        #expect(try WorkerBench.pictures(bench.folder.path("out/c.mp4")) == pictures)
    }

    @Test("says so where a model or a style is another one than the job was planned with", arguments: [0, 1])
    func otherInputs(call: Int) async throws {
        try bench.source("a.mp4", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264")
        let calls = Mutex(0)
        // Another one from the beginning on, or from when it is loaded.
        let last = try await bench.run(bench.order("a.mp4"), identity: { settings in
            calls.withLock { calls in defer { calls += 1 }; return calls >= call ? "other" : settings.identity }
        })
        #expect(last.failure?.code == JobFailure.inputsChanged && last.failure?.mayPass == true, "\(last)")
        #expect(bench.messages.contains(.settingsNow(identity: "other")))
        #expect(bench.names("out").isEmpty)
        #expect(try await bench.run(bench.order("a.mp4", settings: "other")).frames == 25)
        let mark = try OutputMark.read(path: bench.folder.path("out/a.mp4"), interrupt: Interrupt())
        #expect(mark?.settingsIdentity == "other")
    }

    @Test("says for good that a name beside its result is too long")
    func longName() async throws {
        let source = try bench.source("a.mp4", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264")
        // A box that nobody knows is saved beside the result, under the result's name and an ending.
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: source))
        try file.seekToEnd()
        try file.write(contentsOf: Data([0, 0, 0, 16]) + Data("gps unknown.".utf8))
        try file.close()
        let name = String(repeating: "n", count: 244) + ".mp4"
        let failure = try await bench.run(bench.order("a.mp4", target: name)).failure
        #expect(failure?.code == "nameTooLong" && failure?.mayPass == false, "\(String(describing: failure))")
        #expect(bench.names("out").isEmpty)
    }

    @Test("keeps what it has rendered where the result could not be read, and not where it is wrong")
    func unreadableResult() async throws {
        try bench.source("a.mp4", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264")
        let worker = try Worker(bench.order("a.mp4"), request: WorkerBench.request(), stop: StopSwitch(), codeName: { _ in "other" }, emit: { _ in })
        try WorkFiles.makeFolder(.init(worker.paths.folder))
        try worker.paths.hidden.make()
        for name in [DurableConversion.journalName, "result.json"] { try Data("work".utf8).write(to: URL(fileURLWithPath: worker.paths.folder + "/" + name)) }
        // A disk that gives an error for every read: here a folder in the file's place.
        try FileManager.default.createDirectory(atPath: worker.paths.resultText, withIntermediateDirectories: false)
        let error = MediaError(.notMedia, "\(worker.paths.resultText) has no index (moov box)")
        do {
            _ = try await worker.mayRead(again: error)
            Issue.record("an unreadable result was taken for a readable one")
        } catch {
            let failure = WorkFailure.of(error, codeName: "other", paths: worker.paths)
            #expect(failure.mayPass && failure.code == "unreadable" && failure.text.contains("the result made of"))
        }
        #expect(bench.names("work7").contains(DurableConversion.journalName) && bench.names("work7").contains("result.json"))
        // One that the disk gives is looked at again, and what decoding finds counts.
        try FileManager.default.removeItem(atPath: worker.paths.resultText)
        try Data("no video".utf8).write(to: URL(fileURLWithPath: worker.paths.resultText))
        #expect(try await worker.mayRead(again: error))
        #expect(try await !worker.mayRead(again: MediaError(.internalFailure, "it has 3 frames instead of 4")))
        #expect(worker.failed(error).code == .internalFailure)
        #expect(!bench.names("work7").contains(DurableConversion.journalName) && !bench.names("work7").contains("result.json"))
        worker.paths.hidden.remove()
    }

    @Test("recognises the result that is there, with and without its own notes")
    func found() async throws {
        try bench.source("a.mp4")
        let order = try bench.order("a.mp4")
        let bytes = try #require(try await bench.run(order).frames != nil ? WorkFiles.status(FilePath(bench.folder.path("out/a.mp4")))?.size : nil)
        // Ended after the last rename and before anybody noted it.
        #expect(try await bench.run(order) == .finished(frames: 100, bytes: bytes, copied: false))
        try FileManager.default.removeItem(atPath: bench.folder.path("work7"))
        #expect(try await bench.run(order) == .foundDone(bytes: bytes))
        #expect(bench.names("out") == ["a.mp4"])
    }

    @Test("replaces an older result of its own, and nothing else")
    func standing() async throws {
        try bench.source("a.mp4")
        #expect(try await bench.run(bench.order("a.mp4")).frames == 100)
        #expect(try await bench.run(bench.order("a.mp4", job: 8, settings: "other")).frames == 100)
        let mark = try OutputMark.read(path: bench.folder.path("out/a.mp4"), interrupt: Interrupt())
        #expect(mark?.settingsIdentity == "other")

        try Data("mine".utf8).write(to: URL(fileURLWithPath: bench.folder.path("out/b.mp4")))
        let failure = try await bench.run(bench.order("a.mp4", job: 9, target: "b.mp4")).failure
        #expect(failure?.code == "outputExists" && failure?.mayPass == false)
        #expect(failure?.text.contains("out/b.mp4") == true)
        #expect(try String(contentsOfFile: bench.folder.path("out/b.mp4"), encoding: .utf8) == "mine")
        // What `solstice convert` has written there was asked for by somebody.
        try FileManager.default.copyItem(atPath: bench.folder.path("out/a.mp4"), toPath: bench.folder.path("out/c.mp4"))
        var request = WorkerBench.request()
        (request.input, request.output, request.overwrite) = (bench.folder.path("in/a.mp4"), bench.folder.path("out/c.mp4"), true)
        _ = try await ConvertJob(request, translator: Translator.load(for: request)).run()
        #expect(try await bench.run(bench.order("a.mp4", job: 10, target: "c.mp4")).failure?.code == "outputExists")
        #expect(bench.names("out") == ["a.mp4", "b.mp4", "c.mp4"])
    }

    @Test("says before it renders that a sidecar's place is taken")
    func sidecarInTheWay() async throws {
        try bench.source("a.mp4")
        try Data("mine".utf8).write(to: URL(fileURLWithPath: bench.folder.path("out/a.mp4.streams.json")))
        let failure = try await bench.run(bench.order("a.mp4")).failure
        #expect(failure?.code == "outputExists" && failure?.text.contains("a.mp4.streams.json") == true)
        #expect(!bench.messages.contains { if case .progress = $0 { true } else { false } })
        #expect(bench.names("out") == ["a.mp4.streams.json"])
    }

    @Test("does not trust a result of its own that is not whole any more")
    func brokenResult() async throws {
        try bench.source("a.mkv", "-f lavfi -i testsrc2=s=160x90:r=25:d=4 -c:v ffv1")
        let order = try bench.order("a.mkv")
        #expect(try await bench.run(order).frames == 100)
        let target = bench.folder.path("out/a.mkv")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: target))
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: target))
        try FileManager.default.removeItem(atPath: bench.folder.path("work7"))
        #expect(try await bench.run(order).failure?.code == "outputExists")
    }

    @Test("refuses what is no source", arguments: ["text", "picture", "sound", "own", "empty"])
    func refused(kind: String) async throws {
        switch kind {
        case "text": try Data("hello, this is no video at all\n".utf8).write(to: URL(fileURLWithPath: bench.folder.path("in/a.mp4")))
        case "empty": try Data().write(to: URL(fileURLWithPath: bench.folder.path("in/a.mp4")))
        case "picture": try bench.source("a.png", "-f lavfi -i testsrc2=s=64x48 -frames:v 1")
        case "sound": try bench.source("a.mp4", "-f lavfi -i sine=d=1 -c:a aac")
        default:
            try bench.source("b.mp4")
            try await bench.run(bench.order("b.mp4", job: 6))
            try FileManager.default.moveItem(atPath: bench.folder.path("out/b.mp4"), toPath: bench.folder.path("in/a.mp4"))
        }
        let name = kind == "picture" ? "a.png" : "a.mp4"
        let failure = try #require(try await bench.run(bench.order(name)).failure)
        let codes = ["text": "notMedia", "empty": "notMedia", "picture": "notMedia", "sound": "noVideo", "own": "ownOutput"]
        #expect(failure.code == codes[kind] && !failure.mayPass)
        #expect(failure.text.contains("in/\(name)"))
        #expect(bench.names("out").isEmpty)
    }

    @Test("gives nothing out where the source is another one by then")
    func changed() async throws {
        let source = try bench.source("a.mp4")
        let order = try bench.order("a.mp4")
        let failure = try await bench.run(order) { message in
            guard case .probed = message else { return }
            let file = try? FileHandle(forWritingTo: URL(fileURLWithPath: source))
            _ = try? file?.seekToEnd()
            try? file?.write(contentsOf: Data([0]))
        }.failure
        #expect(failure?.code == "sourceChanged" && failure?.mayPass == true)
        #expect(bench.names("out").allSatisfy { $0.hasPrefix(".solstice-tok-7") })
        // A job for the file as it was is not begun.
        #expect(try await bench.run(order).failure?.code == "sourceChanged")
        #expect(bench.hash == nil)
        try FileManager.default.removeItem(atPath: source)
        let gone = try await bench.run(order).failure
        #expect(gone?.code == "noSuchFile" && gone?.mayPass == true)
    }

    @Test("takes names of any bytes", arguments: ["a\nb 'c' %03d.mp4", "a\u{FF}"])
    func names(name: String) async throws {
        try bench.source("plain.mp4", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264")
        // The second one is a name that is not UTF-8.
        let bytes = name == "a\u{FF}" ? Array("a".utf8) + [0xFF] + Array(".mp4".utf8) : Array(name.utf8)
        let place = { (folder: String) in try #require(FilePath(bytes: Array((self.bench.folder.path(folder) + "/").utf8) + bytes)) }
        let (source, target) = try (place("in"), place("out"))
        try #require(FilePath(bench.folder.path("in/plain.mp4")).withPlatformString { old in source.withPlatformString { rename(old, $0) } } == 0)
        #expect(try await bench.run(bench.order(source, target)).frames == 25)
        #expect(FolderDescriptor.names(in: FolderDescriptor.open(FilePath(bench.folder.path("out")))) == [Array(bytes.map(CChar.init(bitPattern:))) + [0]])
        // Messages call it what people can read.
        var order = try bench.order(source, target, job: 8)
        order.identity.size += 1
        let text = try #require(try await bench.run(order).failure?.text)
        #expect(text.contains(source.shown) && !text.contains("work8"))
    }

    @Test("copies the result of the same content and settings, with what goes with it")
    func twin() async throws {
        // A cover picture that AVI does not take goes beside it.
        try bench.source("cover.png", "-f lavfi -i testsrc2=s=32x32 -frames:v 1")
        let subtitles = bench.folder.path("a.srt")
        try "1\n00:00:00,000 --> 00:00:01,000\nHello\n".write(toFile: subtitles, atomically: true, encoding: .utf8)
        try bench.source("a.avi", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264 -bf 0")
        try bench.source("b.mkv", "-i \(bench.folder.path("in/a.avi")) -i \(subtitles) -c:v copy -c:s srt")
        let first = try bench.order("b.mkv", target: "one.flv")
        #expect(try await bench.run(first).frames == 25)
        let beside = bench.names("out")
        #expect(beside.count > 1, "nothing goes beside the result, so the test shows nothing: \(beside)")
        let last = try await bench.run(bench.order("b.mkv", job: 8, twin: "one.flv", target: "sub/two.flv"))
        #expect(last.frames == 25)
        guard case .finished(_, _, true) = last else {
            Issue.record("the twin was not copied: \(last)")
            return
        }
        #expect(bench.names("out/sub") == beside.map { $0.replacingOccurrences(of: "one.flv", with: "two.flv") })
        let text = try String(contentsOfFile: bench.folder.path("out/sub/two.flv.streams.json"), encoding: .utf8)
        #expect(!text.contains("one.flv") && text.contains("two.flv") && text.contains("b.mkv"))
        // One of other settings, or that is not there, is no twin.
        let other = try await bench.run(bench.order("b.mkv", job: 9, settings: "xyz", twin: "one.flv", target: "three.flv"))
        guard case .finished(25, _, false) = other else {
            Issue.record("\(other)")
            return
        }
        let missing = try await bench.run(bench.order("b.mkv", job: 10, twin: "nothing.flv", target: "four.flv"))
        guard case .finished(25, _, false) = missing else {
            Issue.record("\(missing)")
            return
        }
    }

    /// Whoever may write to the output folder can add to what goes with a result.
    @Test("copies nothing through links beside a twin", arguments: ["sidecar", "result", "description"])
    func plantedTwin(what: String) async throws {
        try bench.source("a.mp4", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264 -bf 0")
        #expect(try await bench.run(bench.order("a.mp4")).frames == 25)
        let secret = bench.folder.path("secret"), result = bench.folder.path("out/a.mp4")
        let description = #"{"streams": [{"file": "a.mp4.secret"}], "output": "a.mp4"}"#
        try Data("secret".utf8).write(to: URL(fileURLWithPath: secret))
        switch what {
        case "result": #expect(rename(result, secret) == 0 && symlink(secret, result) == 0)
        case "description":
            try Data(description.utf8).write(to: URL(fileURLWithPath: secret))
            try Data("any".utf8).write(to: URL(fileURLWithPath: result + ".secret"))
            #expect(symlink(secret, result + ".streams.json") == 0)
        default:
            try Data(description.utf8).write(to: URL(fileURLWithPath: result + ".streams.json"))
            #expect(symlink(secret, result + ".secret") == 0)
        }
        let last = try await bench.run(bench.order("a.mp4", job: 8, twin: "a.mp4", target: "b.mp4"))
        #expect(last.frames == 25, "\(last)")
        #expect(bench.names("out").filter { $0.hasPrefix("b.") } == ["b.mp4"])
        // Only what is there itself was copied.
        if case .finished(_, _, let isCopy) = last { #expect(isCopy == (what == "description")) }
    }

    @Test("that is stopped waits for no predecessor, and has not failed")
    func busy() async throws {
        try bench.source("a.mp4")
        let order = try bench.order("a.mp4")
        try FileManager.default.createDirectory(atPath: order.workFolder, withIntermediateDirectories: true)
        let lock = try FolderLock(order.workFolder) { false }
        let stop = StopSwitch()
        stop.stop()
        // A stop does not wait for the lock.
        #expect(try await bench.run(order, stop: stop) == .stopped(safe: 0))
        withExtendedLifetime(lock) {}
    }
}
