import Foundation
import TestSupport
import Testing

/// Small files with seeded damage: whatever happens to a file, the program converts it, salvages it or refuses it.
@Suite("Mutated files", .serialized) struct MutationTests {
    enum Mutation: CaseIterable {
        /// To the file as a whole, the container's own structure included.
        case truncation, bitFlips, reorderedBoxes
        /// To coded pictures and sounds alone.
        case payloadNoise, payloadBitFlips, payloadHoles

        static let ofStructure: [Mutation] = [.truncation, .bitFlips, .reorderedBoxes]
        static let ofPayload: [Mutation] = [.payloadNoise, .payloadBitFlips, .payloadHoles]
    }

    private struct Original {
        let kind: String
        let bytes: [UInt8]
        /// Ranges of the top-level boxes; empty for containers that have none.
        let boxes: [(type: String, range: Range<Int>)]

        /// Where the coded pictures and sounds lie; nil where they are not in one place.
        var payload: Range<Int>? { boxes.first { $0.type == "mdat" }.map { $0.range.lowerBound + 8..<$0.range.upperBound } }
    }

    private enum Fate: String { case converted, salvaged, refused }

    @Test("200 mutations: no crash, no hang, no half output; salvage and refusal both occur")
    func mutations() async throws {
        let folder = try TemporaryFolder()
        let originals = try Self.originals(in: folder)
        let withPayload = originals.filter { $0.payload != nil }
        var fates: [Fate: Int] = [:]
        for seed in 0..<200 {
            let isPayload = seed % 2 == 1
            let choice = isPayload ? withPayload : originals, mutations = isPayload ? Mutation.ofPayload : Mutation.ofStructure
            let original = choice[seed / 2 % choice.count], mutation = mutations[seed / 2 % mutations.count]
            var random = SeededRandom(seed: UInt64(seed))
            let mutated = Self.mutate(original, by: mutation, using: &random)
            let input = folder.path("mutated.\(original.kind)")
            try Data(mutated).write(to: URL(fileURLWithPath: input))
            let fate = try Self.convert(input, in: folder, label: "seed \(seed), \(original.kind), \(mutation)")
            fates[fate, default: 0] += 1
        }
        #expect(fates[.salvaged, default: 0] > 0 && fates[.refused, default: 0] > 0, "\(fates)")
        #expect(fates.values.reduce(0, +) == 200)
    }

    private static func originals(in folder: TemporaryFolder) throws -> [Original] {
        let kinds = [
            ("mov", ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le"]),
            ("mp4", Source.x264 + ["-g", "5", "-c:a", "aac"]), ("mkv", Source.x264 + ["-g", "5", "-c:a", "aac"]),
            ("avi", ["-c:v", "mpeg4", "-g", "5", "-c:a", "mp3"]), ("ts", ["-c:v", "mpeg2video", "-g", "5", "-c:a", "mp2"]),
        ]
        return try kinds.map { kind, arguments in
            let path = folder.path("original.\(kind)")
            try Program.output(
                "ffmpeg",
                ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=1"] + Source.tone + arguments + [path])
            let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            return Original(kind: kind, bytes: bytes, boxes: ["mp4", "mov"].contains(kind) ? boxes(of: bytes) : [])
        }
    }

    /// Converts a mutated file, with `--salvage` where it is refused without, and checks what lies there afterwards.
    private static func convert(_ input: String, in folder: TemporaryFolder, label: String) throws -> Fate {
        let output = folder.path("out.mkv")
        let before = folder.names
        func run(_ options: [String]) throws -> Program.Outcome {
            try Program.run(
                Program.solstice, ["convert", input, output, "--quiet", "--strength", "0"] + options, limit: 60)
        }
        let first = try run([])
        #expect(first.status >= 0 && first.status < 100, "\(label): status \(first.status): \(first.errors)")
        if first.status == 0 {
            try expectWhole(output, label: label)
            try FileManager.default.removeItem(atPath: output)
            try removeSidecars(in: folder, except: before)
            return .converted
        }
        #expect(folder.names == before, "\(label): \(folder.names)")
        #expect(!first.errors.isEmpty, "\(label)")
        let second = try run(["--salvage"])
        #expect(second.status >= 0 && second.status < 100, "\(label), salvage: status \(second.status): \(second.errors)")
        guard second.status == 0 else {
            #expect(folder.names == before, "\(label), salvage: \(folder.names)")
            return .refused
        }
        #expect(second.errors.contains("damaged"), "\(label): a salvage says what is missing: \(second.errors)")
        try expectWhole(output, label: label)
        try FileManager.default.removeItem(atPath: output)
        try removeSidecars(in: folder, except: before)
        return .salvaged
    }

    private static func expectWhole(_ path: String, label: String) throws {
        let outcome = try Program.run("ffmpeg", ["-v", "error", "-nostdin", "-xerror", "-i", path, "-map", "0:v:0", "-f", "null", "-"])
        #expect(outcome.status == 0, "\(label): the output does not decode: \(outcome.errors)")
    }

    private static func removeSidecars(in folder: TemporaryFolder, except before: [String]) throws {
        for name in folder.names where !before.contains(name) {
            #expect(name.hasPrefix("out.mkv."), "unexpected file \(name)")
            try FileManager.default.removeItem(atPath: folder.path(name))
        }
    }

    /// The top-level boxes of an ISO base media file (ISO/IEC 14496-12, 4.2), as ffmpeg writes them: 32-bit sizes.
    private static func boxes(of bytes: [UInt8]) -> [(type: String, range: Range<Int>)] {
        var found: [(type: String, range: Range<Int>)] = []
        var start = 0
        while start + 8 <= bytes.count {
            let size = bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
            guard size >= 8, start + size <= bytes.count else { break }
            found.append((String(decoding: bytes[start + 4..<start + 8], as: UTF8.self), start..<start + size))
            start += size
        }
        return found
    }

    private static func mutate(_ original: Original, by mutation: Mutation, using random: inout SeededRandom) -> [UInt8] {
        var bytes = original.bytes
        let payload = original.payload ?? bytes.indices
        switch mutation {
        case .truncation:
            bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random))
        case .reorderedBoxes:
            guard original.boxes.count > 1 else {
                let cut = Int.random(in: 1..<bytes.count, using: &random)
                return Array(bytes[cut...] + bytes[..<cut])
            }
            return original.boxes.shuffled(using: &random).flatMap { bytes[$0.range] }
        case .bitFlips, .payloadBitFlips:
            let range = mutation == .bitFlips ? bytes.indices : payload
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                bytes[Int.random(in: range, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
        case .payloadNoise, .payloadHoles:
            let length = Int.random(in: 1...max(1, payload.count / 4), using: &random)
            let start = Int.random(in: payload.lowerBound...payload.upperBound - length, using: &random)
            for offset in start..<start + length {
                bytes[offset] = mutation == .payloadHoles ? 0 : UInt8.random(in: 0...255, using: &random)
            }
        }
        return bytes
    }
}
