import Foundation
import Testing

@testable import MediaIO

#if canImport(Glibc)
    import Glibc
#endif

/// That outputs appear complete or not at all, and never in the place of something else.
@Suite struct OutputFileTests {
    private func source(_ media: InputMedia, _ name: String = "source.mp4") throws -> String {
        try media.make(name, "-f lavfi -i testsrc2=s=160x112:r=25 -frames:v 30 -c:v libx264")
    }

    private func code(_ body: () throws -> Void) -> MediaError.Code? {
        do { try body() } catch let error as MediaError { return error.code } catch { return nil }
        return nil
    }

    @Test func nothingAppearsBeforeTheEnd() throws {
        let media = try InputMedia()
        let input = try source(media)
        try transcode(input, to: media.path("out.mp4")) { _ in
            let names = try entries(media.directory)
            #expect(names.count == 2 && names[0].hasPrefix(".out.mp4.partial-\(getpid())-"))
        }
        #expect(try entries(media.directory) == ["out.mp4", "source.mp4"])
        let permissions =
            try FileManager.default.attributesOfItem(atPath: media.path("out.mp4"))[.posixPermissions] as? Int
        let mask = umask(0)
        umask(mask)
        #expect(permissions == 0o666 & ~Int(mask))
    }

    @Test func existingFilesAreLeftAlone() throws {
        let media = try InputMedia()
        let input = try source(media)
        let output = try media.write("out.mp4", [1, 2, 3])
        #expect(code { try transcode(input, to: output) } == .outputExists)
        #expect(try Data(contentsOf: URL(fileURLWithPath: output)).count == 3)
        try transcode(input, to: output, overwrite: true)
        #expect(try Data(contentsOf: URL(fileURLWithPath: output)).count > 1000)
        #expect(try entries(media.directory) == ["out.mp4", "source.mp4"])
    }

