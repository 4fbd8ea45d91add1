import FuzzKit

@testable import MediaIO

/// The harnesses of the room MediaIO.
let mediaIOHarnesses = [Harness("boxes", boxes), Harness("tags", tags)]

/// Finds the boxes that libavformat does not read.
@Sendable private func boxes(_ bytes: [UInt8]) throws -> Bool {
    try Scratch.withFile(bytes) { path in
        let found: [UnreadBox]
        do throws(MediaError) {
            found = try UnreadBoxes.find(inFile: path)
        } catch {
            throw Violation(description: "a file that can be read is refused: \(error)")
        }
        var end: Int64 = 0
        for box in found.sorted(by: { $0.offset < $1.offset }) {
            try hold(box.offset >= end && box.size >= 8, "the box at \(box.offset) of \(box.size) bytes shares some with another one")
            end = box.offset + box.size
            try hold(box.type.utf8.count <= 20 && !box.type.unicodeScalars.contains { $0.value < 32 }, "the type \(box.type)")
        }
        try hold(end <= Int64(bytes.count), "boxes up to \(end) of \(bytes.count) bytes")
        return !found.isEmpty
    }
}
