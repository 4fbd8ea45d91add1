import Foundation
import TestSupport
import Testing

@testable import MediaIO

/// Instances are read beside their labels, frame by frame.
@Suite struct LabelPairingTests {
    /// Pairs all frames of two sources; the instances of each frame.
    private func pair(
        _ labels: String, _ instances: String, from start: Double = 0, forced: Bool = false
    ) throws -> [[UInt32]] {
        let interrupt = Interrupt()
        let info = try SourceProbe.probe(path: labels, interrupt: interrupt)
        let source = try InstanceSource(
            path: instances, labels: info, interrupt: interrupt, startSeconds: start, isForced: forced)
        let demuxer = try Demuxer(path: labels, interrupt: interrupt)
        if start > 0 { try demuxer.seek(toSeconds: start) }
        let decoder = try VideoDecoder(
            demuxer: demuxer, info: info.video, threads: 1, startSeconds: start, keepsSamples: true)
        var result: [[UInt32]] = []
        while let packet = try demuxer.next() { try decoder.decode(packet) { result.append(try source.next(for: $0)) } }
        try decoder.decode(nil) { result.append(try source.next(for: $0)) }
        try source.finish()
        #expect(!source.damage.isDamaged)
        return result
    }

    /// Ids as Cityscapes has them: class times 1000 and a count, in 16 bits.
    private func wide(_ id: UInt8) -> [UInt8] {
        let number = Int(id) * 1000 + 7
        return [UInt8(number & 255), UInt8(number >> 8)]
    }

    private func expected(_ frame: Int) -> [UInt32] { LabelPattern.ids(frame: frame).map { UInt32($0) * 1000 + 7 } }

    @Test(arguments: ["i.mkv", "i.nut", "i.mov", "i%02d.png"]) func wideInstances(_ name: String) throws {
        let media = try InputMedia()
        let labels = try media.labels("l.mkv", "gray", "-c:v ffv1")
        let codec = name.hasSuffix("mkv") ? "-c:v ffv1" : name.hasSuffix("png") ? "" : name.hasSuffix("mov") ? "-c:v png" : "-c:v rawvideo"
        let instances = try media.labels(name, "gray16le", codec, bytes: wide)
        #expect(try pair(labels, instances) == (0..<LabelPattern.frames).map(expected))
    }

    @Test func coloursAndSmallIdsAreInstancesToo() throws {
        let media = try InputMedia()
        let labels = try media.labels("l.mkv", "gray", "-c:v ffv1")
        let coloured = try media.colourLabels("i.mkv", "-c:v ffv1 -pix_fmt bgr0")
        #expect(try pair(labels, coloured)[3] == LabelPattern.ids(frame: 3).map(LabelPattern.colour))
        #expect(try pair(labels, labels)[2] == LabelPattern.ids(frame: 2).map(UInt32.init))
        let lossy = try media.labels("i.mov", "gray", "-c:v mjpeg -pix_fmt yuvj444p")
        let error = #expect(throws: MediaError.self) { try pair(labels, lossy) }
        #expect(error?.code == .badLabels && error?.message.contains("lossy") == true)
        #expect(try pair(labels, lossy, forced: true).count == LabelPattern.frames)
    }

    @Test func stillPictures() throws {
        let media = try InputMedia()
        let labels = try media.labels("l.png", "gray", "-frames:v 1")
        #expect(try pair(labels, media.labels("i.png", "gray16le", "-frames:v 1", bytes: wide)) == [expected(0)])
    }

    @Test func sizesMustAgreeUpright() throws {
        let media = try InputMedia()
        let labels = try media.labels("l.mkv", "gray", "-c:v ffv1")
        let other = try media.labels("i.mkv", "gray", "-c:v ffv1", width: 66)
        let error = #expect(throws: MediaError.self) { try pair(labels, other) }
        #expect(error?.code == .badLabels)
        #expect(error?.message == "\(other) is 66x31, but its labels \(labels) are 67x31")
        _ = try media.labels("p.mov", "gray", "-c:v png", width: LabelPattern.height, height: LabelPattern.width)
        let turned = try media.make("t.mov", "-i @p.mov -c copy -metadata:s:v rotate=90")
        #expect(try pair(labels, turned).count == LabelPattern.frames)
        #expect(throws: MediaError.self) { try pair(labels, media.path("p.mov")) }
    }

