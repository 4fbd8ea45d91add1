import Testing

@testable import MediaIO

/// The pure parts: what becomes of each stream, and of times.
@Suite struct OutputPlanTests {
    private func facts(_ index: Int, _ kind: MediaStreamInfo.Kind, _ codec: String) -> StreamFacts {
        StreamFacts(index: index, kind: kind, codecName: codec)
    }

    private func plan(_ streams: [StreamFacts], _ path: String, refusing: [StreamPlan.Carrier: Set<Int>] = [:]) throws
        -> StreamPlan
    {
        StreamPlan.make(streams, target: TargetFacts(try ContainerFormat(outputPath: path))) { carrier, asked in
            (refusing[carrier] ?? []).isDisjoint(with: asked) ? nil : "no"
        }
    }

    private func goPro() -> [StreamFacts] {
        var video = facts(0, .video, "h264")
        video.isConverted = true
        var timecode = facts(2, .data, "none")
        timecode.timecode = "01:00:00;00"
        timecode.packetCount = 1
        return [video, facts(1, .audio, "aac"), timecode, facts(3, .data, "bin_data"), facts(4, .data, "none")]
    }

    @Test func aCameraFile() throws {
        let mp4 = try plan(goPro(), "o.mp4", refusing: [.output: [4]])
        #expect(
            mp4.entries.map(\.action) == [
                .encode, .copy(.output), .regenerateTimecode("01:00:00;00"), .copy(.output), .copy(.movSidecar),
            ])
        #expect(mp4.entries[4].refusal == "no")
        #expect(mp4.timecode == "01:00:00;00")
        let mkv = try plan(goPro(), "o.mkv", refusing: [.output: [3, 4], .movSidecar: [4]])
        #expect(mkv.outside.map(\.index) == [3, 4])
        #expect(mkv.entries(in: .nutSidecar) == [4])
        let ts = try plan(goPro(), "o.ts")
        #expect(
            ts.entries.map(\.action) == [
                .encode, .copy(.output), .copy(.movSidecar), .copy(.movSidecar), .copy(.movSidecar),
            ])
    }

    @Test func streamsThatOnlyFitAlone() throws {
        var video = facts(0, .video, "h264")
        video.isConverted = true
        let plan = StreamPlan.make(
            [video, facts(1, .audio, "aac"), facts(2, .audio, "aac")],
            target: TargetFacts(try ContainerFormat(outputPath: "o.flv"))
        ) {
            $0 == .output && $1.count > 2 ? "one of each" : nil
        }
        #expect(plan.entries.map(\.action) == [.encode, .copy(.output), .copy(.movSidecar)])
    }

    @Test func attachmentsCoversAndChapters() throws {
        var video = facts(0, .video, "h264")
        video.isConverted = true
        var cover = facts(1, .video, "mjpeg")
        cover.isCoverArt = true
        var chapters = facts(3, .data, "bin_data")
        chapters.isChapterTrack = true
        let streams = [video, cover, facts(2, .attachment, "ttf"), chapters]
        #expect(try plan(streams, "o.mkv").entries.map(\.action) == [.encode, .attach, .attach, .regenerateChapters])
        #expect(
            try plan(streams, "o.mp4").entries.map(\.action) == [.encode, .coverTag, .sidecarFile, .regenerateChapters])
        #expect(try plan(streams, "o.avi").entries[1].action == .sidecarFile)
    }

    @Test func everythingRefusedIsStillKept() throws {
        let result = try plan(goPro(), "o.avi", refusing: [.output: [3], .movSidecar: [3], .nutSidecar: [3]])
        #expect(result.entries[3].action == .sidecarFile)
    }

    @Test func packetTimesAreChangedOnlyWhereTheyMust() {
        var clock = PacketClock(allowsEqualTimes: false)
        #expect(clock.fit(pts: 10, dts: 8, duration: 4) == (10, 8, 4))
        #expect(clock.fit(pts: 10, dts: 12, duration: 4) == (10, 10, 4))
        #expect(clock.fit(pts: 30, dts: 10, duration: 0) == (30, 11, 1))
        #expect(clock.fit(pts: nil, dts: nil, duration: 5) == (12, 12, 5))
        #expect(clock.fit(pts: nil, dts: nil, duration: 5) == (17, 17, 5))
        var loose = PacketClock(allowsEqualTimes: true)
        #expect(loose.fit(pts: -5, dts: -5, duration: 1) == (-5, -5, 1))
        #expect(loose.fit(pts: -5, dts: -5, duration: 1) == (-5, -5, 1))
    }

    @Test func countedFramesGetTheirTimesBack() {
        var clock = EncoderClock(sourceTimeBase: Rational(1, 90000), frameRate: Rational(25, 1), counts: true)
        let times: [Int64] = [126_000, 129_600, 133_333, 140_000]
        for (index, time) in times.enumerated() { #expect(clock.stamp(pts: time, duration: 3600) == Int64(index)) }
        #expect(clock.encoderTimeBase == Rational(1, 25))
        let first = clock.restore(pts: 0, dts: -1)
        #expect(first?.pts == 126_000 && first?.dts == 122_400)
        let third = clock.restore(pts: 2, dts: 0)
        #expect(third?.pts == 133_333 && third?.dts == 126_000)
        #expect(clock.restore(pts: 2, dts: 0) == nil)
    }

    @Test func cutsKeepWhatIsStillValid() {
        var text = StreamCut(range: 100..<200, kind: .subtitle)
        #expect(text.judge(pts: 90, duration: 20, isKey: true) == .shorten(pts: 100, duration: 10))
        #expect(text.judge(pts: 90, duration: 10, isKey: true) == .drop)
        #expect(text.judge(pts: 199, duration: 10, isKey: true) == .keep)
        #expect(text.judge(pts: 200, duration: 10, isKey: true) == .drop)
        var video = StreamCut(range: 100..<200, kind: .video)
        #expect(video.judge(pts: 110, duration: 10, isKey: false) == .drop)
        #expect(video.judge(pts: 120, duration: 10, isKey: true) == .keep)
        #expect(video.judge(pts: 130, duration: 10, isKey: false) == .keep)
        var sound = StreamCut(range: 100..<200, kind: .audio)
        #expect(sound.judge(pts: 95, duration: 10, isKey: true) == .drop)
    }

    @Test func movieTimescaleHoldsTheTracks() {
        #expect(MuxerOptions.movieTimescale([12800, 44100]) == 28_224_000)
        #expect(MuxerOptions.movieTimescale([90000, 48000]) % 720_000 == 0)
        #expect(MuxerOptions.movieTimescale([2_147_483_647, 48000]) == 48000)
    }

    @Test func partialNamesAreFoundAgain() {
        for name in ["a.mp4", String(repeating: "é", count: 127)] {
            let partial = PartialName.next(for: name)
            #expect(partial.utf8.count <= 255)
            #expect(PartialName.process(of: partial, for: name) != nil)
            #expect(PartialName.process(of: partial, for: name + "x") == nil)
        }
        #expect(PartialName.process(of: ".a.mp4.partial-x-1", for: "a.mp4") == nil)
        for name in ["--5-1", "-5-1-2-3", "-5", "-5-x-1", "-5--1"] { #expect(PartialName.process(of: ".a.mp4.partial\(name)", for: "a.mp4") == nil, "\(name)") }
        #expect(PartialName.process(of: ".a.mp4.partial-5-1f", for: "a.mp4") == .init(pid: 5, mark: nil))
        #expect(PartialName.process(of: ".a.mp4.partial-5-1f-2", for: "a.mp4") == .init(pid: 5, mark: 0x1f))
    }
}

extension OutputPlanTests {
    /// MP4 writes no track for a stream without packets, so the next one of its kind stands in its place.
    @Test func emptyStreamsDoNotShiftTheOthers() throws {
        let media = try InputMedia()
        let source = try media.make(
            "source.mkv",
            "-f lavfi -i testsrc2=s=160x112:r=25:d=1 -f lavfi -i sine=d=0.2:r=48000 -f lavfi -i sine=440:d=1:r=48000 -map 0 -map 1 -map 2 -c:v libx264 -c:a:0 ac3 -c:a:1 ac3 -metadata:s:a:1 language=fra"
        )
        let output = media.path("out.mp4")
        let result = try transcode(source, to: output, window: TimeWindow(start: 0.6))
        #expect(result.report.warnings == [])
        let probed = try ProbedFile(output)
        #expect(probed.streams.count == 2)
        #expect(probed.tags(1)["language"] == "fra")
    }
}
