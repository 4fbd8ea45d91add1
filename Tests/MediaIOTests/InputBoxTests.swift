import Foundation
import Testing

@testable import MediaIO

/// The scan for boxes that libav does not read.
@Suite struct InputBoxTests {
    struct Bytes: ByteSource {
        var bytes: [UInt8]
        var size: Int64 { Int64(bytes.count) }
        func read(at offset: Int64, count: Int) -> [UInt8] {
            guard offset >= 0, offset < size, count > 0 else { return [] }
            return Array(bytes[Int(offset)..<Int(min(size, offset + Int64(min(count, bytes.count))))])
        }
    }

    /// A file whose disk fails from one byte on.
    struct Failing: ByteSource {
        var bytes: Bytes
        var limit: Int64
        var size: Int64 { bytes.size }
        func read(at offset: Int64, count: Int) throws(MediaError) -> [UInt8] {
            guard offset + Int64(count) <= limit else { throw MediaError(.unreadable, "the disk fails") }
            return bytes.read(at: offset, count: count)
        }
    }

    static func number(_ value: Int, _ count: Int = 4) -> [UInt8] { (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

    static func box(_ type: String, _ content: [UInt8]) -> [UInt8] { number(content.count + 8) + Array(type.utf8) + content }

    static func large(_ type: String, _ content: [UInt8]) -> [UInt8] {
        number(1) + Array(type.utf8) + number(content.count + 16, 8) + content
    }

    static let text = Array("IsoMedia File Produced with something".utf8)

    private func found(_ bytes: [UInt8]) throws -> [UnreadBox] { try UnreadBoxes.find(in: Bytes(bytes: bytes)) }

    @Test func whatIsReadIsNotReported() throws {
        let file = Self.box("ftyp", Self.text) + Self.box("free", Self.text) + Self.box("free", [UInt8](repeating: 0, count: 5000))
            + Self.box("skip", []) + Self.large("mdat", Self.text) + Self.box("moov", Self.box("mvhd", Self.text) + Self.box("trak", Self.text))
        #expect(try found(file).isEmpty)
    }

    @Test func whatNobodyReadsIs() throws {
        let noise = (0..<700).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let head = Self.box("ftyp", Self.text)
        let file = head + Self.box("free", noise) + Self.large("GPS ", noise) + Self.box("uuid", noise)
            + Self.box("moov", Self.box("mvhd", Self.text) + Self.box("udat", noise)) + Self.number(0) + Array("gps ".utf8) + noise
        let offset = Int64(head.count)
        #expect(
            try found(file) == [
                UnreadBox(type: "free", parent: nil, offset: offset, size: 708),
                UnreadBox(type: "GPS ", parent: nil, offset: offset + 708, size: 716),
                UnreadBox(type: "uuid", parent: nil, offset: offset + 1424, size: 708),
                UnreadBox(type: "udat", parent: "moov", offset: offset + 2132 + 8 + 8 + Int64(Self.text.count), size: 708),
                UnreadBox(type: "gps ", parent: nil, offset: Int64(file.count) - 708, size: 708),
            ])
    }

    @Test func whatCannotBeReadIsNotPassedOver() throws {
        let noise = (0..<7000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let file = Bytes(bytes: Self.box("ftyp", Self.text) + Self.box("free", noise) + Self.box("GPS ", noise))
        let boxes = try UnreadBoxes.find(in: file)
        #expect(boxes.count == 2)
        for limit in [0, 4000, 7060] as [Int64] {
            #expect(throws: MediaError.self) { try UnreadBoxes.find(in: Failing(bytes: file, limit: limit)) }
        }
        let media = try InputMedia()
        let target = try OutputTarget(path: media.path("o"), isPattern: false)
        func save(_ source: some ByteSource, _ suffix: String) throws {
            let files = try OutputFiles(target: target, replacesExisting: false, inputs: [])
            try SavedBoxes.copy(boxes, from: source, to: files.create(suffix: suffix), interrupt: Interrupt())
            try OutputFiles.publish([files])
        }
        try save(file, ".whole")
        #expect(try Data(contentsOf: URL(fileURLWithPath: media.path("o.whole"))).count == 14_016)
        let failure = #expect(throws: MediaError.self) { try save(Failing(bytes: file, limit: 9000), ".cut") }
        #expect(failure?.code == .unreadable)
        #expect(try entries(media.directory) == ["o.whole"])
    }

    /// Novatek: a table in moov that points to blocks among the samples.
    @Test func novatekBlocksAreFollowed() throws {
        let block = Self.box("free", Array("GPS ".utf8) + [UInt8](repeating: 9, count: 100))
        let head = Self.box("ftyp", Self.text)
        let media = Self.box("mdat", Self.text + block + Self.text + block)
        let first = head.count + 8 + Self.text.count
        let second = first + block.count + Self.text.count
        let entries = [(first, block.count), (second, block.count), (3, 40), (1 << 30, 40), (first, 1 << 30)]
        let table = Self.number(1) + Self.number(entries.count) + entries.flatMap { Self.number($0) + Self.number($1) }
        let file = head + media + Self.box("moov", Self.box("mvhd", Self.text) + Self.box("gps ", table))
        let boxes = try found(file)
        #expect(boxes.map(\.type) == ["gps ", "free", "free"])
        #expect(boxes.map(\.parent) == ["moov", "gps ", "gps "])
        #expect(boxes.dropFirst().map(\.offset) == [Int64(first), Int64(second)])
    }

    /// A table that names one block again and again, others that lie inside it, and one that reaches into the next.
    @Test func eachByteIsSavedOnce() throws {
        let inner = Self.box("free", Array("GPS ".utf8) + [UInt8](repeating: 9, count: 40))
        let block = Self.box("free", Array("GPS ".utf8) + inner + [UInt8](repeating: 7, count: 100))
        let head = Self.box("ftyp", Self.text)
        let media = Self.box("mdat", block + block)
        let first = head.count + 8
        let entries = [(first, block.count), (first, block.count), (first + 12, inner.count), (first, block.count + 20), (first + block.count, block.count)]
        let many = (0..<200).flatMap { _ in entries }
        let table = Self.number(1) + Self.number(many.count) + many.flatMap { Self.number($0) + Self.number($1) }
        let file = head + media + Self.box("moov", Self.box("mvhd", Self.text) + Self.box("gps ", table))
        let boxes = try found(file)
        #expect(boxes.reduce(0) { $0 + $1.size } <= Int64(file.count))
        let ranges = boxes.map { $0.offset..<$0.offset + $0.size }.sorted { $0.lowerBound < $1.lowerBound }
        #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
        #expect(boxes.map(\.type) == ["gps ", "free"])
    }

    @Test func manyBoxesMakeAShortNotice() throws {
        let media = try InputMedia()
        let path = try media.make("in.mp4", "-f lavfi -i testsrc2=s=64x64:r=25:d=0.2 -c:v libx264")
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let noise = (0..<700).map { UInt8(truncatingIfNeeded: $0 * 7) }
        bytes += Self.box("GPS ", noise)
        for _ in 0..<30 { bytes += Self.box("free", noise) }
        let result = try transcode(try media.write("boxes.mp4", bytes), to: media.path("out.mp4"))
        #expect(result.notices.contains { $0.contains("('GPS ', 'free' x 30)") }, "\(result.notices)")
    }

    @Test func sizesThatLie() throws {
        let head = Self.box("ftyp", Self.text)
        #expect(try found(head + Self.number(4) + Array("GPS ".utf8) + Self.text).isEmpty)
        #expect(try found(head + Self.number(1) + Array("GPS ".utf8) + [UInt8](repeating: 0xff, count: 8) + Self.text).isEmpty)
        // Cut off by the end of the file: what is there is reported.
        let cut = try found(head + Self.number(5000) + Array("GPS ".utf8) + Self.text)
        #expect(cut.map(\.size) == [Int64(8 + Self.text.count)])
    }

    @Test func randomBytesAreSurvived() throws {
        var random = SeededRandom(seed: 5)
        let types = ["moov", "gps ", "free", "uuid", "GPS ", "mdat", "trak"]
        var reported = 0
        for _ in 0..<3000 {
            var file: [UInt8] = []
            for _ in 0..<Int.random(in: 0..<8, using: &random) {
                let content = (0..<Int.random(in: 0..<60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
                let type = types.randomElement(using: &random) ?? ""
                file += Bool.random(using: &random) ? Self.box(type, content) : Self.large(type, content)
            }
            for _ in 0..<Int.random(in: 0..<4, using: &random) where !file.isEmpty {
                file[Int.random(in: file.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            for box in try found(file) {
                reported += 1
                #expect(box.offset >= 0 && box.size >= 8 && box.offset + box.size <= Int64(file.count))
            }
        }
        #expect(reported > 1000)
    }
}