    @Test func countsMustAgree() throws {
        let media = try InputMedia()
        let labels = try media.labels("l.mkv", "gray", "-c:v ffv1")
        let short = try media.labels("s.mkv", "gray", "-c:v ffv1", frames: 3)
        let long = try media.labels("o.mkv", "gray", "-c:v ffv1", frames: 5)
        let early = #expect(throws: MediaError.self) { try pair(labels, short) }
        #expect(early?.code == .badLabels && early?.message == "\(short) ends after 3 frames, before frame 3 of \(labels)")
        let late = #expect(throws: MediaError.self) { try pair(labels, long) }
        #expect(late?.message == "\(long) goes on after the 4 frames of \(labels)")
    }

    @Test func timesMustAgree() throws {
        let media = try InputMedia()
        let labels = try media.labels("l.mkv", "gray", "-c:v ffv1")
        let slow = try media.labels("s.mkv", "gray", "-c:v ffv1", rate: "10")
        let error = #expect(throws: MediaError.self) { try pair(labels, slow) }
        #expect(error?.message == "frame 1 of \(labels) has its instances 0.06 s later in \(slow)")
        // Slightly off, as a container's coarser clock has it, and a common shift, which is a matter of the container.
        let near = try media.labels("n.mkv", "gray", "-c:v ffv1", rate: "26")
        #expect(try pair(labels, near).count == LabelPattern.frames)
        let shifted = try media.make("h.mkv", "-i @l.mkv -c copy -output_ts_offset 2")
        #expect(try pair(labels, shifted).count == LabelPattern.frames)
    }

    private static let varied = "-vf setpts='(N+N*N)*0.02/TB' -vsync passthrough -enc_time_base 1/1000"

    @Test func variableRate() throws {
        let media = try InputMedia()
        let labels = try media.labels("l.mkv", "gray", "\(Self.varied) -c:v ffv1", frames: 8)
        let instances = try media.labels("i.mov", "gray16le", "\(Self.varied) -c:v png", frames: 8, bytes: wide)
        let times = try probedPts(labels)
        #expect(times.count == 8 && times[7] - times[6] > 2 * (times[2] - times[1]))
        #expect(try pair(labels, instances) == (0..<8).map(expected))
        let steady = try media.labels("s.mkv", "gray", "-c:v ffv1", frames: 8)
        #expect(throws: MediaError.self) { try pair(labels, steady) }
    }

    /// The part behind a start has the same instances as the whole.
    @Test func laterStart() throws {
        let media = try InputMedia()
        let labels = try media.labels("l.mkv", "gray", "-c:v ffv1 -g 4", frames: 20, rate: "30000/1001")
        let instances = try media.labels("i.mov", "gray16le", "-c:v png", frames: 20, rate: "30000/1001", bytes: wide)
        for start in [0.0334, 0.033367, 0.3, 0.5] {
            let count = try DecodedSource(labels, from: start).pts.count
            #expect(count < 20)
            #expect(try pair(labels, instances, from: start) == (20 - count..<20).map(expected), "\(start)")
        }
        let sequence = try media.labels("i%02d.png", "gray16le", "", frames: 20, rate: "30000/1001", bytes: wide)
        let error = #expect(throws: MediaError.self) { try pair(labels, sequence, from: 0.3) }
        #expect(error?.code == .badLabels && error?.remedy?.contains("--start") == true)
        let pictures = try media.labels("l%02d.png", "gray", "", frames: 20)
        #expect(try pair(pictures, sequence, from: 0.4) == (10..<20).map(expected))
    }

    @Test func missingAndForeignInstances() throws {
        let media = try InputMedia()
        let labels = try media.labels("l.mkv", "gray", "-c:v ffv1")
        #expect(#expect(throws: MediaError.self) { try pair(labels, media.path("none.mkv")) }?.code == .noSuchFile)
        let text = try media.write("t.mkv", Array("no video".utf8))
        #expect(#expect(throws: MediaError.self) { try pair(labels, text) }?.code == .notMedia)
    }
}
