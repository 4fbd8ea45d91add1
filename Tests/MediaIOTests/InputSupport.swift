import Foundation
import TestSupport
import Testing

@testable import MediaIO

/// Media made with the ffmpeg program, in a directory of its own that goes away with this object.
final class InputMedia: Sendable {
    let directory: String

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("solstice-input-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func path(_ name: String) -> String { directory + "/" + name }

    /// Runs `ffmpeg ARGUMENTS NAME` with one thread and bit-exact output; the path of the file.
    func make(_ name: String, _ arguments: String) throws -> String {
        let words = arguments.split(separator: " ").map { $0.replacingOccurrences(of: "@", with: directory + "/") }
        _ = try run("ffmpeg", ["-v", "error", "-y", "-nostdin"] + words + ["-threads", "1", path(name)])
        return path(name)
    }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }
}

/// Standard output of a program; throws where it exits with another code than 0.
func run(_ program: String, _ arguments: [String]) throws -> String { try Program.output(program, arguments) }

/// What ffprobe says the frames' pts are, in ticks of the video's time base.
func probedPts(_ path: String, field: String = "pts", _ options: [String] = []) throws -> [Int64] {
    let arguments = options + ["-v", "quiet", "-select_streams", "v:0", "-show_entries", "frame=\(field)", "-of", "csv=p=0", path]
    return try run("ffprobe", arguments).split(separator: "\n").compactMap { line in
        Int64(line.trimmingCharacters(in: CharacterSet(charactersIn: ", \r")))
    }
}

/// A source decoded from its first to its last frame.
struct DecodedSource {
    var info: SourceInfo
    var pts: [Int64] = []
    var conditions: [FrameCondition] = []
    var damage = DamageReport()
    var readError: MediaError?

    /// Decodes `path`; `look` sees every frame.
    init(_ path: String, threads: Int = 1, from start: Double = 0, look: (DecodedFrame) throws -> Void = { _ in }) throws {
        let interrupt = Interrupt()
        info = try SourceProbe.probe(path: path, interrupt: interrupt)
        let demuxer = try Demuxer(path: path, interrupt: interrupt)
        if start > 0 { try demuxer.seek(toSeconds: start) }
        let decoder = try VideoDecoder(demuxer: demuxer, info: info.video, threads: threads, startSeconds: start)
        var pts: [Int64] = []
        var conditions: [FrameCondition] = []
        let take = { (frame: DecodedFrame) in
            #expect(frame.index == pts.count)
            #expect(frame.frame.timeBase == demuxer.info.video.timeBase)
            pts.append(try #require(frame.frame.pts))
            conditions.append(frame.condition)
            try look(frame)
        }
        while let packet = try demuxer.next() { try decoder.decode(packet, emit: take) }
        try decoder.decode(nil, emit: take)
        self.pts = pts
        self.conditions = conditions
        damage = decoder.damage
        readError = demuxer.readError
    }
}
