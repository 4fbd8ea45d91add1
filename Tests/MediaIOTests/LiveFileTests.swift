import Foundation
import TestSupport
import Testing

@testable import MediaIO

/// Files, playlists and MPEG-TS over UDP.
@Suite struct LiveFileTests {
    private func write(
        _ source: LiveSource, _ path: String, frames: Int = 60, replacesExisting: Bool = false
    ) throws -> LiveOutput {
        let output = try LiveOutput(
            MediaAddress(parsing: path), streams: source.streams, replacesExisting: replacesExisting, interrupt: Interrupt())
        for _ in 0..<frames { for packet in try source.next() { try output.write(packet) } }
        return output
    }

    @Test(arguments: ["night.mkv", "night.mp4", "night.mov", "night.ts", "night.flv"])
    func aFileStartsAtItsFirstKeyframeAndAtZero(name: String) throws {
        let media = try InputMedia()
        let tone = try media.make("tone.ts", "-f lavfi -i sine=r=48000 -t 10 -c:a aac -f mpegts")
        let source = try LiveSource(sound: tone)
        for _ in 0..<10 { _ = try source.next() }
        let path = media.path(name)
        let output = try write(source, path, frames: 100)
        #expect(!FileManager.default.fileExists(atPath: path))
        try output.finish()
        #expect(output.notices == [])
        // Key frames are 2 s apart: frame 50 is the first one of this output, which has 60 frames.
        let (count, complaints) = try decodedFrames(path)
        #expect(count == 60)
        #expect(complaints == "")
        let starts = try ["v", "a"].map { try #require(try probedPackets(path, $0).first?.pts) }
        // MPEG-TS readers count from the times in the file, of which libavformat lets none be 0.
        let zero = name.hasSuffix(".ts") ? starts[0] : 0
        #expect(abs(starts[0] - zero) < 0.002, "\(starts)")
        #expect((0..<0.03).contains(starts[1] - zero), "\(starts)")
        #expect(try entries(media.directory).filter { $0.hasPrefix(".night") } == [])
    }

    @Test(arguments: ["night.mkv", "night.mp4", "night.ts"])
    func whatAKilledRunLeavesCanBePlayedAndIsKept(name: String) throws {
        let media = try InputMedia()
        let source = try LiveSource()
        let output = try write(source, media.path(name), frames: 130)
        // As a kill leaves it: a copy of the hidden file, with the process of the name dead and no lock.
        let hidden = try #require(try entries(media.directory).first { $0.hasPrefix(".\(name).partial-") })
        let dead = ".\(name).partial-4194303-abc"
        try FileManager.default.copyItem(atPath: media.path(hidden), toPath: media.path(dead))
        let second = try LiveOutput(
            MediaAddress(parsing: media.path(name)), streams: source.streams, interrupt: Interrupt())
        let kept = try #require(try entries(media.directory).first { $0.contains("-recovered-") })
        #expect(second.notices == ["\(media.path(kept)) was left unfinished, and is kept"])
        #expect(kept.hasSuffix(String(name.drop { $0 != "." })))
        // All but the piece at hand, of 2 s.
        #expect(try decodedFrames(media.path(kept)).count >= 100)
        // The first output lives, and so does its file.
        #expect(FileManager.default.fileExists(atPath: media.path(hidden)))
        try output.finish()
        try second.finish()
        #expect(try entries(media.directory) == [kept, name].sorted())
    }

    @Test func aFileThatIsThereIsReplacedOnlyIfSaid() throws {
        let media = try InputMedia()
        let path = try media.write("night.mkv", [1])
        let source = try LiveSource()
        let error = #expect(throws: MediaError.self) { try write(source, path) }
        #expect(error?.code == .outputExists)
        try write(source, path, replacesExisting: true).finish()
        #expect(try decodedFrames(path).count > 0)
        #expect(try entries(media.directory) == ["night.mkv"])
    }

    @Test func anOutputThatIsDroppedKeepsWhatItHas() throws {
        let media = try InputMedia()
        let source = try LiveSource()
        _ = try write(source, media.path("night.mkv"), frames: 30)
        #expect(try decodedFrames(media.path("night.mkv")).count == 30)
        _ = try write(source, media.path("empty.mkv"), frames: 0)
        #expect(try entries(media.directory) == ["night.mkv"])
    }

    @Test func aFullDiskIsNamed() throws {
        guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
        let source = try LiveSource(width: 320, height: 240)
        let target = try LiveTarget(file: "night.ts")
        let muxer = try LiveMuxer(
            target, url: "file:/dev/full", streams: source.streams, indices: [0], interrupt: Interrupt())
        let error = #expect(throws: MediaError.self) {
            for _ in 0..<100 { for packet in try source.next(isNoise: true) { try muxer.write(packet) } }
        }
        #expect(error?.code == .diskFull)
    }

