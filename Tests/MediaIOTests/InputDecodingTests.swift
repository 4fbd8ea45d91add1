import Foundation
import Testing

@testable import MediaIO

/// Every kind of media that the decoder has to give frame by frame as ffprobe lists it.
@Suite struct InputDecodingTests {
    struct Recipe: Sendable, CustomTestStringConvertible {
        var name: String
        var arguments: String
        var frames: Int
        var testDescription: String { name }
    }

    static let source = "-f lavfi -i testsrc2=s=192x112:r=25"

    static let recipes: [Recipe] = [
        Recipe(name: "plain.mp4", arguments: "\(source) -frames:v 30 -c:v libx264 -bf 0", frames: 30),
        Recipe(name: "bframes.mp4", arguments: "\(source) -frames:v 40 -c:v libx264 -bf 3 -b_strategy 0 -x264-params b-pyramid=normal", frames: 40),
        Recipe(name: "vfr.mp4", arguments: "\(source) -frames:v 30 -vf setpts='N*512+mod(N\\,3)*100' -vsync passthrough -enc_time_base 1/12800 -c:v libx264", frames: 30),
        Recipe(name: "edit.mp4", arguments: "\(source) -frames:v 50 -c:v libx264 -g 25", frames: 50),
        Recipe(name: "negative.mkv", arguments: "\(source) -frames:v 30 -c:v libx264 -output_ts_offset -0.2 -avoid_negative_ts disabled", frames: 30),
        Recipe(name: "late.mp4", arguments: "\(source) -frames:v 30 -c:v libx264 -output_ts_offset 1.5", frames: 30),
        Recipe(name: "open.mp4", arguments: "\(source) -frames:v 60 -c:v libx264 -g 12 -bf 3 -x264-params open-gop=1", frames: 60),
        Recipe(name: "h264.ts", arguments: "\(source) -frames:v 30 -c:v libx264 -bf 2", frames: 30),
        Recipe(name: "mpeg2.ts", arguments: "\(source) -frames:v 30 -c:v mpeg2video -bf 2", frames: 30),
        Recipe(name: "mpeg2.mpg", arguments: "\(source) -frames:v 30 -c:v mpeg2video", frames: 30),
        Recipe(name: "hevc.mp4", arguments: "\(source) -frames:v 30 -c:v libx265 -x265-params log-level=none:pools=1", frames: 30),
        Recipe(name: "mjpeg.avi", arguments: "\(source) -frames:v 20 -c:v mjpeg", frames: 20),
        Recipe(name: "mpeg4.avi", arguments: "\(source) -frames:v 30 -c:v mpeg4 -bf 2", frames: 30),
        Recipe(name: "h264.avi", arguments: "\(source) -frames:v 30 -c:v libx264 -bf 3", frames: 30),
        // Two pictures in one packet, and a packet that shows nothing for it; this encoder keeps the last two.
        Recipe(name: "packed.avi", arguments: "\(source) -frames:v 30 -c:v libxvid -bf 2", frames: 28),
        Recipe(name: "mpeg4.mp4", arguments: "\(source) -frames:v 30 -c:v mpeg4 -bf 2", frames: 30),
        Recipe(name: "raw.h264", arguments: "\(source) -frames:v 30 -c:v libx264 -bf 3", frames: 30),
        Recipe(name: "raw.hevc", arguments: "\(source) -frames:v 30 -c:v libx265 -x265-params log-level=none:pools=1", frames: 30),
        Recipe(name: "vp8.webm", arguments: "\(source) -frames:v 60 -c:v libvpx -auto-alt-ref 1 -lag-in-frames 16 -b:v 100k -deadline good -cpu-used 4", frames: 60),
        Recipe(name: "vp9.webm", arguments: "\(source) -frames:v 40 -c:v libvpx-vp9 -auto-alt-ref 1 -lag-in-frames 16 -b:v 100k -deadline realtime -cpu-used 8", frames: 40),
        Recipe(name: "mjpeg.mov", arguments: "\(source) -frames:v 20 -c:v mjpeg -pix_fmt yuvj422p", frames: 20),
        Recipe(name: "prores.mov", arguments: "\(source) -frames:v 10 -c:v prores_ks -pix_fmt yuv422p10le", frames: 10),
        Recipe(name: "high444.mkv", arguments: "\(source) -frames:v 12 -c:v libx264 -pix_fmt yuv444p", frames: 12),
        Recipe(name: "ten.mkv", arguments: "\(source) -frames:v 12 -c:v libx264 -pix_fmt yuv420p10le", frames: 12),
        Recipe(name: "animated.gif", arguments: "\(source) -frames:v 10", frames: 10),
        Recipe(name: "fragmented.mp4", arguments: "\(source) -frames:v 40 -c:v libx264 -g 10 -movflags frag_keyframe+empty_moov", frames: 40),
    ]

    @Test(arguments: recipes) func everyFrameWithItsPts(_ recipe: Recipe) throws {
        let media = try InputMedia()
        let path = try media.make(recipe.name, recipe.arguments)
        for threads in [1, 3] {
            let decoded = try DecodedSource(path, threads: threads)
            #expect(decoded.pts.count == recipe.frames)
            #expect(decoded.damage == damage(frames: recipe.frames))
            #expect(zip(decoded.pts, decoded.pts.dropFirst()).allSatisfy { $0 < $1 })
            guard decoded.info.video.hasKnownTimestamps else { continue }
            // MPEG program streams end with a packet without pts, which ffprobe leaves unknown.
            let probed = try probedPts(path)
            #expect(probed.count >= recipe.frames - 1)
            #expect(Array(decoded.pts.prefix(probed.count)) == probed)
        }
    }

    /// VP8's alternative references are packets of their own that show nothing.
    @Test func hiddenFramesAreNotOwed() throws {
        let media = try InputMedia()
        var path = ""
        for pass in 1...2 {
            path = try media.make(
                "hidden.webm",
                "\(Self.source) -frames:v 60 -c:v libvpx -auto-alt-ref 1 -lag-in-frames 25 -b:v 100k -deadline good -cpu-used 2 -pass \(pass) -passlogfile @log")
        }
        let packets = try run("ffprobe", ["-v", "error", "-show_entries", "packet=pts", "-of", "csv=p=0", path])
        try #require(packets.split(separator: "\n").count > 60, "this encoder hides no frames")
        let decoded = try DecodedSource(path)
        #expect(decoded.pts == (try probedPts(path)))
        #expect(decoded.damage == damage(frames: 60))
    }

    func damage(frames: Int) -> DamageReport {
        var report = DamageReport()
        report.frames = frames
        return report
    }
}
