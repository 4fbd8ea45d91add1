import Foundation
import TestSupport
import Testing

@testable import MediaIO

/// Packets of a small video, encoded in one go.
struct EncodedVideo {
    var packets: [Packet] = []
    let encoder: VideoEncoder
    let info: SourceInfo

    init(_ media: InputMedia, frames: Int = 40) throws {
        let path = try media.make("source.mkv", "-f lavfi -i testsrc2=s=64x48:r=25 -frames:v \(frames) -c:v ffv1")
        info = try SourceProbe.probe(path: path, interrupt: Interrupt())
        encoder = try VideoEncoder(
            settings: EncoderSettings(crf: 30), source: info.video, container: ContainerFormat(outputPath: "out.mp4"))
        let demuxer = try Demuxer(path: path, interrupt: Interrupt())
        let decoder = try VideoDecoder(demuxer: demuxer, info: info.video, threads: 1)
        let scaler = try PictureScaler(source: info.video, network: .native)
        var packets: [Packet] = []
        let encoder = encoder
        func take(_ decoded: DecodedFrame) throws {
            let frame = try scaler.converted(decoded.frame, to: encoder.pixelFormatName, colour: encoder.colour)
            try encoder.encode(frame) { packets.append($0) }
        }
        while let packet = try demuxer.next() { try decoder.decode(packet, emit: take) }
        try decoder.decode(nil, emit: take)
        try encoder.encode(nil) { packets.append($0) }
        self.packets = packets
    }

    var header: JournalHeader { JournalHeader(key: "a b", encoder: encoder) }
}

@Suite("What a journal belongs to") struct JournalHeaderTests {
    @Test("does not depend on how many threads x265 has", .enabled(if: (try? EncoderDescription(named: "libx265")) != nil, "needs libx265"))
    func threads() throws {
        let media = try InputMedia()
        let path = try media.make("source.mkv", "-f lavfi -i testsrc2=s=320x240:r=25 -frames:v 2 -c:v ffv1")
        let info = try SourceProbe.probe(path: path, interrupt: Interrupt())
        func encoder(_ threads: Int) throws -> VideoEncoder {
            try VideoEncoder(
                settings: EncoderSettings(name: "libx265", threads: threads), source: info.video, container: ContainerFormat(outputPath: "out.mp4"))
        }
        let (one, three) = (try encoder(1), try encoder(3))
        func headers(_ encoder: VideoEncoder) -> [UInt8] {
            Array(UnsafeBufferPointer(start: encoder.raw.pointee.extradata, count: Int(encoder.raw.pointee.extradata_size)))
        }
        #expect(headers(one) != headers(three), "the number of threads is not in them: nothing is tested")
        #expect(JournalHeader(key: "a", encoder: one) == JournalHeader(key: "a", encoder: three))
        #expect(JournalHeader(key: "a", encoder: one).extradata.count > 30)
    }

    @Test("are parameter sets, without messages")
    func messages() {
        let sets: [[UInt8]] = [[0x40, 1, 9], [0x42, 1, 7, 0, 0, 3, 1], [0x44, 1, 5]]
        let message: [UInt8] = [0x4e, 1, 5, 3, 0x61, 0x62, 0x63, 0x80]
        let long: [UInt8] = [0, 0, 0, 1], short: [UInt8] = [0, 0, 1]
        let plain = sets.flatMap { short + $0 }
        #expect(JournalHeader.withoutMessages(sets.flatMap { long + $0 } + long + message) == plain)
        #expect(JournalHeader.withoutMessages(short + message + plain + [0, 0, 0]) == plain)
        for other in [[], [1, 2, 3], [0, 0, 1], [1, 0, 0, 0, 1, 2]] as [[UInt8]] { #expect(JournalHeader.withoutMessages(other) == other) }
    }
}

@Suite("The packet journal") struct JournalTests {
    private let media: InputMedia
    private let video: EncodedVideo

    init() throws {
        media = try InputMedia()
        video = try EncodedVideo(media)
    }

    private func open(_ name: String, _ header: JournalHeader? = nil) throws -> PacketJournal {
        try PacketJournal(path: media.path(name), header: header ?? video.header, interrupt: Interrupt())
    }

    private static func commit(_ frames: Int, isEnd: Bool = false) -> JournalCommit {
        JournalCommit(
            frames: frames, lastPts: Int64(frames) * 40, digest: UInt64(frames) << 40, isSeekable: frames % 20 == 0, isEnd: isEnd,
            note: isEnd ? "Größe" : "", detailState: isEnd ? [] : (0..<frames * 7).map { UInt8(truncatingIfNeeded: $0) })
    }

    /// A journal with a commit after every ten packets.
    private func filled(_ name: String) throws -> PacketJournal {
        let journal = try open(name)
        for (index, packet) in video.packets.enumerated() {
            try journal.append(packet)
            if index % 10 == 9 { try journal.commit(Self.commit(index + 1, isEnd: index + 1 == video.packets.count)) }
        }
        return journal
    }

    private func payloads(_ journal: PacketJournal) throws -> [[UInt8]] {
        let packets = journal.packets(streamIndex: 0)
        var result: [[UInt8]] = []
        while let packet = try packets.next() { result.append(packet.bytes) }
        return result
    }

