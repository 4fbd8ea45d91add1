import Foundation
import Testing

@testable import MediaIO

/// The converted video itself: size, tags, times, encoders and pixel formats.
@Suite struct OutputVideoTests {
    struct Recipe: Sendable, CustomTestStringConvertible {
        var name: String
        var arguments: String
        var output = "out.mp4"
        var settings = EncoderSettings()
        var tolerance = 1e-6
        var testDescription: String { "\(name) to \(output)" }
    }

    static let source = "-f lavfi -i testsrc2=s=160x112:r=25"

    static let recipes: [Recipe] = [
        Recipe(
            name: "rate.mp4", arguments: "-f lavfi -i testsrc2=s=160x112:r=30000/1001 -frames:v 40 -c:v libx264 -bf 3"),
        Recipe(name: "scale.mp4", arguments: "\(source) -frames:v 30 -c:v libx264 -video_track_timescale 600"),
        Recipe(
            name: "vfr.mp4",
            arguments:
                "\(source) -frames:v 30 -vf settb=1/12800,setpts=N*512+mod(N\\,3)*100 -vsync passthrough -enc_time_base 1/12800 -c:v libx264"
        ),
        Recipe(
            name: "vfr.mp4",
            arguments:
                "\(source) -frames:v 30 -vf settb=1/12800,setpts=N*512+mod(N\\,3)*100 -vsync passthrough -enc_time_base 1/12800 -c:v libx264",
            output: "out.mkv", tolerance: 0.0006),
        Recipe(
            name: "vfr.mp4",
            arguments:
                "\(source) -frames:v 30 -vf settb=1/12800,setpts=N*512+mod(N\\,3)*100 -vsync passthrough -enc_time_base 1/12800 -c:v libx264",
            settings: EncoderSettings(name: "mpeg4", bitrate: 400_000)),
        Recipe(name: "ms.mkv", arguments: "-f lavfi -i testsrc2=s=160x112:r=30000/1001 -frames:v 40 -c:v libx264"),
        Recipe(name: "h264.ts", arguments: "\(source) -frames:v 30 -c:v libx264 -bf 2"),
        Recipe(
            name: "h264.ts", arguments: "\(source) -frames:v 30 -c:v libx264 -bf 2", output: "out.mov",
            settings: EncoderSettings(name: "mpeg4")),
        Recipe(
            name: "late.mp4", arguments: "\(source) -frames:v 30 -c:v libx264 -output_ts_offset 1.234",
            settings: EncoderSettings(name: "mpeg2video", bitrate: 1_000_000)),
        Recipe(name: "aspect.mp4", arguments: "\(source) -frames:v 10 -vf setsar=4/3 -c:v libx264"),
        Recipe(
            name: "colour.mp4",
            arguments:
                "\(source) -frames:v 10 -pix_fmt yuv420p10le -color_range pc -colorspace bt2020nc -color_primaries bt2020 -color_trc smpte2084 -c:v libx264"
        ),
        Recipe(
            name: "chroma.mp4",
            arguments:
                "\(source) -frames:v 10 -pix_fmt yuv422p -colorspace bt709 -color_primaries bt709 -color_trc bt709 -chroma_sample_location topleft -c:v libx264"
        ),
        Recipe(
            name: "full.mkv", arguments: "\(source) -frames:v 10 -pix_fmt yuv444p -c:v libx264",
            settings: EncoderSettings(name: "libx265", crf: 30, preset: "ultrafast")),
        Recipe(
            name: "web.mp4", arguments: "\(source) -frames:v 30 -c:v libx264 -bf 2", output: "out.webm",
            tolerance: 0.0006),
        Recipe(name: "av.avi", arguments: "\(source) -frames:v 30 -c:v mpeg4", output: "out.mp4"),
    ]

