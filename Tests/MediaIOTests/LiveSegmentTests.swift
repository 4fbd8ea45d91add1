import Foundation
import TestSupport
import Testing

@testable import MediaIO

/// Rolling files: names, cuts, retention, what killed runs leave.
@Suite struct LiveSegmentTests {
    /// 2026-11-23 13:55:07 UTC, and half a frame more, so that no key frame falls on a full second.
    static let start = 1_795_442_107.02

    /// A clock that goes with the frames.
    final class Clock {
        var now = LiveSegmentTests.start
    }

    private func record(
        _ media: InputMedia, _ name: String, seconds: Int, keep: Duration? = nil, clock: Clock = Clock(), source: LiveSource? = nil
    ) throws -> SegmentFiles {
        let source = try source ?? LiveSource(LiveEncoding(keyframeInterval: 1))
        let segments = try SegmentFiles(
            path: media.path(name), every: .seconds(4), keep: keep, streams: source.streams, interrupt: Interrupt(),
            now: { clock.now })
        for _ in 0..<seconds * 25 {
            for packet in try source.next() { try segments.write(packet) }
            clock.now += 0.04
        }
        return segments
    }

    @Test(arguments: ["night.mkv", "night.mp4", "night.ts"])
    func filesAreCutAtKeyframesBehindTheFullTime(name: String) throws {
        let media = try InputMedia()
        let tone = try media.make("tone.m4a", "-f lavfi -i sine=r=44100 -t 20 -c:a aac")
        let source = try LiveSource(LiveEncoding(keyframeInterval: 1), sound: tone)
        let segments = try record(media, name, seconds: 12, source: source)
        try segments.finish()
        try FileManager.default.removeItem(atPath: tone)
        let ending = name.drop { $0 != "." }
        // The first one begins 3 s after a full four seconds, the others at the first key frame behind one.
        let stamps = ["135507", "135508", "135512", "135516"]
        let files = stamps.map { "night-20261123T\($0)Z\(ending)" }
        #expect(try entries(media.directory) == files)
        #expect(segments.finishedCount == 4)
        #expect(try files.map { try decodedFrames(media.path($0)).count } == [25, 100, 100, 75])
        for file in files {
            #expect(try decodedFrames(media.path(file)).complaints == "")
            let packets = try probedPackets(media.path(file), "v") + probedPackets(media.path(file), "a")
            let start = try #require(packets.compactMap(\.pts).min())
            #expect(start < (name.hasSuffix(".ts") ? 1.5 : 0.03), "\(file) starts at \(start)")
        }
    }

    @Test func theFileAtHandIsHiddenUntilItIsComplete() throws {
        let media = try InputMedia()
        let segments = try record(media, "night.mkv", seconds: 3)
        let names = try entries(media.directory)
        #expect(names.filter { !$0.hasPrefix(".") } == ["night-20261123T135507Z.mkv"])
        #expect(names.filter { $0.hasPrefix(".night-20261123T135508Z.mkv.partial-") }.count == 1)
        try segments.finish()
        #expect(try entries(media.directory).count == 2)
    }