    @Test("gives back what was committed, and cuts off what was not")
    func reopened() throws {
        try #require(video.packets.count == 40)
        var journal: PacketJournal? = try filled("a")
        try journal?.append(video.packets[0])
        journal = nil
        let again = try open("a")
        #expect(again.commit == Self.commit(40, isEnd: true))
        #expect(again.runStarts == [0, 10, 20, 30])
        #expect(again.presentationTimes == video.packets.compactMap(\.pts))
        #expect(try payloads(again) == video.packets.map(\.bytes))
        let size = try FileManager.default.attributesOfItem(atPath: media.path("a"))[.size] as? Int
        #expect(size.map(Int64.init) == again.byteCount)
        // Packets keep what muxers need.
        let packets = again.packets(streamIndex: 3)
        let first = try #require(try packets.next())
        #expect(first.isKey && first.streamIndex == 3 && first.timeBase == video.encoder.timeBase)
        #expect(first.duration == video.packets[0].duration)
    }

    @Test("cut at any byte, ends with the last commit before it", arguments: [1, 2, 3])
    func cut(seed: UInt64) throws {
        _ = try filled("whole")
        let whole = try Data(contentsOf: URL(fileURLWithPath: media.path("whole")))
        var random = SeededRandom(seed: seed)
        for round in 0..<30 {
            let length = Int.random(in: 0...whole.count, using: &random)
            let name = "cut\(round)"
            try whole.prefix(length).write(to: URL(fileURLWithPath: media.path(name)))
            let journal = try open(name)
            let frames = journal.commit?.frames ?? 0
            #expect(journal.commit == (frames == 0 ? nil : Self.commit(frames, isEnd: frames == 40)))
            #expect(try payloads(journal) == video.packets.prefix(frames).map(\.bytes))
            // What was cut off can be written again.
            for packet in video.packets.dropFirst(frames) { try journal.append(packet) }
            try journal.commit(Self.commit(40, isEnd: true))
            #expect(try payloads(open(name)) == video.packets.map(\.bytes))
        }
    }

    @Test("does not believe a damaged record", arguments: [4, 5])
    func damaged(seed: UInt64) throws {
        _ = try filled("whole")
        let whole = try Data(contentsOf: URL(fileURLWithPath: media.path("whole")))
        var random = SeededRandom(seed: seed)
        for round in 0..<30 {
            var bytes = whole
            let place = Int.random(in: 0..<bytes.count, using: &random)
            bytes[place] ^= UInt8.random(in: 1...255, using: &random)
            let name = "damaged\(round)"
            try bytes.write(to: URL(fileURLWithPath: media.path(name)))
            let journal = try open(name)
            let frames = journal.commit?.frames ?? 0
            #expect(frames < 40)
            #expect(try payloads(journal) == video.packets.prefix(frames).map(\.bytes))
        }
    }

    @Test("of something else is begun anew")
    func otherHeader() throws {
        _ = try filled("a")
        var other = video.header
        other.key = "a c"
        #expect(try open("a", other).commit == nil)
        _ = try filled("b")
        other = video.header
        other.extradata.append(0)
        #expect(try open("b", other).commit == nil)
        // And stays so.
        #expect(try open("b").commit == nil)
        try Data("no journal at all".utf8).write(to: URL(fileURLWithPath: media.path("c")))
        let journal = try open("c")
        try journal.append(video.packets[0])
        try journal.commit(Self.commit(1))
        #expect(try open("c").commit == Self.commit(1))
    }

    @Test("forgets an open run when it is told to")
    func rollBack() throws {
        let journal = try open("a")
        for packet in video.packets.prefix(10) { try journal.append(packet) }
        try journal.commit(Self.commit(10))
        for packet in video.packets.prefix(5) { try journal.append(packet) }
        try journal.rollBack()
        for packet in video.packets.dropFirst(10) { try journal.append(packet) }
        try journal.commit(Self.commit(40))
        #expect(try payloads(journal) == video.packets.map(\.bytes))
        #expect(journal.runStarts == [0, 10])
    }

    @Test("says so where it cannot be written")
    func unwritable() throws {
        do {
            _ = try open("nowhere/a")
            Issue.record("a journal was opened where there is no folder")
        } catch let error as MediaError {
            #expect(error.code == .unwritable)
        }
    }
}

@Suite("Decoding times") struct DecodingTimesTests {
    @Test("are those of one encoder for the whole, whatever the runs reorder", arguments: 0..<20)
    func restamped(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var presentation: [Int64] = []
        var next: Int64 = Int64.random(in: -100...100, using: &random)
        // Runs of groups of a frame and those between it and the one before.
        for _ in 0..<20 {
            let between = Int.random(in: 0...3, using: &random)
            var group: [Int64] = []
            for _ in 0...between {
                next += Int64.random(in: 1...80, using: &random)
                group.append(next)
            }
            presentation += [group.removeLast()] + group.shuffled(using: &random)
        }
        let decoding = DecodingTimes(presentation: presentation).decoding
        #expect(zip(decoding, decoding.dropFirst()).allSatisfy { $0 < $1 })
        #expect(zip(decoding, presentation).allSatisfy { $0 <= $1 })
        // No earlier than needed: some packet is shown when it is decoded, but where nothing is reordered all are.
        #expect(zip(decoding, presentation).contains { $0 == $1 })
    }

    @Test("of frames in order are their presentation times")
    func inOrder() {
        #expect(DecodingTimes(presentation: [3, 5, 9]).decoding == [3, 5, 9])
        #expect(DecodingTimes(presentation: [7]).decoding == [7])
        #expect(DecodingTimes(presentation: []).decoding == [])
        // Two B-frames, each shown before the frame decoded before it.
        #expect(DecodingTimes(presentation: [0, 30, 10, 20]).decoding == [-10, 0, 10, 20])
    }

    @Test("are those that libx264 gives")
    func asEncoded() throws {
        let video = try EncodedVideo(InputMedia())
        let times = DecodingTimes(presentation: video.packets.compactMap(\.pts)).decoding
        #expect(times == video.packets.compactMap(\.dts))
        #expect(zip(times, video.packets).contains { $0 != $1.pts })
    }
}