    @Test func aFileCreatedMeanwhileWins() throws {
        let media = try InputMedia()
        let input = try source(media)
        let output = media.path("out.mp4")
        #expect(
            code { try transcode(input, to: output) { if $0 == 5 { _ = try media.write("out.mp4", [9]) } } }
                == .outputExists)
        #expect(try Data(contentsOf: URL(fileURLWithPath: output)) == Data([9]))
        #expect(try entries(media.directory) == ["out.mp4", "source.mp4"])
    }

    @Test func theInputIsNeverTheOutput() throws {
        let media = try InputMedia()
        let input = try source(media)
        let before = try Data(contentsOf: URL(fileURLWithPath: input))
        #expect(code { try transcode(input, to: input, overwrite: true) } == .outputIsInput)
        try FileManager.default.createSymbolicLink(atPath: media.path("soft.mp4"), withDestinationPath: input)
        #expect(code { try transcode(input, to: media.path("soft.mp4"), overwrite: true) } == .outputIsInput)
        try FileManager.default.linkItem(atPath: input, toPath: media.path("hard.mp4"))
        #expect(code { try transcode(input, to: media.path("hard.mp4"), overwrite: true) } == .outputIsInput)
        #expect(try Data(contentsOf: URL(fileURLWithPath: input)) == before)
    }

    @Test func placesThatCannotBeWritten() throws {
        let media = try InputMedia()
        let input = try source(media)
        #expect(code { try transcode(input, to: media.path("none/out.mp4")) } == .unwritable)
        try FileManager.default.createDirectory(atPath: media.path("dir.mp4"), withIntermediateDirectories: false)
        #expect(code { try transcode(input, to: media.path("dir.mp4"), overwrite: true) } == .unwritable)
        #expect(code { try transcode(input, to: "/proc/out.mp4") } == .unwritable)
        #expect(
            code { try transcode(input, to: media.path(String(repeating: "n", count: 300) + ".mp4")) } == .nameTooLong)
        let long = String(repeating: "ö", count: 120) + ".mp4"
        try transcode(input, to: media.path(long))
        #expect(try entries(media.directory) == ["dir.mp4", "source.mp4", long].sorted())
    }

    @Test func failuresAndCancellationLeaveNothing() throws {
        let media = try InputMedia()
        let input = try source(media)
        struct Stop: Error {}
        #expect(throws: Stop.self) { try transcode(input, to: media.path("out.mp4")) { if $0 == 7 { throw Stop() } } }
        #expect(try entries(media.directory) == ["source.mp4"])
        let interrupt = Interrupt()
        #expect(
            code {
                try transcode(input, to: media.path("out.mkv"), interrupt: interrupt) {
                    if $0 == 7 { interrupt.trigger() }
                }
            } == .cancelled)
        #expect(try entries(media.directory) == ["source.mp4"])
    }

    @Test func wrongFrameCountsAreNotPublished() throws {
        let media = try InputMedia()
        let input = try source(media)
        let info = try SourceProbe.probe(path: input, interrupt: Interrupt())
        let demuxer = try Demuxer(path: input, interrupt: Interrupt())
        let encoder = try VideoEncoder(
            settings: EncoderSettings(), source: info.video, container: ContainerFormat(outputPath: "out.mp4"))
        let output = try MediaOutput(
            path: media.path("out.mp4"), source: demuxer, encoder: encoder, interrupt: Interrupt())
        let decoder = try VideoDecoder(demuxer: demuxer, info: info.video, threads: 1)
        while let packet = try demuxer.next() {
            try decoder.decode(packet) { frame in try encoder.encode(frame.frame) { try output.write($0) } }
        }
        try decoder.decode(nil) { frame in try encoder.encode(frame.frame) { try output.write($0) } }
        try encoder.encode(nil) { try output.write($0) }
        #expect(code { _ = try output.finish(expectedFrames: 31) } == .internalFailure)
        #expect(try entries(media.directory) == ["source.mp4"])
    }

    @Test func whatKilledRunsLeftIsRemoved() throws {
        let media = try InputMedia()
        let input = try source(media)
        let child = Process()
        child.executableURL = URL(fileURLWithPath: "/bin/true")
        try child.run()
        child.waitUntilExit()
        let dead = child.processIdentifier
        _ = try media.write(".out.mp4.partial-\(dead)-abc123", [1])
        _ = try media.write(".out.mp4.streams.mov.partial-\(dead)-abc123", [1])
        _ = try media.write(".out.mp4.partial-\(getpid())-abc123", [1])
        _ = try media.write(".other.mp4.partial-\(dead)-abc123", [1])
        try transcode(input, to: media.path("out.mp4"))
        #expect(
            try entries(media.directory) == [
                ".other.mp4.partial-\(dead)-abc123", ".out.mp4.partial-\(getpid())-abc123", "out.mp4", "source.mp4",
            ])
    }

    @Test func aFullDiskIsSaid() throws {
        let media = try InputMedia()
        let input = try source(media)
        let disk = media.path("disk")
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
        let mounted = (try? run("mount", ["-t", "tmpfs", "-o", "size=16k", "tmpfs", disk])) != nil
        guard mounted else { return try limitedFileSize(media, input) }
        defer { _ = try? run("umount", [disk]) }
        for ending in ["mp4", "mkv", "ts", "avi"] {
            #expect(
                code { try transcode(input, to: disk + "/out.\(ending)", EncoderSettings(crf: 1)) } == .diskFull,
                "\(ending)")
            #expect(try entries(disk) == [])
        }
        #expect(code { try transcode(input, to: disk + "/out_%03d.png") } == .diskFull)
        #expect(try entries(disk) == [])
    }

    /// Where nothing can be mounted a limit on file sizes does; it holds for the whole process, so not for long.
    private func limitedFileSize(_ media: InputMedia, _ input: String) throws {
        var old = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old)
        var small = rlimit(rlim_cur: 8192, rlim_max: old.rlim_max)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &small)
        let result = code { try transcode(input, to: media.path("out.mp4"), EncoderSettings(crf: 1)) }
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old)
        #expect(result == .diskFull)
    }
}

extension OutputFileTests {
    /// The verifier tells a finished conversion from a shorter one, another one, and none.
    @Test func whatIsDoneIsKnown() throws {
        let media = try InputMedia()
        let input = try media.make("source.mp4", "-f lavfi -i testsrc2=s=160x112:r=25 -frames:v 30 -c:v libx264 -bf 2")
        let info = try SourceProbe.probe(path: input, interrupt: Interrupt())
        func isDone(_ name: String) throws -> Bool {
            try OutputVerifier.isComplete(output: media.path(name), matches: info, interrupt: Interrupt())
        }
        #expect(try !isDone("out.mp4"))
        try transcode(input, to: media.path("out.mp4"))
        #expect(try isDone("out.mp4"))
        try transcode(input, to: media.path("part.mkv"), window: TimeWindow(start: 0.4))
        #expect(try !isDone("part.mkv"))
        _ = try media.make("slow.mp4", "-f lavfi -i testsrc2=s=160x112:r=10 -frames:v 30 -c:v libx264")
        #expect(try !isDone("slow.mp4"))
        let whole = try Data(contentsOf: URL(fileURLWithPath: media.path("out.mp4")))
        try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: media.path("cut.mp4")))
        #expect(try !isDone("cut.mp4"))
        _ = try media.write("text.mp4", Array("no video".utf8))
        #expect(try !isDone("text.mp4"))
    }
}