    @Test func soundThatAContainerDoesNotTakeIsLeftOutAndNamed() throws {
        let media = try InputMedia()
        let source = try LiveSource(sound: try media.make("tone.mkv", "-f lavfi -i sine=r=8000 -t 3 -c:a pcm_mulaw"))
        let path = media.path("night.mp4")
        let output = try write(source, path)
        #expect(output.notices == ["\(path) cannot carry pcm_mulaw audio: it goes without sound"])
        try output.finish()
        #expect(try Probe.codecs(path) == ["h264"])
        #expect(try decodedFrames(path).count == 60)
    }

    @Test(arguments: [
        ("https://example.com/x", MediaError.Code.unsupportedOption), ("/dev/video0", .unsupportedOption),
        ("night.xyz", .unknownContainer), ("night.png", .unknownContainer), ("night.mp3", .unknownContainer),
    ])
    func whatCannotBeATargetIsRefused(address: String, code: MediaError.Code) throws {
        let error = #expect(throws: MediaError.self) { try LiveOutput.check(MediaAddress(parsing: address)) }
        #expect(error?.code == code)
    }

    @Test func aCodecThatATargetDoesNotCarryIsRefused() throws {
        let source = try LiveSource(LiveEncoding(settings: EncoderSettings(name: "libvpx-vp9")))
        for address in ["rtmp://127.0.0.1:1/live", "udp://127.0.0.1:1", "night.m3u8"] {
            let error = #expect(throws: MediaError.self) { try write(source, address) }
            #expect(error?.code == .unsupportedOption, "\(address)")
        }
    }

    // MARK: - HLS

    @Test func aPlaylistSlidesAndIsContinued() throws {
        let media = try InputMedia()
        let tone = try media.make("tone.m4a", "-f lavfi -i sine=r=44100 -t 40 -c:a aac")
        let source = try LiveSource(sound: tone)
        let path = media.path("night 100%.m3u8")
        try write(source, path, frames: 500).finish()
        let first = try entries(media.directory).filter { $0.hasSuffix(".ts") }
        // Ten segments of 2 s were written; the list has six, and two that players may still read are left beside it.
        #expect((6...8).contains(first.count), "\(first)")
        #expect(first.last == "night 100%-000009.ts")
        #expect(try decodedFrames(path).count == 300)
        #expect(try String(contentsOfFile: path, encoding: .utf8).contains("#EXT-X-ENDLIST"))
        // What a kill leaves, and what is not ours.
        _ = try media.write("night 100%-000010.ts.tmp", [1])
        _ = try media.write("night 100%-1.ts", [1])
        try write(source, path, frames: 500).finish()
        try FileManager.default.removeItem(atPath: media.path("night 100%-1.ts"))
        let second = try entries(media.directory).filter { $0.hasSuffix(".ts") }
        #expect((6...8).contains(second.count), "\(second)")
        #expect(second.last == "night 100%-000019.ts")
        let playlist = try String(contentsOfFile: path, encoding: .utf8)
        #expect(playlist.contains("#EXT-X-MEDIA-SEQUENCE:14"), "\(playlist)")
        let (count, complaints) = try decodedFrames(path)
        #expect(count == 300)
        #expect(complaints == "")
        #expect(try entries(media.directory).filter { $0.hasSuffix(".tmp") } == [])
    }

    // MARK: - UDP

    @Test(arguments: ["libx264", "libx265"])
    func aReceiverOfMPEGTSMayJoinLate(encoder: String) throws {
        let media = try InputMedia()
        let tone = try media.make("tone.m4a", "-f lavfi -i sine=r=44100 -t 30 -c:a aac")
        let source = try LiveSource(LiveEncoding(settings: EncoderSettings(name: encoder), keyframeInterval: 1), sound: tone)
        let port = try Loopback.freePort(SOCK_DGRAM)
        let output = try openOutput("udp://127.0.0.1:\(port)", source.streams)
        for _ in 0..<37 { for packet in try source.next() { try output.write(packet) } }
        let path = media.path("out.mkv")
        let reader = try Peer(
            "ffmpeg", ["-v", "error", "-nostdin", "-i", "udp://127.0.0.1:\(port)", "-t", "2", "-c:v", "ffv1", "-c:a", "copy", path])
        #expect(try source.play(isDone: { !reader.isRunning }, send: output.write), "\(reader.text)")
        #expect(try decodedFrames(path).count > 25)
        #expect(try probedPackets(path, "a").count > 30)
        try output.finish()
    }

    /// Both what precedes a forced key frame and what the muxer may add by itself are counted.
    @Test func everyKeyframeInMPEGTSHasItsParameterSets() throws {
        let media = try InputMedia()
        let source = try LiveSource()
        let output = try LiveOutput(
            MediaAddress(parsing: media.path("a.ts")), streams: source.streams, interrupt: Interrupt())
        for index in 0..<40 { try output.write(source.next(asKeyframe: index == 17)[0]) }
        try output.finish()
        let raw = try media.make("a.h264", "-i @a.ts -c copy -f h264")
        let types = nalTypes(Array(try Data(contentsOf: URL(fileURLWithPath: raw))))
        #expect(types.filter { $0 == 7 }.count == 2)
        #expect(types.filter { $0 == 8 }.count == 2)
    }
}
