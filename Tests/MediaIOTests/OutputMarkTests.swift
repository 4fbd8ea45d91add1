import Foundation
import Imaging
import TestSupport
import Testing

@testable import MediaIO

@Suite("The mark of an output") struct OutputMarkTests {
    private let media: InputMedia
    private let mark = OutputMark(contentHash: String(repeating: "0f", count: 32), settingsIdentity: "abc123")

    init() throws { media = try InputMedia() }

    /// Copies a source as it is, with a mark.
    private func write(_ input: String, to output: String, mark: OutputMark) throws {
        let info = try SourceProbe.probe(path: input, interrupt: Interrupt())
        let container = try ContainerFormat(outputPath: output)
        let encoder = try VideoEncoder(settings: EncoderSettings(), source: info.video, container: container)
        let demuxer = try Demuxer(path: input, interrupt: Interrupt())
        let media = try MediaOutput(path: output, source: demuxer, encoder: encoder, mark: mark, interrupt: Interrupt())
        let decoder = try VideoDecoder(demuxer: demuxer, info: info.video, threads: 1)
        let scaler = try PictureScaler(source: info.video, network: .native)
        var frames = 0
        func take(_ decoded: DecodedFrame) throws {
            frames += 1
            let frame = try scaler.converted(decoded.frame, to: encoder.pixelFormatName, colour: encoder.colour)
            try encoder.encode(frame) { try media.write($0) }
        }
        while let packet = try demuxer.next() {
            if packet.streamIndex == info.video.streamIndex { try decoder.decode(packet, emit: take) } else { try media.write(packet) }
        }
        try decoder.decode(nil, emit: take)
        try encoder.encode(nil) { try media.write($0) }
        _ = try media.finish(expectedFrames: frames)
    }

    @Test(
        "survives in every container that has a place for it, and leaves the source's tags alone",
        arguments: ["mp4", "mov", "m4v", "mkv", "webm", "ts", "avi", "flv", "ogv", "nut", "asf"])
    func containers(ending: String) throws {
        let source = try media.make(
            "source.mkv", "-f lavfi -i life=s=64x48:r=25:ratio=0.3 -t 0.4 -pix_fmt yuv420p -c:v ffv1 -metadata title=Road -metadata comment=Wet")
        #expect(try OutputMark.read(path: source, interrupt: Interrupt()) == nil)
        let first = media.path("first.\(ending)"), second = media.path("second.\(ending)")
        try write(source, to: first, mark: mark)
        #expect(try OutputMark.read(path: first, interrupt: Interrupt()) == mark)
        if ending != "ts" {
            let tags = try SourceProbe.probe(path: first, interrupt: Interrupt())
            let all = ([tags.metadata] + tags.streams.map(\.metadata)).joined()
            #expect(all.contains { $0.key.lowercased() == "title" && $0.value == "Road" })
        }
        // Of an output that is converted once more the old mark goes, and nothing is said about it.
        let other = OutputMark(contentHash: "1234", settingsIdentity: "")
        try write(first, to: second, mark: other)
        #expect(try OutputMark.read(path: second, interrupt: Interrupt()) == other)
        #expect(!FileManager.default.fileExists(atPath: second + ".streams.json") || ending == "ts")
        // Other programs read the file as before.
        #expect(try probedPts(first, field: "best_effort_timestamp").count == 10)
    }

    @Test("is not missing where its place cannot be read")
    func unreadable() throws {
        // It opens, and gives an error when it is read.
        #expect { _ = try OutputMark(endOfTransportStream: media.directory) } throws: { ($0 as? MediaError)?.code == .unreadable }
        #expect { _ = try OutputMark(endOfTransportStream: media.path("none")) } throws: { ($0 as? MediaError)?.code == .unreadable }
        #expect(try OutputMark(endOfTransportStream: media.write("short.ts", [0x47])) == nil)
    }

    @Test("says nothing where it has nothing to say, and is one all the same")
    func empty() throws {
        let source = try media.make("source.mkv", "-f lavfi -i testsrc2=s=64x48:r=25:d=0.2 -c:v ffv1")
        try write(source, to: media.path("out.mp4"), mark: OutputMark())
        #expect(try OutputMark.read(path: media.path("out.mp4"), interrupt: Interrupt()) == OutputMark())
    }

