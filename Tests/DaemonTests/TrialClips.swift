import Foundation
import Glibc
import TestSupport
import Testing

/// A small video, made once with ffmpeg, and what `solstice convert` makes of it.
struct TrialClip: Sendable, CustomTestStringConvertible {
    let name: String
    let ending: String
    /// Arguments of ffmpeg; `@` names a file that is made with them.
    let arguments: [String]
    let frames: Int

    var testDescription: String { name }

    private static func picture(_ seconds: Double, _ filter: String = "null") -> [String] {
        ["-f", "lavfi", "-i", "testsrc2=size=192x108:rate=25:duration=\(seconds),\(filter)", "-f", "lavfi", "-i", "sine=duration=\(seconds)"]
    }

    private static let x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-threads", "1"]

    /// B-frames, sound.
    static let plain = TrialClip(name: "plain", ending: "mp4", arguments: picture(0.8) + x264 + ["-bf", "2", "-g", "10", "-c:a", "aac"], frames: 20)
    /// The same scene in other colours.
    static let red = TrialClip(
        name: "red", ending: "mp4", arguments: picture(0.8, "hue=h=120") + x264 + ["-bf", "2", "-g", "10", "-c:a", "aac"], frames: 20)
    /// A data stream beside the picture, as cameras write their GPS.
    static let camera = TrialClip(
        name: "camera", ending: "mov",
        arguments: picture(0.8, "hue=h=40") + ["-f", "data", "-raw_packet_size", "1000", "-i", "@data", "-map", "0", "-map", "1", "-map", "2"] + x264
            + ["-bf", "2", "-g", "8", "-c:a", "aac", "-c:d", "copy", "-tag:d", "gpmd", "-bsf:d", "setts=pts=N*50:dts=N*50:duration=50:time_base=1/1000"],
        frames: 20)
    /// Frames of uneven length, subtitles.
    static let uneven = TrialClip(
        name: "uneven", ending: "mkv",
        arguments: picture(1.2, "select='not(between(n\\,3\\,6))*not(eq(n\\,9))',hue=h=90") + ["-i", "@subtitles", "-map", "0", "-map", "1", "-map", "2", "-fps_mode", "vfr"] + x264
            + ["-g", "10", "-c:a", "libopus", "-c:s", "srt"],
        frames: 25)
    /// Some seconds of work, with many places to cut.
    static let long = TrialClip(
        name: "long", ending: "mp4", arguments: picture(12, "hue=h=200") + x264 + ["-bf", "2", "-g", "12", "-c:a", "aac"], frames: 300)
    /// Long enough for several checkpoints, which come once a second at most.
    static let film = TrialClip(
        name: "film", ending: "mp4", arguments: picture(24, "hue=h=230") + x264 + ["-bf", "2", "-g", "12", "-c:a", "aac"], frames: 600)
    /// Not meant to be finished.
    static let endless = TrialClip(
        name: "endless", ending: "mkv", arguments: picture(90, "hue=h=250") + x264 + ["-bf", "2", "-g", "25", "-c:a", "aac"], frames: 2250)

    static let short = [plain, red, camera, uneven]

    /// Everything that the process has made, removed with it.
    private static let shop = ClipShop()

    /// The file's content; another `variant` has the same frames in another file.
    func bytes(variant: Int = 0) throws -> Data { try Self.shop.bytes(self, variant: variant) }

    /// Path of the clip's file, which is not to be touched.
    func path(variant: Int = 0) throws -> String { try Self.shop.path(self, variant: variant) }

    /// All frames, times and packets of what `solstice convert` makes of it.
    func expected(_ options: [String] = TrialBench.conversionArguments) throws -> [String] { try Self.shop.expected(self, options) }

    /// Checks that `result` is what `convert` makes of this clip.
    func expectResult(_ result: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let found = try Probe.substance(result), wanted = try expected()
        #expect(found == wanted, "\(result) differs from what convert makes: \(Self.difference(found, wanted))", sourceLocation: sourceLocation)
        #expect(found.filter { $0.hasPrefix("0,") }.count == frames, sourceLocation: sourceLocation)
        let pts = try Probe.framePts(result), before = try Self.shop.framePts(self)
        #expect(pts.count == before.count && zip(pts, before).allSatisfy { abs($0 - $1) < 0.0011 }, sourceLocation: sourceLocation)
    }