    @Test(arguments: recipes)
    func sizeTagsAndTimesAreTheSources(recipe: Recipe) throws {
        let media = try InputMedia()
        let source = try media.make(recipe.name, recipe.arguments)
        let output = media.path(recipe.output)
        let result = try transcode(source, to: output, recipe.settings)
        try expectSameVideoTimes(source, output, tolerance: recipe.tolerance)
        let (a, b) = (try ProbedFile(source), try ProbedFile(output))
        for key in ["width", "height"] + (recipe.name.hasPrefix("vfr") ? [] : ["r_frame_rate"]) {
            #expect(a.text(0, key) == b.text(0, key), "\(key)")
        }
        let aspects = [a, b].map { $0.text(0, "sample_aspect_ratio") }
        #expect(aspects[0] == aspects[1] || Set(aspects).isSubset(of: ["", "1:1", "0:1"]))
        for key in ["pix_fmt", "color_range", "color_space", "color_primaries", "color_transfer", "chroma_location"]
        where !a.text(0, key).isEmpty {
            if recipe.output != "out.webm" && recipe.settings.name != "mpeg2video" && recipe.settings.name != "libx265"
            {
                #expect(a.text(0, key) == b.text(0, key), "\(key)")
            }
        }
        if !["", "unknown"].contains(a.text(0, "field_order")) {
            #expect(["", "progressive"].contains(b.text(0, "field_order")))
        }
        #expect(result.report.frames == result.frames)
        #expect(
            try OutputVerifier.isComplete(
                output: output, matches: SourceProbe.probe(path: source, interrupt: Interrupt()), interrupt: Interrupt()
            ))
    }

    @Test func rotationIsCopiedAsItStands() throws {
        let media = try InputMedia()
        let upright = try media.make("upright.mp4", "\(Self.source) -frames:v 10 -c:v libx264")
        _ = upright
        let source = try media.make("source.mp4", "-i @upright.mp4 -c copy -metadata:s:v rotate=90")
        for ending in ["mp4", "mov"] {
            let output = media.path("out.\(ending)")
            let result = try transcode(source, to: output)
            #expect(result.report.warnings == [])
            let list = try [source, output].map {
                try run(
                    "ffprobe",
                    [
                        "-v", "quiet", "-select_streams", "v", "-show_entries",
                        "stream=width,height:side_data=rotation,displaymatrix", "-of", "csv", $0,
                    ])
            }
            #expect(list[0].contains("90"))
            #expect(list[0] == list[1])
        }
        let result = try transcode(source, to: media.path("out.mkv"))
        #expect(result.report.warnings.contains { $0.contains("rotation") })
    }

    @Test func oddSizesStayOdd() throws {
        let media = try InputMedia()
        let source = try media.make(
            "source.mkv", "-f lavfi -i testsrc=s=161x113:r=25 -frames:v 10 -pix_fmt yuv420p -c:v libvpx-vp9")
        let result = try transcode(source, to: media.path("out.mp4"))
        #expect(result.encoderPixelFormat == "yuv444p")
        let probed = try ProbedFile(media.path("out.mp4"))
        #expect(probed.text(0, "width") == "161" && probed.text(0, "height") == "113")
        let same = try transcode(source, to: media.path("out.webm"))
        #expect(same.encoderPixelFormat == "yuv420p")
    }

    @Test func picturesAndSequences() throws {
        let media = try InputMedia()
        for ending in ["jpg", "png", "bmp", "tiff", "webp", "ppm"] {
            let source = try media.make("in.png", "\(Self.source) -frames:v 1")
            let output = media.path("out.\(ending)")
            try transcode(source, to: output)
            let probed = try ProbedFile(output)
            #expect(probed.text(0, "width") == "160" && probed.text(0, "height") == "112", "\(ending)")
        }
        _ = try media.make("in_%03d.png", "\(Self.source) -frames:v 5 -start_number 7")
        let result = try transcode(media.path("in_%03d.png"), to: media.path("out_%04d.jpg"))
        #expect(
            result.report.files.map { ($0 as NSString).lastPathComponent } == [
                "out_0007.jpg", "out_0008.jpg", "out_0009.jpg", "out_0010.jpg", "out_0011.jpg",
            ])
        #expect(!(try entries(media.directory)).contains { $0.hasPrefix(".") })
        #expect(throws: MediaError.self) { try transcode(media.path("in_%03d.png"), to: media.path("out_%04d.jpg")) }
        #expect(throws: MediaError.self) { try transcode(media.path("in_%03d.png"), to: media.path("one.jpg")) }
        #expect(throws: MediaError.self) {
            try transcode(media.path("in_%03d.png"), to: media.path("in_%03d.png"), overwrite: true)
        }
        let video = try transcode(media.path("in_%03d.png"), to: media.path("film.mp4"))
        #expect(video.frames == 5)
    }

    @Test func exifIsCarriedOver() throws {
        let media = try InputMedia()
        let plain = try Data(contentsOf: URL(fileURLWithPath: media.make("plain.jpg", "\(Self.source) -frames:v 1")))
        // A TIFF structure with one entry: orientation 6.
        let exif: [UInt8] = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0]
        let segment = [0xff, 0xe1, 0, UInt8(8 + exif.count)] + Array("Exif\0\0".utf8) + exif
        let source = try media.write("in.jpg", Array(plain[..<2]) + segment + Array(plain[2...]))
        #expect(try PictureTags(file: source).exif == exif)
        for ending in ["jpg", "png"] {
            let result = try transcode(source, to: media.path("out.\(ending)"))
            #expect(result.report.warnings == [])
            #expect(try PictureTags(file: media.path("out.\(ending)")).exif == exif)
            #expect(
                try run("ffmpeg", ["-v", "error", "-xerror", "-i", media.path("out.\(ending)"), "-f", "null", "-"])
                    == "")
        }
        #expect(
            try SourceProbe.probe(path: media.path("out.jpg"), interrupt: Interrupt()).video.orientation == .clockwise90
        )
        #expect(try transcode(source, to: media.path("out.webp")).report.warnings.contains { $0.contains("Exif") })
    }

    @Test func encodersAndOptionsThatDoNotFitAreNamed() throws {
        let media = try InputMedia()
        let source = try media.make("source.mp4", "\(Self.source) -frames:v 5 -c:v libx264")
        let info = try SourceProbe.probe(path: source, interrupt: Interrupt())
        func failure(_ settings: EncoderSettings, _ output: String = "out.mp4") -> MediaError? {
            do {
                _ = try VideoEncoder(
                    settings: settings, source: info.video, container: ContainerFormat(outputPath: output))
                return nil
            } catch { return error }
        }
        #expect(failure(EncoderSettings(name: "libx246"))?.code == .unknownEncoder)
        #expect(failure(EncoderSettings(name: "libx246"))?.remedy?.contains("libx264") == true)
        #expect(failure(EncoderSettings(name: "aac"))?.code == .unknownEncoder)
        for (settings, word) in [
            (EncoderSettings(crf: 99), "crf"), (EncoderSettings(crf: -3), "crf"), (EncoderSettings(crf: .nan), "crf"),
            (EncoderSettings(name: "mpeg4", crf: 20), "crf"),
            (EncoderSettings(name: "mpeg4", preset: "fast"), "preset"),
            (EncoderSettings(preset: "fastish"), "preset"), (EncoderSettings(crf: 20, bitrate: 1_000_000), "crf"),
            (EncoderSettings(bitrate: 0), "bitrate"), (EncoderSettings(name: "ffv1", bitrate: 1_000_000), "bitrate"),
            (EncoderSettings(name: "libx265", preset: "fastish"), "preset"),
        ] {
            let error = failure(settings, settings.name == "ffv1" ? "out.mkv" : "out.mp4")
            #expect(error?.code == .unsupportedOption, "\(settings)")
            #expect(error?.message.contains(word) == true, "\(error?.message ?? "no error") for \(settings)")
        }
        #expect(failure(EncoderSettings(), "out.webm")?.code == nil)
        #expect(failure(EncoderSettings(name: "libx264"), "out.webm")?.code == .unsupportedOption)
        #expect(failure(EncoderSettings(name: "libx264"), "out.png")?.code == .unsupportedOption)
        #expect(failure(EncoderSettings(crf: 20), "out.png")?.code == .unsupportedOption)
        #expect(failure(EncoderSettings(name: "h264_vaapi"))?.code == .unsupportedOption)
        for path in ["out", "out.xyz", "out.mp3", "out.m3u8"] {
            #expect(throws: MediaError.self, "\(path)") { try ContainerFormat(outputPath: path) }
        }
        #expect(EncoderCatalogue.video().contains { $0.name == "libx264" && $0.codec == "h264" })
        #expect(LibraryVersions.all().contains { $0.name == "libavformat" && $0.version.hasPrefix("5") })
    }

    @Test func unreadBoxesAreSaved() throws {
        let media = try InputMedia()
        let source = try media.make("source.mp4", "\(Self.source) -frames:v 5 -c:v libx264")
        var content = try Data(contentsOf: URL(fileURLWithPath: source))
        let box = Data([0, 0, 0, 24]) + Data("gps ".utf8) + Data((1...16).map { UInt8($0) })
        content.append(box)
        try content.write(to: URL(fileURLWithPath: source))
        let output = media.path("out.mp4")
        let result = try transcode(source, to: output)
        #expect(result.report.warnings.count == 1 && result.report.warnings[0].contains("gps "))
        #expect(try Data(contentsOf: URL(fileURLWithPath: output + ".boxes.bin")) == box)
        let json =
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: output + ".streams.json")))
            as? [String: Any]
        let boxes = try #require((json?["boxes"] as? [String: Any])?["content"] as? [[String: Any]])
        #expect(boxes.first?["type"] as? String == "gps ")
    }
}