    @Test("is not taken from a tag that somebody else wrote")
    func foreign() throws {
        let path = try media.make("a.mkv", "-f lavfi -i testsrc2=s=64x48:d=0.2 -c:v ffv1 -metadata solstice=party -metadata ISRF=DVD")
        #expect(try OutputMark.read(path: path, interrupt: Interrupt()) == nil)
        for text in ["", "solstice", "solstice 1", "solstice 1 a", "solstice 2 a b", "solstice 1 a b c"] { #expect(OutputMark(text: text) == nil) }
        #expect(OutputMark(text: mark.text) == mark)
        #expect(OutputMark(text: OutputMark().text) == OutputMark())
        #expect(try OutputMark.read(path: media.path("nothing.mp4"), interrupt: Interrupt()) == nil)
    }

    @Test("stands beside the content where the container has no place")
    func attribute() throws {
        let source = try media.make("source.mkv", "-f lavfi -i testsrc2=s=64x48:r=25:d=0.4 -c:v ffv1")
        let path = media.path("out.mpg")
        try write(source, to: path, mark: mark)
        #expect(try OutputMark.read(path: path, interrupt: Interrupt()) == nil)
        // Where the file system has attributes for users.
        if mark.writeAttribute(of: path) { #expect(try OutputMark.read(path: path, interrupt: Interrupt()) == mark) }
    }
}

@Suite("Results read back") struct ResultVerifierTests {
    private let media: InputMedia
    init() throws { media = try InputMedia() }

    @Test("count every frame, in one go or run by run")
    func whole() throws {
        let path = try media.make("a.mp4", "-f lavfi -i testsrc2=s=64x48:r=25:d=4 -c:v libx264 -g 25 -keyint_min 25 -sc_threshold 0 -bf 2")
        #expect(try ResultVerifier.decode(path: path, expectedFrames: 100, interrupt: Interrupt()) == 100)
        var runs: [Int] = []
        let starts = [0, 25, 50, 75]
        #expect(try ResultVerifier.decode(path: path, expectedFrames: 100, runStarts: starts, interrupt: Interrupt()) { runs.append($0) } == 100)
        #expect(runs == [1, 2, 3, 4])
        runs = []
        #expect(try ResultVerifier.decode(path: path, expectedFrames: 100, runStarts: starts, first: 2, interrupt: Interrupt()) { runs.append($0) } == 100)
        #expect(runs == [3, 4])
        #expect(try ResultVerifier.decode(path: path, expectedFrames: 100, runStarts: starts, first: 4, interrupt: Interrupt()) == 100)
        #expect(throws: MediaError.self) { try ResultVerifier.decode(path: path, expectedFrames: 99, interrupt: Interrupt()) }
        #expect(throws: MediaError.self) { try ResultVerifier.decode(path: path, expectedFrames: 101, runStarts: starts, first: 4, interrupt: Interrupt()) }
    }

    @Test("are refused where a frame does not decode")
    func damaged() throws {
        let path = try media.make("a.mkv", "-f lavfi -i testsrc2=s=160x90:r=25:d=2 -c:v libx264 -g 10")
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        for place in stride(from: bytes.count / 3, to: bytes.count / 3 + 2000, by: 7) { bytes[place] ^= 0x3c }
        try bytes.write(to: URL(fileURLWithPath: media.path("b.mkv")))
        #expect(throws: MediaError.self) { try ResultVerifier.decode(path: media.path("b.mkv"), expectedFrames: 50, interrupt: Interrupt()) }
        let interrupt = Interrupt()
        interrupt.trigger()
        #expect(throws: MediaError.self) { try ResultVerifier.decode(path: path, expectedFrames: 50, interrupt: interrupt) }
    }
}

@Suite("Digests of frames") struct SampleDigestTests {
    @Test("tell frames apart, and know one again", arguments: ["yuv420p", "gbrp", "gray", "yuv422p10le", "bgr0"])
    func digests(format: String) throws {
        let media = try InputMedia()
        let path = try media.make("a.mkv", "-f lavfi -i life=s=70x50:r=25:ratio=0.3 -t 0.4 -pix_fmt \(format) -c:v ffv1")
        var first: [UInt64] = [], second: [UInt64] = [], one: [UInt64] = []
        _ = try DecodedSource(path) { first.append($0.frame.sampleDigest) }
        _ = try DecodedSource(path, threads: 2) { second.append($0.frame.sampleDigest) }
        #expect(first == second && Set(first).count == 10)
        _ = try DecodedSource(path) { decoded in
            // The smallest change that there is, in the last sample of the first plane.
            let frame = decoded.frame.raw
            guard let base = frame.pointee.data.0 else { return }
            let place = (50 - 1) * Int(frame.pointee.linesize.0) + 69
            base[place] ^= 1
            one.append(decoded.frame.sampleDigest)
            base[place] ^= 1
        }
        #expect(zip(first, one).allSatisfy { $0 != $1 })
    }
}

@Suite("Pictures for those who look on") struct JPEGFileTests {
    @Test("are small, of the right colours, and replaced at once")
    func written() throws {
        let media = try InputMedia()
        let path = media.path("before.jpg")
        for (width, expected) in [(1920, 960), (300, 300)] {
            let picture = PlanarImage<UInt8>(width: width, height: width / 2)
            for (plane, value) in [UInt8(200), 40, 90].enumerated() { picture.withPlane(plane) { $0.update(repeating: value) } }
            try JPEGFile.write(picture, to: path)
            let read = try PictureIO.load(path)
            #expect(read.width == expected && read.height == expected / 2)
            for (plane, value) in [200, 40, 90].enumerated() {
                #expect(abs(Int(read[plane, 20, 20]) - value) <= 4, "plane \(plane) is \(read[plane, 20, 20])")
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: media.directory) == ["before.jpg"])
        #expect(throws: MediaError.self) { try JPEGFile.write(PlanarImage<UInt8>(width: 8, height: 8), to: media.path("no/a.jpg")) }
    }
}