    private static func difference(_ found: [String], _ wanted: [String]) -> String {
        let (surplus, missing) = (Set(found).subtracting(wanted), Set(wanted).subtracting(found))
        return "\(surplus.count) lines more, such as \(surplus.sorted().prefix(3)); \(missing.count) less, such as \(missing.sorted().prefix(3))"
    }
}

/// Makes clips and keeps them until the process ends.
final class ClipShop: @unchecked Sendable {
    // Safe to share: all access holds `lock`.
    private let lock = NSLock()
    private let folder: String
    private var paths: [String: String] = [:]
    private var results: [String: [String]] = [:]
    private var times: [String: [Double]] = [:]
    nonisolated(unsafe) private static var folders: [String] = []

    init() {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("solstice-clips-\(UUID().uuidString)").path
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        Self.folders.append(folder)
        atexit { for folder in ClipShop.folders { try? FileManager.default.removeItem(atPath: folder) } }
    }

    func bytes(_ clip: TrialClip, variant: Int) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(clip, variant: variant))) }

    func path(_ clip: TrialClip, variant: Int) throws -> String {
        try lock.withLock {
            let first = try made(clip.name, clip.ending) { try make(clip, $0) }
            guard variant > 0 else { return first }
            return try made("\(clip.name)-\(variant)", clip.ending) { path in
                // Matroska again from the start, as ffmpeg's copies of it begin at another moment.
                guard clip.ending != "mkv" else { return try make(clip, path, title: "variant \(variant)") }
                try (Data(contentsOf: URL(fileURLWithPath: first)) + Self.emptyBox(variant)).write(to: URL(fileURLWithPath: path))
            }
        }
    }

    /// A box of nothing (ISO/IEC 14496-12, 8.1.2) to put behind the end of a file.
    static func emptyBox(_ size: Int) -> Data {
        Data([0, 0, UInt8((8 + size) >> 8), UInt8((8 + size) & 0xFF)]) + Data("free".utf8) + Data(count: size)
    }

    func expected(_ clip: TrialClip, _ options: [String]) throws -> [String] {
        let source = try path(clip, variant: 0)
        return try lock.withLock {
            let key = ([clip.name] + options).joined(separator: " ")
            if let known = results[key] { return known }
            let path = "\(folder)/converted-\(UUID().uuidString).\(clip.ending)"
            let outcome = try Program.run(Program.solstice, ["convert", source, path, "--quiet"] + options)
            guard outcome.status == 0 else { throw Program.Failure(description: "convert: \(outcome.errors)") }
            results[key] = try Probe.substance(path)
            return results[key] ?? []
        }
    }

    /// Seconds of the clip's own frames.
    func framePts(_ clip: TrialClip) throws -> [Double] {
        let source = try path(clip, variant: 0)
        return try lock.withLock {
            if let known = times[clip.name] { return known }
            times[clip.name] = try Probe.framePts(source)
            return times[clip.name] ?? []
        }
    }

    private func made(_ name: String, _ ending: String, _ make: (String) throws -> Void) throws -> String {
        if let known = paths[name] { return known }
        let path = "\(folder)/\(name).\(ending)"
        try make(path)
        paths[name] = path
        return path
    }

    private func make(_ clip: TrialClip, _ path: String, title: String = "first") throws {
        let data = folder + "/data.bin", subtitles = folder + "/subtitles.srt"
        try Data((0..<16_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }).write(to: URL(fileURLWithPath: data))
        try Data("1\n00:00:00,100 --> 00:00:00,500\nleft\n\n2\n00:00:00,600 --> 00:00:00,900\nright\n".utf8).write(to: URL(fileURLWithPath: subtitles))
        let arguments = clip.arguments.map { $0 == "@data" ? data : $0 == "@subtitles" ? subtitles : $0 }
        try Program.output("ffmpeg", ["-v", "error", "-nostdin", "-y"] + arguments + ["-metadata", "title=\(title)", path])
    }
}
