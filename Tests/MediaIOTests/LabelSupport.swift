import Foundation
import Imaging
import Testing

@testable import MediaIO

/// Label pictures of a known pattern, and what is read of them.
enum LabelPattern {
    static let width = 67
    static let height = 31
    static let frames = 4
    static let classCount = 35

    /// Rectangles of 35 classes that move by a pixel each frame.
    static func id(_ x: Int, _ y: Int, _ frame: Int) -> UInt8 { UInt8(((x + frame) / 5 + y / 4 * 7) % classCount) }

    static func ids(frame: Int, width: Int = width, height: Int = height) -> [UInt8] {
        (0..<height).flatMap { y in (0..<width).map { x in id(x, y, frame) } }
    }

    /// A colour of each class, none of them gray.
    static func colour(_ id: UInt8) -> UInt32 { UInt32(id) * 0x06_0301 + 0x10_4080 }

    static let table = ColourTable((0..<UInt8(classCount)).map { (colour($0), $0) })
}

extension InputMedia {
    /// The pattern as raw samples, `bytes` giving those of one id, coded by ffmpeg's `arguments`.
    func labels(
        _ name: String, _ format: String, _ arguments: String, width: Int = LabelPattern.width, height: Int = LabelPattern.height,
        frames: Int = LabelPattern.frames, rate: String = "25", bytes: (UInt8) -> [UInt8] = { [$0] }
    ) throws -> String {
        let raw = (0..<frames).flatMap { LabelPattern.ids(frame: $0, width: width, height: height).flatMap(bytes) }
        _ = try write("raw", raw)
        return try make(
            name, "-f rawvideo -pixel_format \(format) -video_size \(width)x\(height) -framerate \(rate) -i @raw \(arguments)")
    }

    /// The pattern in the table's colours.
    func colourLabels(_ name: String, _ arguments: String) throws -> String {
        try labels(name, "rgb24", arguments) { id in
            let colour = LabelPattern.colour(id)
            return [UInt8(colour >> 16), UInt8(colour >> 8 & 255), UInt8(colour & 255)]
        }
    }
}

/// All frames of a source, its samples kept.
func keptFrames(_ path: String) throws -> (info: SourceInfo, frames: [DecodedFrame]) {
    let interrupt = Interrupt()
    let info = try SourceProbe.probe(path: path, interrupt: interrupt)
    let demuxer = try Demuxer(path: path, interrupt: interrupt)
    let decoder = try VideoDecoder(demuxer: demuxer, info: info.video, threads: 1, keepsSamples: true)
    var frames: [DecodedFrame] = []
    while let packet = try demuxer.next() { try decoder.decode(packet) { frames.append($0) } }
    try decoder.decode(nil) { frames.append($0) }
    return (info, frames)
}

/// All label pictures of a source.
func readLabels(
    _ path: String, _ colours: ColourTable? = nil, known: Set<UInt8>? = nil, reduces: Bool = false, forced: Bool = false
) throws -> [LabelImage] {
    let (info, frames) = try keptFrames(path)
    try LabelCoding.check(info, isForced: forced)
    let reader = try LabelReader(
        source: info, colours: colours, knownClasses: known, reducesZeroLabel: reduces, isForced: forced)
    return try frames.map { try reader.labels(of: $0) }
}

func readInstances(_ path: String, forced: Bool = false) throws -> [[UInt32]] {
    let (info, frames) = try keptFrames(path)
    try LabelCoding.check(info, isForced: forced)
    let reader = try InstanceReader(source: info, isForced: forced)
    return try frames.map { try reader.instances(of: $0.frame) }
}

func expectPattern(_ labels: [LabelImage], frames: Int = LabelPattern.frames, _ path: String) {
    #expect(labels.count == frames, "\(path)")
    for (index, label) in labels.enumerated() {
        #expect((label.width, label.height) == (LabelPattern.width, LabelPattern.height))
        #expect(label.classes == LabelPattern.ids(frame: index), "frame \(index) of \(path)")
    }
}