    @Test func oldFilesOfThisPatternAreRemovedAndNoOthers() throws {
        let media = try InputMedia()
        let mine = ["night-20200101T000000Z.mkv", "night-20200101T000000Z-3.mkv"]
        let others = [
            "night.mkv", "night-.mkv", "night-20200101T000000Z.mp4", "night-20200101T000000.mkv", "day-20200101T000000Z.mkv",
            "night-2020010xT000000Z.mkv", "night-20200101T000000Z.mkv.bak", "night-20200101T000000Z-x.mkv",
        ]
        for name in mine + others {
            let path = try media.write(name, [1])
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: Self.start - 3600)], ofItemAtPath: path)
        }
        let young = try media.write("night-20200202T000000Z.mkv", [1])
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: Self.start - 30)], ofItemAtPath: young)
        let segments = try record(media, "night.mkv", seconds: 0, keep: .seconds(60))
        #expect(try entries(media.directory) == (others + ["night-20200202T000000Z.mkv"]).sorted())
        let clock = Clock()
        clock.now += 31
        _ = try record(media, "night.mkv", seconds: 0, keep: .seconds(60), clock: clock)
        #expect(try entries(media.directory) == others.sorted())
        try segments.finish()
    }

    @Test func aNameThatIsTakenGetsANumber() throws {
        let media = try InputMedia()
        _ = try media.write("night-13.mkv", [1])
        let segments = try record(media, "night-%H.mkv", seconds: 6)
        try segments.finish()
        #expect(try entries(media.directory) == ["night-13-1.mkv", "night-13-2.mkv", "night-13-3.mkv", "night-13.mkv"])
    }

    /// A recording that broke off, as on a full disk, goes on beside what there is of it.
    @Test func aRecordingThatBrokeOffGoesOnInAnotherFile() throws {
        let media = try InputMedia()
        let source = try LiveSource()
        let address = try MediaAddress(parsing: media.path("night.mkv"))
        for _ in 0..<3 {
            let output = try LiveOutput(address, streams: source.streams, continuesRecording: true, interrupt: Interrupt())
            for packet in try source.next(asKeyframe: true) { try output.write(packet) }
            try output.finish()
        }
        #expect(try entries(media.directory) == ["night-1.mkv", "night-2.mkv", "night.mkv"])
        #expect(throws: MediaError.self) { try LiveOutput(address, streams: source.streams, interrupt: Interrupt()) }
    }

    /// A clock that is set back must not make one file without end.
    @Test func aClockThatIsSetBackEndsTheFile() throws {
        let media = try InputMedia()
        let clock = Clock()
        let source = try LiveSource(LiveEncoding(keyframeInterval: 1))
        let segments = try SegmentFiles(
            path: media.path("night.mkv"), every: .seconds(4), keep: nil, streams: source.streams, interrupt: Interrupt(),
            now: { clock.now })
        for index in 0..<250 {
            if index == 60 { clock.now -= 3600 }
            for packet in try source.next() { try segments.write(packet) }
            clock.now += 0.04
        }
        try segments.finish()
        let names = try entries(media.directory)
        #expect(names.count == 4, "\(names)")
        #expect(try names.map { try decodedFrames(media.path($0)).count }.reduce(0, +) == 250)
    }

    /// Somebody who may write beside the folder turns its name to another folder.
    @Test func oldFilesAreRemovedInTheFolderThatWasOpened() throws {
        let media = try InputMedia()
        let clock = Clock()
        for folder in ["archive", "victim"] { try FileManager.default.createDirectory(atPath: media.path(folder), withIntermediateDirectories: false) }
        let segments = try record(media, "archive/night.mkv", seconds: 1, keep: .seconds(60), clock: clock)
        let old = "night-20261122T120000Z.mkv"
        for folder in ["archive", "victim"] {
            let path = try media.write("\(folder)/\(old)", [1])
            let time = Date(timeIntervalSince1970: Self.start - 3600)
            try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: path)
        }
        #expect(rename(media.path("archive"), media.path("away")) == 0 && symlink("victim", media.path("archive")) == 0)
        // Its file is no longer at its path.
        #expect(throws: MediaError.self) { try segments.finish() }
        segments.removeOld()
        #expect(FileManager.default.fileExists(atPath: media.path("victim/" + old)))
        #expect(!FileManager.default.fileExists(atPath: media.path("away/" + old)))
    }

    @Test func leftoversOfKilledRunsGetTheirNames() throws {
        let media = try InputMedia()
        _ = try media.write(".night-20261123T120000Z.mkv.partial-4194303-1f", [1, 2])
        _ = try media.write(".night-20261123T121000Z.mkv.partial-4194303-2f", [])
        _ = try media.write(".day-20261123T120000Z.mkv.partial-4194303-3f", [1])
        // A process that lives.
        _ = try media.write(".night-20261123T122000Z.mkv.partial-1-4f", [1])
        let segments = try record(media, "night.mkv", seconds: 0)
        #expect(
            segments.notices == [
                "\(media.path("night-20261123T120000Z.mkv")) was left unfinished, and is kept"
            ])
        #expect(
            try entries(media.directory) == [
                ".day-20261123T120000Z.mkv.partial-4194303-3f", ".night-20261123T122000Z.mkv.partial-1-4f",
                "night-20261123T120000Z.mkv",
            ])
    }

    @Test func patternsAreTakenAsStrftimeDoes() throws {
        func name(_ pattern: String) throws -> String { try SegmentNames(path: pattern).name(at: Self.start) }
        #expect(try name("a/night.mkv") == "night-20261123T135507Z.mkv")
        #expect(try name("%F_%H-%M-%S_%j_%s_100%%.ts") == "2026-11-23_13-55-07_327_1795442107_100%.ts")
        #expect(try name("%T.ts") == "13:55:07.ts")
        #expect(try name("night") == "night-20261123T135507Z")
        let names = try SegmentNames(path: "x-%s-%Y%%.ts")
        #expect(names.matches("x-1795442107-2026%.ts") && names.matches("x-1-2026%-12.ts"))
        #expect(!names.matches("x--2026%.ts") && !names.matches("x-1-226%.ts") && !names.matches("x-1-2026%-.ts"))
        for bad in ["%Q.mkv", "night%", "a/"] {
            #expect(throws: MediaError.self) { try SegmentNames(path: bad) }
        }
    }

    @Test func whatMeansNothingIsRefused() throws {
        let source = try LiveSource()
        func refusal(_ path: String, _ every: Duration, _ keep: Duration?) -> MediaError.Code? {
            do {
                _ = try SegmentFiles(path: path, every: every, keep: keep, streams: source.streams, interrupt: Interrupt())
                return nil
            } catch { return error.code }
        }
        #expect(refusal("night.mkv", .zero, nil) == .unsupportedOption)
        #expect(refusal("night.mkv", .seconds(60), .zero) == .unsupportedOption)
        #expect(refusal("night.xyz", .seconds(60), nil) == .unknownContainer)
        #expect(refusal("/no/such/folder/night.mkv", .seconds(60), nil) == .unwritable)
    }
}
